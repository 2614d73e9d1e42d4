"""What can be said to the Ledger, and what it answers.

Rule: frozen values only. Other departments know the ledger, and its rows, through this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from actors import Message
from cafe.ledger.records import EventRow, OrderRow, Record, Snapshot
from cafe.refusals import CafeRefusal

if TYPE_CHECKING:
    from cafe.ledger.ledger import Ledger  # noqa: F401 - the owner that the messages name

__all__ = [
    "Commit",
    "CountGroups",
    "EventRow",
    "LedgerCounts",
    "LedgerUnavailable",
    "OrderRow",
    "OtherEpoch",
    "Ping",
    "ReadKey",
    "ReadOrder",
    "Record",
    "Snapshot",
    "Storing",
]


class Storing(Protocol):
    """What the Ledger needs of a store: `cafe.ledger.store` has the real one.

    Each call may block, and raises DatabaseGone where asking again may help.
    """

    def load(self) -> Snapshot:
        """Begin an epoch, and give what the shop goes on from."""
        ...

    def commit(self, epoch: int, records: Sequence[Record]) -> None:
        """Write all records or none; raises StaleEpoch if another epoch has begun."""
        ...

    def find(self, order_id: str) -> OrderRow | None:
        """Give an order by its id."""
        ...

    def find_by_key(self, address: str, key: str, since: float) -> OrderRow | None:
        """Give the order that an address placed with an Idempotency-Key, at `since` or later."""
        ...

    def ping(self) -> None:
        """Make sure that something could be written."""
        ...


class LedgerUnavailable(CafeRefusal):
    """The database cannot be written or read at the moment; nothing was promised."""

    status = 503
    told = ("reason",)
    reason = "ledger"
    retry_after = 5.0

    def __init__(self) -> None:
        super().__init__("The shop cannot write anything down at the moment; come back soon.")


class OtherEpoch(CafeRefusal):
    """The records are of a Dispatcher that is no more; what they say never happened."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The shop has begun anew.")


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """What the Ledger has written since it was started; a group is one transaction."""

    groups: int
    records: int


@dataclass(frozen=True, slots=True)
class Commit(Message["Ledger", None]):
    """Write a group of records; answered when they are on disk, all of them.

    Refused with LedgerUnavailable: then none is, or all are, and the same group may be sent again.
    Refused with OtherEpoch: never to be sent again.
    """

    epoch: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class ReadOrder(Message["Ledger", OrderRow | None]):
    """Look an order up."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ReadKey(Message["Ledger", OrderRow | None]):
    """Look up the order of an Idempotency-Key."""

    address: str
    key: str


@dataclass(frozen=True, slots=True)
class Ping(Message["Ledger", None]):
    """Make sure that the database answers; refused with LedgerUnavailable."""


@dataclass(frozen=True, slots=True)
class CountGroups(Message["Ledger", LedgerCounts]):
    """Tell how much was written."""
