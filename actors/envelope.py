"""Envelope: a message on its way, and the place where its asker waits for the outcome.

The one rule: an outcome is delivered at most once, and `settle` tells the truth about it. The place
is trio's own wait_task_rescheduled, called by `Ref.ask`, not a channel or an event: once `settle`
has returned True no cancellation can come between the outcome and its asker.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import outcome
import trio

from actors.errors import ActorError, Refusal, fresh

if TYPE_CHECKING:
    import weakref

    from actors.life import Life
    from actors.message import Question
    from actors.reply import Reply

Outcome = outcome.Value[Any] | outcome.Error


class Envelope:
    """One message; with an asker, or without for a `tell`."""

    __slots__ = (
        "abandoned",
        "asker",
        "deadline",
        "life",
        "message",
        "outcome",
        "overdue",
        "parked",
        "raise_cancel",
        "reply",
        "scope",
    )

    def __init__(
        self, message: "Question[Any, Any]", asker: trio.lowlevel.Task | None, deadline: float
    ) -> None:
        self.message: Any = message
        self.asker = asker
        self.deadline = deadline
        self.abandoned = False
        # Whether the asker sleeps on this envelope, or is about to and nobody can run before.
        self.parked = True
        self.outcome: Outcome | None = None
        # Whether its handler was cut short before the asker, who had waited for room, ran again.
        self.overdue = False
        # While an async handler runs: its scope, and how to cancel the asker once it has unwound.
        self.scope: trio.CancelScope | None = None
        self.raise_cancel: Callable[[], NoReturn] | None = None
        # While the duty to answer is kept: by whom, and the reply that wants to hear of the end.
        self.life: Life[Any] | None = None
        self.reply: weakref.ref[Reply[Any]] | None = None

    def may_be_settled(self) -> bool:
        """Tell whether the asker may hear though the actor takes no more messages."""
        return self.asker is None or self.life is not None

    @property
    def answered(self) -> bool:
        """Whether a kept reply has given the asker an outcome."""
        return self.life is not None and self.asker is None and not self.abandoned

    @trio.lowlevel.enable_ki_protection
    def settle(self, result: Outcome) -> bool:
        """Deliver the outcome; tell whether somebody will get it."""
        asker = self.asker
        if asker is None:
            return False
        if self.parked:
            # First of all, for it raises in any other thread, and then nothing has happened.
            trio.lowlevel.reschedule(asker, result)
        else:
            self.outcome = result
        self.asker = None
        if self.life is not None:
            self.life.duties.discard(self)
        return True

    def unwound(self, error: Exception) -> None:
        """Deliver the cancellation that had to wait for an async handler, or else the error."""
        if self.raise_cancel is None:
            self.overdue = not self.parked
            self.settle(outcome.Error(error))
        else:
            self.settle(outcome.capture(self.raise_cancel))

    def abort(self, raise_cancel: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Give the message up at once; if an async handler runs, only once it has unwound."""
        if self.scope is not None:
            self.raise_cancel = raise_cancel
            self.scope.cancel()
            return trio.lowlevel.Abort.FAILED
        self.asker = None
        self.abandoned = True
        if self.life is not None:
            self.life.abandoned(self)
        return trio.lowlevel.Abort.SUCCEEDED


def failure(error: Exception) -> outcome.Error:
    """Return what raises the error; of the toolkit's own kinds, a copy for this one asker."""
    return outcome.Error(fresh(error) if isinstance(error, Refusal | ActorError) else error)
