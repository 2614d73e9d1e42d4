"""Counter, the actor of most tests here, and Asker, which asks in a task of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Generic, TypeVar

import outcome
import trio

from actors import Actor, ActorError, Message, Ref, Refusal, Reply

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Add(Message["Counter", int]):
    """Answered at once, with the total."""

    by: int = 1


@dataclass(frozen=True, slots=True)
class Reach(Message["Counter", int]):
    """Answered as soon as the total is the goal or more."""

    goal: int


@dataclass(frozen=True, slots=True)
class Nap(Message["Counter", str]):
    """Answered by an async handler, after this many seconds."""

    seconds: float
    cleanup: float = 0


@dataclass(frozen=True, slots=True)
class Refuse(Message["Counter", None]):
    """Answered with `No`."""


@dataclass(frozen=True, slots=True)
class Crash(Message["Counter", None]):
    """Crashes the instance."""


@dataclass(frozen=True, slots=True)
class Abandon(Message["Counter", None]):
    """Cancels a scope, in a turn."""

    scope: trio.CancelScope


class No(Refusal):
    """A refusal that carries data."""

    def __init__(self, *, why: str) -> None:
        super().__init__(f"no: {why}")
        self.why = why


class Boom(Exception):  # noqa: N818 - a crash, on purpose
    """The exception that Crash raises."""


class Counter(Actor):
    """Adds up, and records what happens to it in a journal."""

    def __init__(self, journal: list[str] | None = None) -> None:
        self.journal: list[str] = [] if journal is None else journal
        self.total = 0
        self.replies: list[tuple[int, Reply[int]]] = []

    def on_start(self) -> None:
        self.journal.append("start")

    def on_stop(self) -> None:
        self.journal.append("stop")

    @Add.handler
    def add(self, message: Add) -> int:
        self.total += message.by
        self.journal.append(f"add {message.by}")
        for goal, reply in list(self.replies):
            if self.total >= goal:
                self.replies.remove((goal, reply))
                self.journal.append(f"reached {goal}: {reply.send(self.total)}")
        return self.total

    @Reach.deferred
    def reach(self, message: Reach, reply: Reply[int]) -> None:
        self.replies.append((message.goal, reply))
        reply.on_abandoned(partial(self.abandon, message.goal))

    def abandon(self, goal: int) -> None:
        self.journal.append(f"abandoned {goal}")

    @Nap.handler
    async def nap(self, message: Nap) -> str:
        self.journal.append("nap")
        try:
            await trio.sleep(message.seconds)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(message.cleanup)
            self.journal.append("unwound")
        return "rested"

    @Refuse.handler
    def refuse(self, _message: Refuse) -> None:
        raise No(why="not today")

    @Crash.handler
    def crash(self, _message: Crash) -> None:
        self.journal.append("crash")
        raise Boom

    @Abandon.handler
    def cancel(self, message: Abandon) -> None:
        message.scope.cancel()
        self.journal.append("cancelled")


@dataclass(frozen=True, slots=True)
class Forward(Message["Relay", str]):
    """Sends a message on, and answers when it is answered."""

    message: Message[Counter, Any]


class Relay(Actor):
    """Asks the counter on behalf of others."""

    def __init__(self, counter: Ref[Counter]) -> None:
        self.counter = counter

    @Forward.handler
    async def forward(self, message: Forward) -> str:
        return str(await self.counter.ask(message.message))


class Asker(Generic[R]):
    """Asks in a task of its own, keeps the outcome, and can be cancelled."""

    def __init__(
        self,
        nursery: trio.Nursery,
        ref: Ref[Any],
        message: Message[Any, R],
        within: float = inf,
    ) -> None:
        self.scope = trio.CancelScope(deadline=trio.current_time() + within)
        self.outcome: outcome.Value[R] | outcome.Error | None = None
        self.done = trio.Event()
        nursery.start_soon(self._ask, ref, message)

    async def _ask(self, ref: Ref[Any], message: Message[Any, R]) -> None:
        with self.scope:
            try:
                self.outcome = outcome.Value(await ref.ask(message))
            except (ActorError, Refusal, trio.TooSlowError) as error:
                self.outcome = outcome.Error(error)
        self.done.set()

    def cancel(self) -> None:
        self.scope.cancel()

    @property
    def answer(self) -> R:
        assert isinstance(self.outcome, outcome.Value)
        return self.outcome.value

    @property
    def error(self) -> BaseException:
        assert isinstance(self.outcome, outcome.Error)
        return self.outcome.error
