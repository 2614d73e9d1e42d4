"""Ctrl-C at every line of a start, a restart or an end: it is raised, and the block is left."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorError, open_system
from actors.testing import settle
from tests.actors.counter import Add, Counter, Crash, Nap
from tests.actors.interrupter import Interrupter, interrupt_each_line, is_interrupted


class Ticking(Counter):
    """Has a timer from its start on, whose task has to end as well."""

    def on_start(self) -> None:
        super().on_start()
        self.every(60, self.tick)

    def tick(self) -> None:
        self.total += 1


def test_a_start_is_interrupted_and_nothing_is_left_of_it() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            # The first of a class is checked, in many more lines than are of interest here.
            await system.start(Ticking)
            await is_interrupted(interrupter, partial(system.start, Ticking))

    assert any(line.startswith("system.py") for line in interrupt_each_line(scenario))


async def make_later() -> Ticking:
    await trio.sleep(1)
    return Ticking()


def test_a_start_with_an_async_factory_is_interrupted_and_nothing_is_left_of_it() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            await system.start(Ticking)
            await is_interrupted(interrupter, partial(system.start, make_later))

    lines = interrupt_each_line(scenario)
    assert {line.split(":")[0] for line in lines} >= {"instance.py", "group.py", "system.py"}


def test_a_restart_with_an_async_factory_is_interrupted_and_the_block_can_be_left() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            ref = await system.start(make_later)

            async def crash() -> None:
                with pytest.raises(ActorError):
                    await ref.ask(Crash())
                await ref.ask(Add())

            await is_interrupted(interrupter, crash)

    assert any(line.startswith("instance.py") for line in interrupt_each_line(scenario))


def test_a_restart_is_interrupted_and_the_block_can_be_left() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            ref = await system.start(Ticking)

            async def crash() -> None:
                with pytest.raises(ActorError):
                    await ref.ask(Crash())
                await ref.ask(Add())

            await is_interrupted(interrupter, crash)

    assert interrupt_each_line(scenario)


def test_the_end_of_a_system_is_interrupted_and_comes_all_the_same() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        leaving = open_system(grace=1)
        system = await leaving.__aenter__()
        refs = [await system.start(Ticking) for _ in range(2)]
        await refs[0].tell(Nap(60))
        await settle()
        try:
            with interrupter:
                await leaving.__aexit__(None, None, None)
        finally:
            assert [ref.statistics().state for ref in refs] == ["stopped"] * 2

    assert interrupt_each_line(scenario)
