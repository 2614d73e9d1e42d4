"""Nothing that the shop has acknowledged is lost when its process is killed at full speed."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.system.killing import play


@pytest.fixture
def seed() -> int:
    """Give a seed, which pytest shows where a test fails."""
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 - see above
    return seed


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
