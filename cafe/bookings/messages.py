"""The messages of the Bookings actor, and their answers.

Rule: frozen values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from actors import Message

if TYPE_CHECKING:
    from cafe.bookings.bookings import Bookings as Bookings  # noqa: PLC0414 - exported


class Facts(NamedTuple):
    """What a letter about a booking tells; none of it changes while the booking is open."""

    booking_id: str
    email: str | None
    """None for a guest who gave a telephone number only."""
    name: str | None
    table: str
    """In words: its type and seats."""
    party: int
    starts_at: float
    ends_at: float
    token: str
    """Proves that its bearer may see and cancel the booking; it is in the letters' link."""


@dataclass(frozen=True, slots=True)
class FindFacts(Message["Bookings", dict[str, Facts]]):
    """Look up what letters tell of some bookings; unknown ones are left out."""

    booking_ids: tuple[str, ...]
