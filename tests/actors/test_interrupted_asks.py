"""Ctrl-C at every line of an ask, on both its sides: it is raised, and nobody is woken or lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import trio

from actors import Actor, ActorCrashed, Message, Reply, open_system
from actors.testing import Probe, settle
from tests.actors.counter import Add, Asker, Counter, Nap, Reach
from tests.actors.interrupter import Interrupter, interrupt_each_line, is_interrupted


@pytest.mark.parametrize("message", [Add(1), Nap(3), Reach(0)], ids=["plain", "async", "deferred"])
def test_an_asker_is_interrupted_and_nobody_wakes_him_later(message: Message[Counter, Any]) -> None:
    async def scenario(interrupter: Interrupter) -> None:
        async with open_system() as system:
            ref = await system.start(Counter)
            with trio.move_on_after(5):
                await is_interrupted(interrupter, partial(ref.ask, message))
            await ref.ask(Add(1))

    lines = interrupt_each_line(scenario)
    assert {line.split(":")[0] for line in lines} >= {"ref.py", "cell.py", "mailbox.py"}


def test_an_asker_is_interrupted_while_he_waits_for_room() -> None:
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
def test_whoever_asks_beside_the_interrupted_task_is_answered(
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


def test_a_test_that_waits_with_a_probe_is_interrupted_and_nobody_wakes_it_later() -> None:
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
    """Note whether Ctrl-C would be put off in the code that calls this."""
    PROTECTED.append(trio.lowlevel.currently_ki_protected())


PROTECTED: list[bool] = []


@dataclass(frozen=True, slots=True)
class Plainly(Message["Loop", None]):
    """Answered at once."""


@dataclass(frozen=True, slots=True)
class Slowly(Message["Loop", None]):
    """Answered after a second, in which a timer rings."""


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
