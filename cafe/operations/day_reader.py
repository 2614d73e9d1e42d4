"""Reads the figures of a day from the ledger of a shop that runs, page by page.

Rule: it delays no one for long: other reads are answered between two pages, and only the times of
the orders are kept. So the figures are not of a single moment: each order counts as it was when its
page was read.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from functools import partial
from typing import Final, NamedTuple

import trio
from sqlalchemy import Connection, and_, or_, select

from cafe.ledger.retries import ledger_time_out
from cafe.ledger.tables import events
from cafe.ledger.view import LedgerView
from cafe.operations.figures import Day, Hours, Tally, local
from cafe.orders.order import NO_ADDRESS
from cafe.orders.queries import AT_ONCE, History, Step, read_orders
from cafe.orders.tables import orders

PAGE: Final = AT_ONCE
"""The orders of a page: as many as one statement reads the lines of."""


class Place(NamedTuple):
    """The order after which a page begins: when it was placed, and its number."""

    placed_at: float
    number: int = 0


class DayReader:
    """Reads one day at a time; concurrent calls wait for each other."""

    def __init__(self, ledger: LedgerView, page: int = PAGE) -> None:
        """Read at most `page` orders at once."""
        self._ledger = ledger
        self._page = page
        self._reading = trio.Lock()

    async def read(self, hours: Hours) -> Day:
        """Return the figures of the orders that were placed within these hours.

        Raises LedgerUnavailable.
        """
        async with self._reading:
            tally, behind, is_last = Tally(hours), Place(hours.since), False
            while not is_last:
                query = partial(read_page, until=hours.until, behind=behind, most=self._page)
                with ledger_time_out():
                    histories = await self._ledger.read(query)
                for history in histories:
                    tally.add(history)
                is_last = len(histories) < self._page
                if not is_last:
                    last = histories[-1].order
                    behind = Place(last.placed_at, last.number)
            return await trio.to_thread.run_sync(tally.day)

    def today(self) -> date:
        """Return the date in this machine's time zone."""
        return local(self._ledger.now()).date()


def read_page(connection: Connection, until: float, behind: Place, most: int) -> list[History]:
    """Return the next orders after a place that were placed before a time.

    Orders that staff published are left out: they were not brewed.
    """
    placed_at, number = behind
    page = (
        select(*orders.c)
        .where(
            orders.c.placed_at >= placed_at,  # for the index
            orders.c.placed_at < until,
            or_(
                orders.c.placed_at > placed_at,
                and_(orders.c.placed_at == placed_at, orders.c.number > number),
            ),
            orders.c.address != NO_ADDRESS,
        )
        .order_by(orders.c.placed_at, orders.c.number)
        .limit(most)
    )
    found = read_orders(connection, page)
    steps: defaultdict[str, list[Step]] = defaultdict(list)
    happened = (
        select(events.c.subject, events.c.action, events.c.by)
        .where(
            events.c.subject.in_([order.order_id for order in found]),
            events.c.department == "orders",
        )
        .order_by(events.c.position)
    )
    for order_id, action, by in connection.execute(happened):
        steps[order_id].append(Step(action, by))
    return [History(order, tuple(steps[order.order_id])) for order in found]
