"""Nothing that the shop has acknowledged is lost when its process is killed at full speed."""

from __future__ import annotations

from pathlib import Path

from tests.system.killing import play


async def test_what_was_acknowledged_outlives_each_kill(tmp_path: Path, seed: int) -> None:
    figures = await play(f"sqlite:///{tmp_path}/cafe.db", kills=3, seed=seed)
    assert figures.kills == 3
    assert figures.recovered > 0
    assert figures.keyed > 0


async def test_what_was_acknowledged_outlives_a_kill_on_postgresql(
    postgresql: str, seed: int
) -> None:
    figures = await play(postgresql, kills=1, seed=seed)
    assert figures.kills == 1
    assert figures.recovered > 0
