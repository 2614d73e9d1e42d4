"""A front that closes: who is answered, how, and what is left in the house."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cafe.http.refusals import ShopClosing
from cafe.orders.messages import (
    AwaitOrder,
)
from cafe.orders.refusals import OrderCancelled, UnknownOrder
from tests.cafe.ledger.order_histories import Tickets, cancel
from tests.cafe.orders.front_on_paper import front, new_order, stands

pytestmark = pytest.mark.schedules


async def test_what_ends_as_a_front_closes_is_answered_by_its_end() -> None:
    order = new_order()
    async with front() as here:
        client = await here.awaited(order)
        here.closing.begin(retry_after=4)
        answered: list[Any] = []

        async def close() -> None:
            here.house.commit(cancel(order))
            answered.append(await here.dispatcher.close())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close)
            (await here.house.next()).reply(0)
        assert answered == [{"customers_answered": 0}]
        assert isinstance(client.error, OrderCancelled)


async def test_a_front_that_closes_counts_customers_and_not_those_who_look() -> None:
    tickets = Tickets()
    mine, seen = tickets.place(key="k").order, tickets.place().order
    async with front() as here:
        clients = [await here.awaited(mine)]
        for _ in range(2):
            clients.append(here.ask(AwaitOrder(mine.order_id)))
            (await here.house.next()).reply({mine.order_id: stands(mine)})
        looking = here.ask(AwaitOrder(seen.order_id, collects=False))
        (await here.house.next()).reply(stands(seen))
        await wait_all_tasks_blocked()
        here.closing.begin(retry_after=4)
        answered: list[Any] = []

        async def close() -> None:
            answered.append(await here.dispatcher.close())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close)
            (await here.house.next()).reply(0)
        assert answered == [{"customers_answered": 3}]
        assert [type(client.error) for client in clients] == [ShopClosing] * 3
        assert isinstance(looking.error, UnknownOrder)
        here.house.tells.clear()
        late = here.ask(AwaitOrder(mine.order_id))
        looker = here.ask(AwaitOrder(seen.order_id, collects=False))
        await wait_all_tasks_blocked()
        assert isinstance(late.error, ShopClosing)
        assert isinstance(looker.error, UnknownOrder)
        [left] = here.house.tells
        assert (left.order_id, left.hangs_up) == (mine.order_id, True)
