"""Instance: one instance of an actor, from its factory's call to its crash or stop; and its turns.

The one rule: turns never overlap, and nothing outlives its instance but tasks, which belong to
their nursery. When an instance ends, its timers are dropped, the asks whose replies it kept are
failed, and none of its callbacks runs again.
"""

import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

import outcome
import trio

from actors.actor import Actor, Timers
from actors.errors import ActorError, Refusal, copy_error
from actors.mailbox import Envelope
from actors.message import Message
from actors.user_code import AsyncCall, interruptible, interruptible_await

A = TypeVar("A", bound=Actor)

Factory = Callable[[], A | Awaitable[A]]
"""Called without arguments; returns an actor, or an awaitable of one."""


class FactoryCall(AsyncCall, Generic[A]):
    """The call of an async factory; it may wait for any time, which is not a crash."""

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Awaitable[A]) -> None:
        super().__init__()
        self._awaitable = awaitable

    async def run(self) -> A | None:
        """Return the actor, or None if the call was interrupted; raise what the factory raises."""
        actor: A | None = None
        try:
            with self.scope:
                actor = await interruptible_await(self._awaitable)
                check_actor(actor)
        finally:
            # Ctrl-C may come before the coroutine's first step; Python would warn if not closed.
            if inspect.iscoroutine(self._awaitable):
                self._awaitable.close()
        return None if self.interrupted else actor


def call_factory(factory: Factory[A]) -> A | FactoryCall[A]:
    """Return the actor that a factory makes, or the call that has yet to be awaited."""
    made = interruptible(factory)
    # An actor that is itself awaitable is not awaited.
    if isinstance(made, Awaitable) and not isinstance(made, Actor):
        return FactoryCall(made)
    check_actor(made)
    return cast("A", made)


def check_actor(made: object) -> None:
    """Raise ActorError unless a factory has made an actor."""
    if not isinstance(made, Actor):
        raise ActorError(f"a factory gave {made!r}, which is no actor")


class Turns:
    """The running turn of one actor, and the turns that wait for its end.

    A turn is one plain call into the instance: a plain or deferred handler, a timer's callback, or
    a callback of `on_abandoned`. A turn that is requested during another runs right after it,
    before anything else. An async handler is not a turn: while it is suspended, other messages and
    timers wait, and only callbacks of `on_abandoned` run.
    """

    __slots__ = ("_failed", "running", "waiting")

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self.running = False
        self.waiting: deque[Callable[[], None]] = deque()
        self._failed = failed

    def run(self, callback: Callable[[], None]) -> None:
        """Run the callback as a turn: at once, or right after the running turn."""
        self.waiting.append(callback)
        if not self.running:
            self.run_waiting()

    def run_waiting(self) -> None:
        """Run the turns that have waited for the end of another."""
        while self.waiting:
            callback = self.waiting.popleft()
            self.running = True
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - a crash is whatever a turn raises
                self._failed(error)
            self.running = False


class Instance(Generic[A]):
    """One instance, its timers, and the asks that it still has to answer."""

    def __init__(
        self,
        actor: A,
        timers: Timers,
        run_turn: Callable[[Callable[[], None]], None],
        refused: Callable[[Refusal, Message[Any, Any] | None], None],
    ) -> None:
        self.actor = actor
        self.timers = timers
        self.unanswered: set[Envelope] = set()
        self.refused = refused
        self._run_turn = run_turn
        self._token = trio.lowlevel.current_trio_token()
        self._closed = False

    def start(self) -> None:
        """Run `on_start`; if it raises, close this and raise that."""
        if self.actor.__actor_timers__ is not None:
            kind = type(self.actor).__name__
            raise ActorError(f"the factory of {kind} gave an instance that was started before")
        self.actor.__actor_timers__ = self.timers
        try:
            interruptible(self.actor.on_start)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the timers, and run no further callback of the instance."""
        self._closed = True
        self.timers.close()

    def fail_unanswered(self, error: ActorError) -> None:
        """Fail every asker that still waits for a reply of the instance."""
        for envelope in list(self.unanswered):
            envelope.settle(outcome.Error(copy_error(error)))

    def abandoned(self, envelope: Envelope) -> None:
        """Note that an ask was cancelled; run its reply's callback as a turn, if it has one."""
        self.unanswered.discard(envelope)
        reply = None if envelope.reply is None else envelope.reply()
        if reply is None or self._closed:
            return
        try:
            self._run_turn(reply.__abandoned__)
        except BaseException as interrupt:  # noqa: BLE001 - raised again, where that is allowed
            # Not here: this runs inside trio's cancellation, which would treat it as a bug.
            self.timers.nursery.start_soon(raise_in_task, interrupt)

    def dropped(self, envelope: Envelope) -> None:
        """Fail the asker of a reply that was garbage collected unanswered.

        The garbage collector calls this, in any thread and inside any other call.
        """
        actor, message = type(self.actor).__name__, type(envelope.message).__name__
        error = ActorError(f"{actor} dropped its reply to {message}")
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(envelope.settle, outcome.Error(error))


async def raise_in_task(interrupt: BaseException) -> None:
    """Raise an interrupt in a task, as a turn in the actor's own task would."""
    raise interrupt
