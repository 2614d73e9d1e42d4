"""Pages of orders with their payments: of one customer, and of all for managers.

Rule: the newest first, and never stale: what was committed before a page is asked for is on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final, NamedTuple

from fastapi import Query

from cafe.http.schema import QueryInteger
from cafe.ledger.retries import ledger_time_out
from cafe.orders.messages import PlacedQuery
from cafe.orders.messages import Status as OrderStatus
from cafe.payments.payment import Payment, Status
from cafe.payments.queries import list_by_status
from cafe.payments.till import Ordered, Till

MOST_LISTED: Final = 100
MOST_LOOKS: Final = 10
"""Reads of payments in search of orders of a status; after these, a page may be shorter."""

Limit = Annotated[
    QueryInteger, Query(ge=1, le=MOST_LISTED, description="How many orders, at most.")
]
ByStatus = Annotated[OrderStatus | None, Query(description="Only orders that stand so.")]
ByPayment = Annotated[Status | None, Query(description="Only orders whose payment stands so.")]


class Page(NamedTuple):
    """Some orders."""

    orders: list[Ordered]
    behind: int | None
    """The ticket number after which the next page begins; None on the last one."""


async def list_orders(till: Till, query: PlacedQuery) -> Page:
    """Return a page of orders."""
    page = await till.desk.list_placed(query)
    return Page(await till.with_payments(page.standings), page.behind)


async def list_paid(
    till: Till, payment: Status, status: OrderStatus | None, behind: int | None, most: int
) -> Page:
    """Return a page of orders by the status of their payment, and by their own unless None."""
    found: list[Ordered] = []
    for _ in range(MOST_LOOKS):
        wanted = most - len(found)
        payments = await read_payments(till, payment, behind, wanted + 1)
        part = payments[:wanted]
        standings = await till.desk.find_many([one.order_id for one in part])
        charges = {one.order_id: one.charge_status for one in part}
        found += [
            Ordered(one, payment, False, charges[one.order.order_id])
            for one in standings
            if status in {None, one.order.status}
        ]
        if len(payments) <= wanted:
            return Page(found, None)
        behind = part[-1].number
        if len(found) >= most:
            break
    return Page(found, behind)


async def read_payments(
    till: Till, status: Status, behind: int | None, most: int
) -> Sequence[Payment]:
    """Return payments of a status, once the log is followed."""
    query = partial(list_by_status, status=status.value, behind=behind, most=most)
    with ledger_time_out():
        await till.followed.wait(till.ledger.statistics().position)
        return await till.ledger.read(query)
