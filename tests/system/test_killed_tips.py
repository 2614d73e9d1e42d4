"""A shop with the durable department of docs/extending.md in it, killed at full speed."""

from __future__ import annotations

from pathlib import Path

from tests.tips.killing import play


async def test_each_acknowledged_tip_outlives_each_kill_and_is_paid_once(
    tmp_path: Path, seed: int
) -> None:
    tally = await play(f"sqlite:///{tmp_path}/cafe.db", kills=3, seed=seed)
    assert tally.acknowledged > 0
    assert tally.paid > 0


async def test_each_acknowledged_tip_outlives_a_kill_on_postgresql(
    postgresql: str, seed: int
) -> None:
    tally = await play(postgresql, kills=1, seed=seed)
    assert tally.acknowledged > 0
    assert tally.paid > 0
