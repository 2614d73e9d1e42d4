"""What ended long ago is deleted; the log goes on, and what lives or is remembered stays."""

from __future__ import annotations

from functools import partial

import pytest
import structlog.testing
import trio
from sqlalchemy import Connection, func, select

from cafe.ledger import log
from cafe.ledger.tables import events, prunings
from cafe.orders.department import ORDERS
from cafe.orders.messages import CancelOrder
from cafe.orders.queries import drop_expired_keys
from cafe.orders.tables import keys, orders
from cafe.shop.housekeeping import DAY, PRUNE_SECONDS, keep_house
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import Counter, open_counter

NOON = 1_795_000_000.0
KEEP = (
    "CREATE TRIGGER keep BEFORE DELETE ON orders BEGIN SELECT RAISE(ABORT, 'orders are kept'); END"
)

pytestmark = pytest.mark.schedules(3)


class Calendar:
    """A clock on which days pass at once."""

    def __init__(self) -> None:
        self.days = 0.0

    def __call__(self) -> float:
        return NOON + self.days * DAY + trio.current_time()


async def end_orders(counter: Counter, number: int) -> None:
    """Have orders brewed and collected, and as many cancelled."""
    for one in range(number):
        await counter.order(key=f"k{one}-{counter.ledger.now()}", hold=0)
        await counter.finish(await counter.claimed())
        gone = await counter.order(hold=0)
        await counter.desk.cancel(CancelOrder(gone.order.order_id))


def count(store: FaultyStore) -> tuple[int, int, int]:
    """Count the orders, their events and their keys."""

    def counted(connection: Connection) -> tuple[int, int, int]:
        one, two, three = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (orders, events, keys)
        )
        return one, two, three

    return store.read(counted)


async def test_what_ended_before_a_time_is_deleted_with_its_events_and_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log, "MOST_SUBJECTS", 3)
    noon = Calendar()
    async with open_counter(clock=noon) as counter:
        live = await counter.order(key="live", hold=0)
        await counter.claimed()
        await end_orders(counter, 5)
        noon.days += 10
        await trio.sleep(200)  # the lease of the live one runs out
        await end_orders(counter, 2)
        # The claim has expired meanwhile, so the oldest order is claimed and finished first.
        assert await counter.ledger.prune(ORDERS, noon() - 5 * DAY, (ORDERS,)) >= 9
        assert live.order.order_id in counter.store.orders
        assert count(counter.store)[0] <= 6
        assert counter.store.broken_promises() == []
        assert await counter.ledger.prune(ORDERS, noon() - 5 * DAY, (ORDERS,)) == 0


async def test_numbers_and_positions_go_on_after_everything_was_pruned() -> None:
    noon = Calendar()
    async with open_counter(clock=noon) as counter:
        await end_orders(counter, 4)
        noon.days += 500
        await counter.ledger.prune(ORDERS, noon() - 400 * DAY, (ORDERS,))
        assert count(counter.store) == (1, 2, 0)
        left = counter.store.survivor()
    async with open_counter(store=left, clock=noon) as counter:
        placed = await counter.order(hold=0)
        assert placed.order.number == 9
        assert left.logged[-1].position == 21
        assert left.broken_promises() == []
        pruned = left.read(lambda connection: connection.execute(select(prunings.c.through)).all())
        assert pruned == [(18,)]


async def test_a_pruned_order_is_unknown() -> None:
    noon = Calendar()
    async with open_counter(clock=noon) as counter:
        first = await counter.order(hold=0)
        await counter.desk.cancel(CancelOrder(first.order.order_id))
        await counter.order(hold=0)
        noon.days += 500
        assert await counter.ledger.prune(ORDERS, noon() - 400 * DAY, (ORDERS,)) == 1
        assert counter.store.find(first.order.order_id) is None


async def test_keys_are_dropped_when_they_are_remembered_no_longer() -> None:
    noon = Calendar()
    async with open_counter(clock=noon) as counter:
        await counter.order(key="ended", hold=0)
        await counter.finish(await counter.claimed())
        await counter.order(key="live", hold=0)
        noon.days += 2
        expired = partial(drop_expired_keys, placed_before=noon() - DAY)
        assert await counter.ledger.maintain(expired) == 1
        assert count(counter.store)[2] == 1
        assert counter.store.broken_promises() == []


async def test_what_the_database_refuses_to_delete_does_not_end_the_shop() -> None:
    noon = Calendar()
    async with open_counter(clock=noon) as counter, trio.open_nursery() as nursery:
        await end_orders(counter, 3)
        with counter.store.link.transaction(writing=True) as connection:
            connection.exec_driver_sql(KEEP)
        nursery.start_soon(keep_house, counter.ledger, 2.0, (ORDERS,), ())
        noon.days += 10
        with structlog.testing.capture_logs() as logs:
            await trio.sleep(PRUNE_SECONDS + 60)
        assert [line["detail"] for line in logs if line["event"] == "not pruned"] == [
            "The database refuses a statement: orders are kept."
        ]
        with counter.store.link.transaction(writing=True) as connection:
            connection.exec_driver_sql("DROP TRIGGER keep")
        await trio.sleep(PRUNE_SECONDS)
        assert count(counter.store)[0] == 1
        nursery.cancel_scope.cancel()


async def test_the_shop_prunes_by_itself() -> None:
    noon = Calendar()
    async with open_counter(clock=noon) as counter, trio.open_nursery() as nursery:
        await end_orders(counter, 3)
        nursery.start_soon(keep_house, counter.ledger, 2.0, (ORDERS,), ())
        noon.days += 1.9
        await trio.sleep(PRUNE_SECONDS + 60)
        assert count(counter.store)[0] == 6
        noon.days += 0.2
        await trio.sleep(PRUNE_SECONDS)
        assert count(counter.store)[0] == 1
        nursery.cancel_scope.cancel()
