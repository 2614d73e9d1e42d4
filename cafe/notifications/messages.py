"""The messages of the Notifier.

Rule: frozen values only. An event has its position, and an attempt its number: so each message can
be retried after a crash, and takes effect once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Message
from cafe.ledger.department import Logged
from cafe.notifications.notification import Attempt, Notification, Topic

if TYPE_CHECKING:
    # Exported: the type of a ref.
    from cafe.notifications.notifier import Notifier as Notifier  # noqa: PLC0414 - see above


@dataclass(frozen=True, slots=True)
class Begin(Message["Notifier", int]):
    """Store which topics this shop follows; answered with the position to follow them from."""

    topics: frozenset[Topic]
    since: int
    """The log's last position when this shop was opened, from which a topic is followed that was
    not followed before."""


@dataclass(frozen=True, slots=True)
class Follow(Message["Notifier", None]):
    """Apply events of the log, each once; answered when their effects are committed."""

    batch: tuple[Logged, ...]


@dataclass(frozen=True, slots=True)
class Record(Message["Notifier", None]):
    """Record attempts, each once; answered when they are committed."""

    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Retry(Message["Notifier", Notification]):
    """Attempt a notification again, at once; answered when that is committed."""

    event_id: str


@dataclass(frozen=True, slots=True)
class CheckIn(Message["Notifier", None]):
    """Answered when the Notifier has handled all earlier messages."""
