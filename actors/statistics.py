"""ActorStatistics: what can be seen of an actor from outside, and the counts behind it."""

from dataclasses import dataclass
from typing import Literal

ActorState = Literal["running", "restarting", "stopping", "stopped"]
"""Restarting: the instance has crashed, and the next waits for backoff, group or factory."""


@dataclass(frozen=True, slots=True)
class ActorStatistics:
    """One actor at one moment."""

    name: str
    state: ActorState
    queued: int
    """Messages in the mailbox."""
    mailbox: int
    """Messages that the mailbox has room for."""
    handled: int
    """Messages whose turn ended well; a deferred one counts when its duty was taken on."""
    refused: int
    """Messages answered with a Refusal."""
    skipped: int
    """Messages whose asker had gone before the answer."""
    crashed: int
    restarts: int
    busy_since: float | None
    """The trio time at which the present async handler, or factory of a restart, began."""


@dataclass(slots=True)
class Counts:
    """What an actor has done so far, through all its restarts."""

    handled: int = 0
    refused: int = 0
    skipped: int = 0
    crashed: int = 0
    restarts: int = 0
