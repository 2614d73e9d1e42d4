"""What can be seen of actors from outside: statistics, the tree, and instruments.

The one rule: an observer changes nothing. An instrument that raises is logged, and is not called
again. Without instruments this costs one `if` for each event.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from actors.errors import Refusal
from actors.restart import Strategy

if TYPE_CHECKING:
    from actors.message import Message
    from actors.ref import Ref

ActorState = Literal["running", "restarting", "stopping", "stopped"]
"""Restarting: a crash stopped the instance, and the next waits for backoff, group or factory."""

EVENTS = ("enqueued", "started", "finished", "refused", "crashed", "restarted")
_LOG = logging.getLogger("actors")


@dataclass(frozen=True, slots=True)
class ActorStatistics:
    """One actor at one moment."""

    name: str
    state: ActorState
    queued: int
    """Messages in the mailbox."""
    mailbox: int
    """The size of the mailbox, in messages."""
    handled: int
    """Messages whose handler returned; a deferred one counts although its reply may be kept."""
    refused: int
    """Messages answered with a Refusal."""
    skipped: int
    """Messages whose ask was cancelled while queued, or while an async handler ran."""
    crashed: int
    restarts: int
    busy_since: float | None
    """The trio time at which the running async handler, or factory of a restart, began."""


@dataclass(slots=True)
class Counts:
    """What an actor has done so far, through all its restarts."""

    handled: int = 0
    refused: int = 0
    skipped: int = 0
    crashed: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """A group and its members, in the order of their start; `str` draws it."""

    name: str
    strategy: Strategy
    members: "tuple[ActorStatistics | Tree, ...]"

    def __iter__(self) -> Iterator[ActorStatistics]:
        """Yield every actor, including those of the groups within."""
        for member in self.members:
            if isinstance(member, Tree):
                yield from member
            else:
                yield member

    def __str__(self) -> str:
        """Return one line for each group and each actor."""
        return "\n".join(draw(self))


def draw(member: ActorStatistics | Tree) -> Iterator[str]:
    """Yield the lines for a member, and for the members in it."""
    if not isinstance(member, Tree):
        yield summary(member)
        return
    yield f"{member.name}, {member.strategy.value}"
    for number, within in enumerate(member.members, 1):
        last = number == len(member.members)
        lines = draw(within)
        yield ("└─ " if last else "├─ ") + next(lines)
        for below in lines:
            yield ("   " if last else "│  ") + below


def summary(actor: ActorStatistics) -> str:
    """Return one line about an actor, without the counts that are zero."""
    counts = {field.name: getattr(actor, field.name) for field in fields(Counts)}
    counted = "".join(f", {name} {count}" for name, count in counts.items() if count)
    busy = "" if actor.busy_since is None else ", busy"
    return f"{actor.name} {actor.state}{busy}, queued {actor.queued} of {actor.mailbox}{counted}"


class Instrument:
    """The base class of an observer, given to `open_system`; override the events that you want.

    The methods are called synchronously, inside a turn or a send, so they must be short; they
    cannot wait. The message is None if the turn had none, such as a timer's callback.

    Not every message that is enqueued is started. One whose ask was cancelled is skipped, and those
    left when the actor stops are failed; neither has an event. So the length of a mailbox does not
    follow from events: `actor.statistics()` has what is queued and what was skipped.
    """

    def enqueued(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Observe that a message is in the mailbox.

        If it had to wait for room, this is called when its sender runs again, perhaps after the
        message was started.
        """

    def started(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Observe that a handler is about to run."""

    def finished(self, actor: "Ref[Any]", message: "Message[Any, Any]") -> None:
        """Observe that the handler has ended, in any way: once for each that was started."""

    def refused(
        self, actor: "Ref[Any]", message: "Message[Any, Any] | None", refusal: Refusal
    ) -> None:
        """Observe that a turn has raised a refusal, or a kept reply was failed with one."""

    def crashed(
        self, actor: "Ref[Any]", message: "Message[Any, Any] | None", cause: Exception
    ) -> None:
        """Observe that a turn, or a start during a restart, has raised something else."""

    def restarted(self, actor: "Ref[Any]", cause: BaseException) -> None:
        """Observe a restart; the cause is ActorCrashed if another of the group crashed."""


E = TypeVar("E")
OnMessage = Callable[["Ref[Any]", "Message[Any, Any]"], None]
OnError = Callable[["Ref[Any]", "Message[Any, Any] | None", E], None]


class Listeners:
    """The instruments of a system; one that raises disturbs neither actors nor the others.

    Its attributes are called as the methods of an instrument are. Each calls only the instruments
    that override that method, because most override few.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments = list(instruments)
        self._listeners: dict[str, tuple[tuple[Instrument, Callable[..., None]], ...]] = {}
        self.enqueued: OnMessage = self._relay("enqueued")
        self.started: OnMessage = self._relay("started")
        self.finished: OnMessage = self._relay("finished")
        self.refused: OnError[Refusal] = self._relay("refused")
        self.crashed: OnError[Exception] = self._relay("crashed")
        self.restarted: Callable[[Ref[Any], BaseException], None] = self._relay("restarted")
        self._subscribe()

    def _relay(self, event: str) -> Callable[..., None]:
        listeners = self._listeners

        def call_listeners(*arguments: object) -> None:
            for instrument, method in listeners[event]:
                try:
                    method(*arguments)
                except Exception:  # noqa: BLE001 - a defect of the instrument's, whatever it is
                    self._drop(instrument)

        return call_listeners

    def _subscribe(self) -> None:
        """Note which instruments override which method."""
        for event in EVENTS:
            default = getattr(Instrument, event)
            every = ((one, getattr(one, event)) for one in self._instruments)
            self._listeners[event] = tuple(
                (one, method)
                for one, method in every
                if getattr(method, "__func__", None) is not default
            )

    def _drop(self, instrument: Instrument) -> None:
        _LOG.exception("%r failed and is not called any more", instrument)
        # It may be dropped already, if it caused the same event again and failed there, too.
        self._instruments = [one for one in self._instruments if one is not instrument]
        self._subscribe()
