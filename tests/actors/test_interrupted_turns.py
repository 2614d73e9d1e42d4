"""An interrupt in a turn ends the system, and nobody hangs."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors import open_system
from tests.actors.counter import Asker, Counter, Crash


async def test_an_interrupt_in_a_turn_ends_the_system_and_nobody_hangs() -> None:
    askers: list[Asker[Any]] = []

    async def interrupt() -> None:
        async with open_system() as system:
            ref = await system.start(Interrupted)
            askers.append(Asker(outside, ref, Crash()))
            await trio.sleep_forever()

    async with trio.open_nursery() as outside:
        with pytest.raises(BaseExceptionGroup) as group:
            await interrupt()
        assert group.value.split(SystemExit)[1] is None
        (asker,) = askers
        await asker.done.wait()
        assert str(asker.error) == "Interrupted has stopped"


class Interrupted(Counter):
    @Crash.handler
    def exit(self, _message: Crash) -> None:
        raise SystemExit
