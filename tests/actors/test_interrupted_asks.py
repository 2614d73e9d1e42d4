"""Ctrl-C at every line of an ask, on both its sides: it is raised, and nobody is woken or lost.

Lines are counted by a trace function, and the signal is a real one, for only trio's own handler
knows which code it may cut.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Actor, ActorCrashed, Message, Reply, open_system
from actors.testing import Probe, settle
from tests.actors.cast import Add, Asker, Counter, Nap, Reach

PACKAGE = str(Path(actors.__file__).parent)
Step = Callable[[], Awaitable[object]]


class Interrupter:
    """Presses Ctrl-C at one line of the toolkit, counted from where it is begun."""

    def __init__(self, line: int) -> None:
        self.left = line
        self.where = ""

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_args: object) -> None:
        sys.settrace(self._before)

    def trace(self, frame: FrameType, event: str, _arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line" and not self.where:
            self.left -= 1
            if not self.left:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self.trace


def run(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=MockClock(autojump_threshold=0))


def interrupt_each_line(play: Callable[[Interrupter], Awaitable[None]]) -> list[str]:
    """Play again and again, interrupted one line later each time; return the lines."""
    lines: list[str] = []
    while True:
        interrupter = Interrupter(len(lines) + 1)
        try:
            run(partial(play, interrupter))
        except* KeyboardInterrupt:
            pass
        except* BaseException as error:
            raise AssertionError(f"interrupted at {interrupter.where}") from error
        if not interrupter.where:
            return lines
        lines.append(interrupter.where)


async def is_interrupted(interrupter: Interrupter, step: Step) -> None:
    """Be interrupted in a step or right after it, and then sleep without being woken early."""
    with interrupter:
        try:
            await step()
            await trio.sleep(1)
        except KeyboardInterrupt:
            pass
    began = trio.current_time()
    await trio.sleep(10)
    assert trio.current_time() == began + 10


@pytest.mark.parametrize("message", [Add(1), Nap(3), Reach(0)], ids=["plain", "async", "deferred"])
def test_an_asker_is_interrupted_and_nobody_wakes_him_later(message: Message[Counter, Any]) -> None:
    async def play(interrupter: Interrupter) -> None:
        async with open_system() as system:
            ref = await system.start(Counter)
            with trio.move_on_after(5):
                await is_interrupted(interrupter, partial(ref.ask, message))
            await ref.ask(Add(1))

    lines = interrupt_each_line(play)
    assert {line.split(":")[0] for line in lines} >= {"ref.py", "cell.py", "envelope.py"}


def test_an_asker_is_interrupted_while_he_waits_for_room() -> None:
    async def play(interrupter: Interrupter) -> None:
        async with open_system() as system:
            ref = await system.start(Counter, mailbox=1)
            await ref.tell(Nap(1))
            await settle()
            await ref.tell(Add(1))
            await is_interrupted(interrupter, partial(ref.ask, Add(1)))
            await ref.ask(Add(1))

    assert interrupt_each_line(play)


@pytest.mark.parametrize("message", [Add(1), Nap(3)], ids=["plain", "async"])
def test_whoever_asks_beside_the_interrupted_task_is_answered(
    message: Message[Counter, Any],
) -> None:
    async def play(interrupter: Interrupter) -> None:
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
                        await asker.left.wait()

    assert interrupt_each_line(play)


def test_a_test_that_waits_with_a_probe_is_interrupted_and_nobody_wakes_it_later() -> None:
    async def play(interrupter: Interrupter) -> None:
        probe = Probe(Counter)

        async def exchange() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer)
                await probe.ask(Add(1))

        async def answer() -> None:
            probe.reply(await probe.next(Add), 1)

        await is_interrupted(interrupter, exchange)

    assert interrupt_each_line(play)


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
