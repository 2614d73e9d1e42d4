"""What the ledger keeps of orders, as plain values: one row each.

Rule: a record is whole. It holds the order as it is after a change, so that whoever reads the last
record of an order needs no other. Times are seconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class OrderRow(NamedTuple):
    """One order, as it stands; its fields are the columns of `orders`."""

    order_id: str
    number: int
    """The ticket number; numbers never repeat or go back."""
    drink: str
    name: str | None
    address: str
    placed_at: float
    key: str | None
    """The customer's Idempotency-Key."""
    bound: bool
    """Tied to its customer's connection, so that nobody can collect it without."""
    abandoned: bool
    """Its customer hung up during the brewing."""
    status: str
    barista: str | None
    started_at: float | None
    lease_expires_at: float | None
    lapsed: bool
    """A lease on it ran out, so a late finish still counts."""
    ended_at: float | None
    """When it became ready, or was cancelled."""


class EventRow(NamedTuple):
    """One transition; its fields are the columns of `order_events`, which only ever grows."""

    sequence: int
    """1, 2, 3 and so on over all orders: the order in which things happened."""
    order_id: str
    action: str
    before: str | None
    """The status before; None where a life begins."""
    after: str
    at: float
    by: str | None
    """The barista's name, where it was a barista's doing and he gave one."""
    reason: str | None
    """Why it happened, where the action does not say it."""


class Record(NamedTuple):
    """What is written of one transition."""

    event: EventRow
    order: OrderRow


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the shop goes on from when it starts."""

    epoch: int
    """Whose turn it is to write: a commit of an earlier epoch is refused."""
    last_sequence: int
    last_number: int
    live: tuple[OrderRow, ...]
    """Orders that wait or are being prepared, by number."""
    by_status: dict[str, int]
    """All orders ever placed, counted by where they stand."""
    brewing_seconds: tuple[float, ...]
    """How long the last coffees took to brew, oldest first; twenty at most."""
    last_at: float = 0.0
    """When the last event happened: nothing happens before it any more."""
