"""The counter's routes know no order of a basket: it has an owner, and they ask for none."""

from __future__ import annotations

import pytest
import trio

from cafe.orders.customer_api import cancel_plain, find_plain
from cafe.orders.order import Status
from cafe.orders.refusals import UnknownOrder
from tests.cafe.orders.counter import open_counter

pytestmark = pytest.mark.schedules(5)


async def test_an_order_of_a_basket_is_neither_shown_nor_cancelled_to_who_knows_its_id() -> None:
    async with open_counter() as counter:
        placed = await counter.placed()
        began = trio.current_time()
        for hold in (0.0, 60.0):
            with pytest.raises(UnknownOrder):
                await find_plain(counter.desk, placed.order_id, hold)
        with pytest.raises(UnknownOrder):
            await cancel_plain(counter.desk, placed.order_id)
        assert trio.current_time() == began, "and nothing is waited for"
        assert counter.store.orders[placed.order_id].status is Status.WAITING


async def test_a_plain_order_is_shown_waited_for_and_cancelled_as_ever() -> None:
    async with open_counter() as counter:
        order_id = (await counter.order(hold=0)).order.order_id
        began = trio.current_time()
        assert (await find_plain(counter.desk, order_id, 30)).order.status is Status.WAITING
        assert trio.current_time() - began == pytest.approx(30)
        cancelled = await cancel_plain(counter.desk, order_id)
        assert cancelled.order.status is Status.CANCELLED
        assert (await find_plain(counter.desk, order_id, 30)).order.status is Status.CANCELLED
