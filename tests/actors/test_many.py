"""Many messages, timers and actors leave no memory behind.

Memory is counted in blocks that Python has allocated: exact, and the same on every machine.
"""

from __future__ import annotations

import gc
import sys

import pytest
import trio

from actors import Ref, System, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, Crash, Nap, Reach, Refuse
from tests.chance import examples

SLACK = 150
"""Blocks that come and go by themselves: caches, free lists, what the measuring itself takes."""

MESSAGES = examples(1_000_000)


class Unwritten(list[str]):
    def append(self, _line: str) -> None:
        pass


class Silent(Counter):
    """Keeps neither a journal nor the replies of cancelled asks."""

    def __init__(self) -> None:
        super().__init__(Unwritten())

    def abandon(self, goal: int) -> None:
        self.replies = [kept for kept in self.replies if kept[0] != goal]


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


async def exchange(counter: Ref[Silent], messages: int) -> None:
    """Send messages of every kind: told, asked, kept, abandoned, refused, to an async handler."""
    async with trio.open_nursery() as nursery:
        for number in range(messages // 8):
            for _ in range(3):
                await counter.tell(Add(0))
            assert await counter.ask(Add(0)) == 0
            await counter.tell(Refuse())
            await counter.tell(Nap(0))
            Asker(nursery, counter, Nap(0.5), within=0.1)
            Asker(nursery, counter, Reach(number + 1), within=1)
            if number % 8 == 0:
                # Let the short waits end, so that they do not pile up.
                await trio.sleep(1)


async def come_and_go(system: System, actors: int) -> None:
    refs = [await system.start(Silent, mailbox=1) for _ in range(actors)]
    for ref in refs:
        await ref.ask(Add())
        ref.stop()
    for ref in refs:
        await ref.wait_stopped()
    await settle()
    assert list(system.tree()) == []


@pytest.mark.slow
async def test_a_million_messages_leave_no_memory_behind() -> None:
    async with open_system() as system:
        counter = await system.start(Silent, mailbox=64)

        async def tell(messages: int) -> None:
            for _ in range(messages):
                await counter.tell(Add())

        async def tell_from_two(messages: int) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell, messages // 2)
                nursery.start_soon(tell, messages // 2)
            await settle()

        await tell_from_two(10_000)
        before = blocks()
        await tell_from_two(MESSAGES)
        assert counter.statistics().handled == 10_000 + MESSAGES
        assert blocks() - before < SLACK


@pytest.mark.schedules
async def test_messages_of_every_kind_leave_no_memory_behind() -> None:
    async with open_system() as system:
        counter = await system.start(Silent)
        await exchange(counter, 400)
        before = blocks()
        await exchange(counter, 1_600)
        assert blocks() - before < SLACK


@pytest.mark.schedules
async def test_crashed_instances_leave_no_memory_behind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "actors")  # pytest would keep every crash
    async with open_system() as system:
        counter = await system.start(Silent)

        async def crash(times: int) -> None:
            for _ in range(times):
                async with trio.open_nursery() as nursery:
                    Asker(nursery, counter, Reach(1))
                    await settle()
                    Asker(nursery, counter, Crash())
                await trio.sleep(5)

        await crash(10)
        before = blocks()
        await crash(40)
        assert counter.statistics().restarts == 50
        assert blocks() - before < SLACK


@pytest.mark.slow
async def test_ten_thousand_actors_start_and_stop() -> None:
    async with open_system() as system:
        await come_and_go(system, 100)
        before = blocks()
        await come_and_go(system, 10_000)
        assert blocks() - before < SLACK


@pytest.mark.schedules
async def test_actors_that_have_stopped_leave_no_memory_behind() -> None:
    async with open_system() as system:
        await come_and_go(system, 25)
        before = blocks()
        for _ in range(4):
            await come_and_go(system, 25)
        assert blocks() - before < SLACK
