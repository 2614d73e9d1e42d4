"""Which couriers' screens a committed change concerns, by the accounts that sign in.

Rule: a follower gets committed changes only; it never waits and never fails. It keeps which courier
has which delivery in hand, because a row that takes a delivery away does not have its courier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from sqlalchemy import Connection, select, text

from cafe.delivery.delivery import CARRIED
from cafe.delivery.tables import IS_CARRIED, NOT_RETIRED, couriers, deliveries
from cafe.ledger.department import Logged, Put

COURIER_ID, ACCOUNT_ID = map(list(couriers.c).index, (couriers.c.courier_id, couriers.c.account_id))
ORDER_ID, HELD_BY, STATUS = map(
    list(deliveries.c).index,
    (deliveries.c.order_id, deliveries.c.courier_id, deliveries.c.status),
)
IN_HAND = frozenset(one.value for one in CARRIED)


class InHand(NamedTuple):
    """The accounts of couriers, and what they carry, as read from the tables."""

    accounts: dict[str, str]
    """By courier, except retired ones."""
    held_by: dict[str, str]
    """By order: the courier that carries it."""


class Hands:
    """The accounts of couriers, and what each has in hand."""

    def __init__(self) -> None:
        """Begin with no couriers."""
        self._accounts: dict[str, str] = {}
        self._held_by: dict[str, str] = {}
        self._callbacks: list[Callable[[AbstractSet[str]], object]] = []

    def begin(self, loaded: InHand) -> None:
        """Start from what was loaded, and call back with all accounts: any may have changed."""
        self._accounts, self._held_by = loaded
        self._call_back(set(self._accounts.values()))

    def listen(self, callback: Callable[[AbstractSet[str]], object]) -> None:
        """Call `callback` with the accounts of couriers whenever their duty or delivery changes."""
        self._callbacks.append(callback)

    def hear(self, logged: Sequence[Logged]) -> None:
        """Apply committed changes, and call back; a follower for `Ledger.listen`."""
        found: set[str] = set()
        for one in logged:
            if one.department == "delivery":
                for change in one.changes:
                    if isinstance(change, Put):
                        found.update(self._couriers_of(change))
        self._call_back({self._accounts[one] for one in found if one in self._accounts})

    def _call_back(self, accounts: AbstractSet[str]) -> None:
        if accounts:
            for callback in self._callbacks:
                callback(accounts)

    def _couriers_of(self, change: Put) -> set[str]:
        row = change.row
        if change.table is couriers:
            if row[ACCOUNT_ID] is not None:
                self._accounts[row[COURIER_ID]] = row[ACCOUNT_ID]
            return {row[COURIER_ID]}
        if change.table is not deliveries:
            return set()
        had, has = self._held_by.pop(row[ORDER_ID], None), row[HELD_BY]
        if has is not None and row[STATUS] in IN_HAND:
            self._held_by[row[ORDER_ID]] = has
        return {one for one in (had, has) if one is not None}


def read_hands(connection: Connection) -> InHand:
    """Return the couriers with accounts, and what they carry."""
    known = select(couriers.c.courier_id, couriers.c.account_id).where(
        text(NOT_RETIRED), couriers.c.account_id.is_not(None)
    )
    carried = select(deliveries.c.order_id, deliveries.c.courier_id).where(text(IS_CARRIED))
    return InHand(
        {row[0]: row[1] for row in connection.execute(known)},
        {row[0]: row[1] for row in connection.execute(carried)},
    )
