"""Reply: the duty to answer an ask, as a value that an actor keeps until it can.

The one rule: a reply is used once. Whether its asker still waits is what `send` returns.
"""

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

import outcome
import trio

from actors.envelope import Envelope, Outcome, failure
from actors.errors import ActorError, Refusal

R_contra = TypeVar("R_contra", contravariant=True)


class Reply(Generic[R_contra]):
    """Answers one ask, later. A reply that nobody keeps any more fails its asker, once collected.

    That is at once, unless the reply is in a circle, with a callback that holds it for instance. It
    is used in trio's thread; any other has to go by `trio.from_thread.run_sync`.
    """

    __slots__ = ("__weakref__", "_answered", "_callback", "_envelope")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._answered = False
        self._callback: Callable[[], None] | None = None

    def send(self, answer: R_contra) -> bool:
        """Answer; tell whether the asker gets it. False: it has gone, or never waited."""
        return self._settle(outcome.Value(answer))

    def fail(self, error: Exception) -> bool:
        """Raise the error, usually a `Refusal`, in the asker; tell whether the asker gets it.

        A Refusal or an ActorError is copied, so that one may fail many. Any other exception is to
        be made for one reply: raised in several tasks, it would show the frames of all.
        """
        got_it = self._settle(failure(error))
        if got_it and isinstance(error, Refusal) and self._envelope.life is not None:
            self._envelope.life.refused(error, self._envelope.message)
        return got_it

    def on_abandoned(self, callback: Callable[[], None]) -> None:
        """Run the callback, once, as soon as the asker has gone without its answer.

        It runs synchronously inside the cancellation, as a turn of the actor that got the ask: at
        once, also while an async handler of that actor is suspended, but never inside another turn.
        Nor inside a task, if a deadline was the reason: what asks trio for the current one fails.
        """
        self._callback = callback
        self._envelope.reply = weakref.ref(self)
        if self._envelope.abandoned and self._envelope.life is not None:
            self._envelope.life.abandoned(self._envelope)

    def __abandoned__(self) -> None:
        """Run the callback. Only `Life` calls this, as a turn."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    @trio.lowlevel.enable_ki_protection
    def _settle(self, result: Outcome) -> bool:
        if self._answered:
            raise ActorError(f"{type(self._envelope.message).__name__} is answered twice")
        got_it = self._envelope.settle(result)
        self._answered = True
        if not self._envelope.abandoned:
            # It usually holds this reply, and will not be called any more.
            self._callback = None
        return got_it

    def __del__(self) -> None:
        envelope = self._envelope
        if envelope.asker is not None and envelope.life is not None:
            envelope.life.dropped(envelope)
