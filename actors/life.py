"""Life: one instance of an actor, from its start to its crash or its stop, and all that is its own.

The one rule: nothing outlives its instance but tasks, which belong to their nursery. When a life
ends its timers are gone, the replies that it kept are failed, and no callback of it runs any more.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import outcome
import trio

from actors.actor import Actor
from actors.envelope import Envelope
from actors.errors import ActorError, Refusal, fresh
from actors.interrupts import interruptible
from actors.message import Message
from actors.reply import Reply
from actors.timers import Timers

A = TypeVar("A", bound=Actor)


class Life(Generic[A]):
    """One instance, its timers, and its duties: the asks that it still has to answer."""

    def __init__(
        self,
        instance: A,
        timers: Timers,
        turn: Callable[[Callable[[], None]], None],
        refused: Callable[[Refusal, Message[Any, Any] | None], None],
    ) -> None:
        self.instance = instance
        self.handlers = instance.__actor_handlers__
        self.timers = timers
        self.duties: set[Envelope] = set()
        self._turn = turn
        self.refused = refused
        self._token = trio.lowlevel.current_trio_token()
        self._over = False

    def begin(self) -> None:
        """Run `on_start`; if that fails nothing of the life is left."""
        if self.instance.__actor_timers__ is not None:
            kind = type(self.instance).__name__
            raise ActorError(f"the factory of {kind} gave an instance that was started before")
        self.instance.__actor_timers__ = self.timers
        try:
            interruptible(self.instance.on_start)
        except BaseException:
            self.silence()
            raise

    def silence(self) -> None:
        """Let the instance do nothing any more."""
        self._over = True
        self.timers.close()

    def fail(self, error: ActorError) -> None:
        """Fail whoever still waits for an answer."""
        for envelope in list(self.duties):
            envelope.settle(outcome.Error(fresh(error)))

    def owe(self, envelope: Envelope) -> Reply[Any]:
        """Take on the duty to answer; for a `tell` there is none, and nobody to hear the reply."""
        if envelope.asker is not None:
            envelope.life = self
            self.duties.add(envelope)
        return Reply(envelope)

    def abandoned(self, envelope: Envelope) -> None:
        """Be told that the asker has gone: a turn, if the reply wants to hear of it."""
        self.duties.discard(envelope)
        reply = None if envelope.reply is None else envelope.reply()
        if reply is None or self._over:
            return
        try:
            self._turn(reply.__abandoned__)
        except BaseException as interrupt:  # noqa: BLE001 - raised again, where that is allowed
            # Not here: we are inside trio's own cancelling, which takes this for a defect of trio.
            self.timers.nursery.start_soon(leave, interrupt)

    def dropped(self, envelope: Envelope) -> None:
        """Be told that a reply was thrown away: its asker is failed.

        The garbage collector calls this, so from whatever thread and inside whatever call.
        """
        who, what = type(self.instance).__name__, type(envelope.message).__name__
        error = ActorError(f"{who} dropped its reply to {what}")
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(envelope.settle, outcome.Error(error))


async def leave(interrupt: BaseException) -> None:
    """Raise an interrupt in a task, as a turn in the actor's own task would."""
    raise interrupt
