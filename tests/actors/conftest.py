"""What several modules of these tests play with."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import trio

from actors import System, open_system
from tests.actors.players import Stage


@pytest.fixture
async def system() -> AsyncGenerator[System]:
    """Give a system, and leave it after the test."""
    async with open_system() as system:
        yield system


@pytest.fixture
def stage(nursery: trio.Nursery) -> Stage:
    """Give the players a stage, with a nursery that is none of theirs."""
    return Stage(nursery)
