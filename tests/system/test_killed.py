"""Nothing that the shop has acknowledged is lost when its process is killed at full speed."""

from __future__ import annotations

from pathlib import Path

from tests.system.killing import kill_repeatedly


async def test_what_was_acknowledged_outlives_each_kill(tmp_path: Path, seed: int) -> None:
    totals = await kill_repeatedly(f"sqlite:///{tmp_path}/cafe.db", kills=3, seed=seed)
    assert totals.kills == 3
    assert totals.recovered > 0
    assert totals.keyed > 0


async def test_what_was_acknowledged_outlives_a_kill_on_postgresql(
    postgresql: str, seed: int
) -> None:
    totals = await kill_repeatedly(postgresql, kills=1, seed=seed)
    assert totals.kills == 1
    assert totals.recovered > 0
