"""Fixtures of several modules: a system, and peers that wait for each other."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import trio

from actors import System, open_system
from tests.actors.peers import Peers


@pytest.fixture
async def system() -> AsyncGenerator[System]:
    """Open a system, and leave it after the test."""
    async with open_system() as system:
        yield system


@pytest.fixture
def peers(nursery: trio.Nursery) -> Peers:
    """Make an empty set of peers, with a nursery outside of all of them."""
    return Peers(nursery)
