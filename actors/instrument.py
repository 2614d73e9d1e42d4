"""Instrument: be told what happens to messages and actors, as it happens.

The one rule: whoever looks on changes nothing. A method that raises is logged, and its instrument
is not called any more. What nobody looks at costs one `if`.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from actors.errors import Refusal

if TYPE_CHECKING:
    from actors.message import Message
    from actors.ref import Ref

EVENTS = ("enqueued", "started", "finished", "refused", "crashed", "restarted")
_LOG = logging.getLogger("actors")


class Instrument:
    """Override what you want to hear of; given to `open_system`.

    The methods are called synchronously, inside a turn or a send, so they must be short; they
    cannot wait. Where they are given no message, there was none: a timer's callback is a turn, too.

    Not all that is enqueued is started. A message whose asker has gone is skipped, and what is left
    when its actor stops is failed; neither has an event. So the length of a mailbox does not follow
    from events: `actor.statistics()` tells what is queued and what was skipped.
    """

    def enqueued(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Hear that a message has its place in the mailbox.

        If it had to wait for room, this is told when its sender runs again, perhaps after it was
        started.
        """

    def started(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Hear that a handler is about to run."""

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


E = TypeVar("E")
Telling = Callable[["Ref[Any]", "Message[Any, Any]"], None]
TellingWhy = Callable[["Ref[Any]", "Message[Any, Any] | None", E], None]


class Listeners:
    """The instruments of a system, none of which can hurt the actors or the others.

    Its attributes are called as the methods of an instrument are. Each calls those who override
    that method, for most want to hear of little.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = list(instruments)
        self._listeners: dict[str, tuple[tuple[Instrument, Callable[..., None]], ...]] = {}
        self.enqueued: Telling = self._relay("enqueued")
        self.started: Telling = self._relay("started")
        self.finished: Telling = self._relay("finished")
        self.refused: TellingWhy[Refusal] = self._relay("refused")
        self.crashed: TellingWhy[Exception] = self._relay("crashed")
        self.restarted: Callable[[Ref[Any], BaseException], None] = self._relay("restarted")
        self._attend()

    def _relay(self, event: str) -> Callable[..., None]:
        listeners = self._listeners

        def tell(*what: object) -> None:
            for instrument, hears in listeners[event]:
                try:
                    hears(*what)
                except Exception:  # noqa: BLE001 - whatever it raises is its own trouble
                    self._drop(instrument)

        return tell

    def _attend(self) -> None:
        """Note who listens to what."""
        for event in EVENTS:
            deaf = getattr(Instrument, event)
            every = ((one, getattr(one, event)) for one in self._instruments)
            self._listeners[event] = tuple(
                (one, hears) for one, hears in every if getattr(hears, "__func__", None) is not deaf
            )

    def _drop(self, instrument: Instrument) -> None:
        _LOG.exception("%r failed and is not called any more", instrument)
        # It may be gone already: what it did may have come back to it, and failed there too.
        self._instruments = [one for one in self._instruments if one is not instrument]
        self._attend()
