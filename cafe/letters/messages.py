"""The messages of the Mailer.

Rule: frozen values only. An event has its position, and an attempt its number: so each message can
be retried after a crash, and takes effect once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Message
from cafe.letters.letter import Attempt, Written

if TYPE_CHECKING:
    # Exported: the type of a ref.
    from cafe.letters.mailer import Mailer as Mailer  # noqa: PLC0414 - see above


@dataclass(frozen=True, slots=True)
class Follow(Message["Mailer", None]):
    """Add the letters about events, each once; answered when they are committed."""

    letters: tuple[Written, ...]
    position: int
    """The position of the last event that was read."""


@dataclass(frozen=True, slots=True)
class Record(Message["Mailer", None]):
    """Record attempts, each once; answered when they are committed."""

    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Retry(Message["Mailer", None]):
    """Attempt a letter again, at once; answered when that is committed."""

    letter_id: str


@dataclass(frozen=True, slots=True)
class CheckIn(Message["Mailer", None]):
    """Answered when the Mailer has handled all earlier messages."""
