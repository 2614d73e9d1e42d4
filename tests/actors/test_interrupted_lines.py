"""Ctrl-C at every line of an ask, a start, a restart and an end: no task hangs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import trio

from actors import Actor, ActorCrashed, ActorError, Message, Reply, open_system
from actors.testing import Probe, settle
from tests.actors.counter import Add, Asker, Counter, Crash, Nap, Reach
from tests.actors.interrupter import Interrupter, interrupt_each_line, is_interrupted


@pytest.mark.parametrize("message", [Add(1), Nap(3), Reach(0)], ids=["plain", "async", "deferred"])
def test_an_asker_is_interrupted_and_never_woken_again(message: Message[Counter, Any]) -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            ref = await system.start(Counter)
            with trio.move_on_after(5):
                await is_interrupted(interrupter, partial(ref.ask, message))
            await ref.ask(Add(1))

    lines = interrupt_each_line(scenario)
    assert {line.split(":")[0] for line in lines} >= {"ref.py", "cell.py", "mailbox.py"}


def test_an_asker_is_interrupted_while_it_waits_for_room() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            ref = await system.start(Counter, mailbox=1)
            await ref.tell(Nap(1))
            await settle()
            await ref.tell(Add(1))
            await is_interrupted(interrupter, partial(ref.ask, Add(1)))
            await ref.ask(Add(1))

    assert interrupt_each_line(scenario)


@pytest.mark.parametrize("message", [Add(1), Nap(3)], ids=["plain", "async"])
def test_an_ask_beside_the_interrupted_task_is_answered(
    message: Message[Counter, Any],
) -> None:
    async def scenario(interrupter: Interrupter) -> None:
        asker: Asker[Any] | None = None
        async with trio.open_nursery() as nursery:
            try:
                async with open_system() as system:
                    ref = await system.start(Counter)
                    asker = Asker(nursery, ref, message)
                    await is_interrupted(interrupter, settle)
            finally:
                if asker is not None:
                    with trio.fail_after(100), trio.CancelScope(shield=True):
                        await asker.done.wait()

    assert interrupt_each_line(scenario)


def test_a_test_that_waits_with_a_probe_is_interrupted_and_never_woken_again() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        probe = Probe(Counter)

        async def exchange() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer)
                await probe.ask(Add(1))

        async def answer() -> None:
            probe.reply(await probe.next(Add), 1)

        await is_interrupted(interrupter, exchange)

    assert interrupt_each_line(scenario)


def note() -> None:
    """Note whether Ctrl-C would be deferred in the code that calls this."""
    PROTECTED.append(trio.lowlevel.currently_ki_protected())


PROTECTED: list[bool] = []


@dataclass(frozen=True, slots=True)
class Plainly(Message["Loop", None]):
    """Answered at once."""


@dataclass(frozen=True, slots=True)
class Slowly(Message["Loop", None]):
    """Answered after a second, in which a timer is due."""


@dataclass(frozen=True, slots=True)
class Later(Message["Loop", None]):
    """Answered when it is kept."""


@dataclass(frozen=True, slots=True)
class Restart(Message["Loop", None]):
    """Crashes the instance."""


class Loop(Actor):
    """Might loop for ever in each of its methods."""

    def __init__(self) -> None:
        note()

    def on_start(self) -> None:
        note()
        self.after(0.5, note)

    def on_stop(self) -> None:
        note()

    @Plainly.handler
    def plainly(self, _message: Plainly) -> None:
        note()

    @Slowly.handler
    async def slowly(self, _message: Slowly) -> None:
        note()
        await trio.sleep(1)

    @Later.deferred
    def later(self, _message: Later, reply: Reply[None]) -> None:
        note()
        reply.send(None)

    @Restart.handler
    def crash(self, _message: Restart) -> None:
        note()
        raise LookupError


@pytest.mark.schedules
async def test_an_actors_own_code_can_be_interrupted_wherever_it_runs() -> None:
    PROTECTED.clear()
    async with open_system() as system:
        ref = await system.start(Loop)
        for message in (Plainly(), Slowly(), Later()):
            await ref.ask(message)
        with pytest.raises(ActorCrashed):
            await ref.ask(Restart())
        await trio.sleep(1)
    assert PROTECTED == [False] * 11


@pytest.mark.schedules
async def test_an_async_factory_can_be_interrupted_before_and_after_it_waits() -> None:
    async def factory() -> Loop:
        note()
        await trio.sleep(1)
        note()
        return Loop()

    PROTECTED.clear()
    async with open_system() as system:
        ref = await system.start(factory)
        with pytest.raises(ActorCrashed):
            await ref.ask(Restart())
        await trio.sleep(5)
    assert PROTECTED == [False] * 11


class Ticking(Counter):
    """Sets a timer at its start; the timer's task has to end as well."""

    def on_start(self) -> None:
        super().on_start()
        self.every(60, self.tick)

    def tick(self) -> None:
        self.total += 1


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_start_with_an_async_factory_is_interrupted_and_nothing_is_left_of_it() -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            await system.start(Ticking)
            await is_interrupted(interrupter, partial(system.start, make_later))

    lines = interrupt_each_line(scenario)
    assert {line.split(":")[0] for line in lines} >= {"instance.py", "group.py", "system.py"}


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_end_of_a_system_is_interrupted_and_completed_nevertheless() -> None:
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
