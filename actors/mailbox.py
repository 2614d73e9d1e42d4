"""Mailbox and Envelope: a message on its way, and the place where its asker waits for the outcome.

The one rule: messages are handled in the order of arrival, or their asks fail with the reason; and
an outcome is delivered at most once: `settle` returns whether it was. The asker waits in trio's own
wait_task_rescheduled, called by `Ref.ask`, not on a channel or an event: once `settle` has returned
True, no cancellation can come between the outcome and its asker.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import outcome
import trio

from actors.errors import ActorError, ActorStopped, MailboxFull, Refusal, copy_error

if TYPE_CHECKING:
    import weakref

    from actors.instance import Instance
    from actors.ref import Reply

Outcome = outcome.Value[Any] | outcome.Error

_CLOSED = (trio.ClosedResourceError, trio.BrokenResourceError)


@dataclass(slots=True, eq=False)
class Envelope:
    """One message; with an asker, or without for a `tell`."""

    message: Any
    asker: trio.lowlevel.Task | None
    deadline: float
    abandoned: bool = False
    """Whether the ask was cancelled before its outcome."""
    parked: bool = True
    """Whether the asker sleeps on this envelope, or will before any other task can run."""
    outcome: "Outcome | None" = None
    overdue: bool = False
    """Whether its handler was cancelled before the asker, which had waited for room, ran again."""
    scope: trio.CancelScope | None = None
    """The scope of the running async handler."""
    raise_cancel: Callable[[], NoReturn] | None = None
    """How to cancel the asker once that handler has unwound."""
    instance: "Instance[Any] | None" = None
    """The instance that was given the `Reply`, if the handler is deferred."""
    reply: "weakref.ref[Reply[Any]] | None" = None
    """That `Reply`, if it has a callback."""

    def may_be_settled(self) -> bool:
        """Return whether the outcome can come although the actor handles no messages."""
        return self.asker is None or self.instance is not None

    @property
    def answered(self) -> bool:
        """Whether a kept reply has given the asker an outcome."""
        return self.instance is not None and self.asker is None and not self.abandoned

    @trio.lowlevel.enable_ki_protection
    def settle(self, result: Outcome) -> bool:
        """Deliver the outcome; return whether there was an asker to get it."""
        asker = self.asker
        if asker is None:
            return False
        if self.parked:
            # First, because it raises in any other thread: then nothing must have changed.
            trio.lowlevel.reschedule(asker, result)
        else:
            self.outcome = result
        self.asker = None
        if self.instance is not None:
            self.instance.unanswered.discard(self)
        return True

    def unwound(self, error: Exception) -> None:
        """Deliver the cancellation that waited for an async handler to end, or else the error."""
        if self.raise_cancel is None:
            self.overdue = not self.parked
            self.settle(outcome.Error(error))
        else:
            self.settle(outcome.capture(self.raise_cancel))

    def abort(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Cancel the ask at once or, if an async handler runs, as soon as it has unwound."""
        if self.scope is not None:
            self.raise_cancel = raise_cancel
            self.scope.cancel()
            return trio.lowlevel.Abort.FAILED
        self.asker = None
        self.abandoned = True
        if self.instance is not None:
            self.instance.abandoned(self)
        return trio.lowlevel.Abort.SUCCEEDED


def failure(error: Exception) -> outcome.Error:
    """Return the outcome that raises an error; a Refusal or ActorError is copied for this asker."""
    return outcome.Error(copy_error(error) if isinstance(error, Refusal | ActorError) else error)


class Mailbox:
    """A trio memory channel of envelopes, of a finite size: the only way in to an actor."""

    __slots__ = ("_channel", "arrivals", "closed", "name", "returned", "size")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.closed = False
        # Ends when the mailbox is closed and empty.
        self._channel, self.arrivals = trio.open_memory_channel[Envelope](size)
        # The message that was received last, if it is to be received again.
        self.returned: Envelope | None = None

    def __len__(self) -> int:
        return self._channel.statistics().current_buffer_used + (self.returned is not None)

    async def send(self, envelope: Envelope) -> None:
        """Put a message in, waiting for room; raise ActorStopped if closed before there is any."""
        try:
            await self._channel.send(envelope)
        except _CLOSED:
            raise ActorStopped(self.name) from None

    def send_nowait(self, envelope: Envelope) -> None:
        """Put a message in; raise MailboxFull or ActorStopped."""
        try:
            self._channel.send_nowait(envelope)
        except trio.WouldBlock:
            raise MailboxFull(self.name, self.size) from None
        except _CLOSED:
            raise ActorStopped(self.name) from None

    def close(self) -> None:
        """Refuse further messages; senders that wait for room get ActorStopped."""
        self.closed = True
        self._channel.close()

    def fail_all(self, error: ActorStopped) -> None:
        """Fail every message that is left in a closed mailbox."""
        if self.returned is not None:
            self.returned.settle(outcome.Error(copy_error(error)))
            self.returned = None
        with suppress(trio.EndOfChannel):
            while True:
                self.arrivals.receive_nowait().settle(outcome.Error(copy_error(error)))
