"""Starts an actor in a system of its own, or tells why it was refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors import Actor, ActorError, open_system


async def start(factory: Callable[[], Actor]) -> None:
    async with open_system() as system:
        await system.start(factory)


async def why_refused(factory: Callable[[], Actor]) -> str:
    with pytest.raises(ActorError) as refused:
        await start(factory)
    return str(refused.value)
