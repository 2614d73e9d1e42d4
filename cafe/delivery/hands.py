"""Whose screen of couriers a committed change concerns: by accounts, as they sign in.

Rule: a follower is told of committed changes only; it never waits and never fails. It keeps
who has which delivery in hand, because a row that takes a delivery away does not say who had it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
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
    """What the rows say."""

    accounts: dict[str, str]
    """By courier, of those that are not retired."""
    held_by: dict[str, str]
    """By order, the courier who carries it."""


class Hands:
    """The accounts of couriers, and what each has in hand."""

    def __init__(self, accounts: dict[str, str], held_by: dict[str, str]) -> None:
        """Begin with the accounts by courier, and the couriers by the order that they carry."""
        self._accounts = accounts
        self._held_by = held_by
        self._callbacks: list[Callable[[AbstractSet[str]], object]] = []
        self._meanwhile: list[Logged] | None = None
        """What was heard since a load began; None while none runs."""

    async def load(self, read: Callable[[], Awaitable[InHand]]) -> None:
        """Begin again with what `read` returns, since changes were missed: none knows whose.

        One load runs at a time.
        """
        meanwhile = self._meanwhile = list[Logged]()
        try:
            self._accounts, self._held_by = await read()
        finally:
            self._meanwhile = None
        self._take_in(meanwhile)
        self._call_back(set(self._accounts.values()))

    def listen(self, callback: Callable[[AbstractSet[str]], object]) -> None:
        """Call back with the accounts of the couriers whose duty or delivery has changed."""
        self._callbacks.append(callback)

    def hear(self, logged: Sequence[Logged]) -> None:
        """Take in committed changes; a follower for `Ledger.listen`."""
        ours = [one for one in logged if one.department == "delivery"]
        if self._meanwhile is not None:
            self._meanwhile += ours
        found = self._take_in(ours)
        self._call_back({self._accounts[one] for one in found if one in self._accounts})

    def _take_in(self, logged: Sequence[Logged]) -> set[str]:
        """Return whose duty or delivery these have changed."""
        found: set[str] = set()
        for one in logged:
            for change in one.changes:
                if isinstance(change, Put):
                    found.update(self._couriers_of(change))
        return found

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


def load_hands(connection: Connection) -> Hands:
    """Return the couriers with accounts, and what they carry."""
    return Hands(*read_hands(connection))


def read_hands(connection: Connection) -> InHand:
    """Return the couriers with accounts, and what they carry, as values."""
    known = select(couriers.c.courier_id, couriers.c.account_id).where(
        text(NOT_RETIRED), couriers.c.account_id.is_not(None)
    )
    carried = select(deliveries.c.order_id, deliveries.c.courier_id).where(text(IS_CARRIED))
    return InHand(
        {row[0]: row[1] for row in connection.execute(known)},
        {row[0]: row[1] for row in connection.execute(carried)},
    )
