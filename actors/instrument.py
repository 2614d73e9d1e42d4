"""Instrument: be told what happens to messages and actors, as it happens.

The one rule: whoever looks on changes nothing. A method that raises is logged, and its instrument
is not called any more. What nobody looks at costs one `if`.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from actors.errors import Refusal

if TYPE_CHECKING:
    from actors.message import Message
    from actors.ref import Ref

_LOG = logging.getLogger("actors")


class Instrument:
    """Override what you want to hear of; given to `open_system`.

    The methods are called synchronously, inside a turn or a send, so they must be short; they
    cannot wait. Where they are given no message, there was none: a timer's callback is a turn, too.
    """

    def enqueued(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Hear that a message has its place in the mailbox.

        If it had to wait for room, this is told when its sender runs again, perhaps after it was
        started.
        """

    def started(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Hear that a handler is about to run; if the asker has gone, it never is."""

    def finished(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Hear that the handler has ended, in whatever way: once for each that was started."""

    def refused(
        self, actor: "Ref[Any]", message: "Message[Any, Any] | None", refusal: Refusal
    ) -> None:
        """Hear that a turn has raised a refusal, or that a kept reply was failed with one."""

    def crashed(
        self, actor: "Ref[Any]", message: "Message[Any, Any] | None", cause: Exception
    ) -> None:
        """Hear that a turn has raised what is no refusal, or that a restart has."""

    def restarted(self, actor: "Ref[Any]", cause: BaseException) -> None:
        """Hear of a fresh instance; the cause is ActorCrashed if another of the group fell."""


class Instruments:
    """Several instruments, none of which can hurt the actors or the others."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = list(instruments)

    def enqueued(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Tell every instrument, as do the methods below."""
        self._tell(lambda instrument: instrument.enqueued(actor, message))

    def started(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:  # noqa: D102
        self._tell(lambda instrument: instrument.started(actor, message))

    def finished(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:  # noqa: D102
        self._tell(lambda instrument: instrument.finished(actor, message))

    def refused(  # noqa: D102
        self, actor: "Ref[Any]", message: "Message[Any, Any] | None", refusal: Refusal
    ) -> None:
        self._tell(lambda instrument: instrument.refused(actor, message, refusal))

    def crashed(  # noqa: D102
        self, actor: "Ref[Any]", message: "Message[Any, Any] | None", cause: Exception
    ) -> None:
        self._tell(lambda instrument: instrument.crashed(actor, message, cause))

    def restarted(self, actor: "Ref[Any]", cause: BaseException) -> None:  # noqa: D102
        self._tell(lambda instrument: instrument.restarted(actor, cause))

    def _tell(self, call: Callable[[Instrument], None]) -> None:
        for instrument in tuple(self._instruments):
            try:
                call(instrument)
            except Exception:  # noqa: BLE001 - whatever it raises is its own trouble
                _LOG.exception("%r failed and is not called any more", instrument)
                self._instruments.remove(instrument)
