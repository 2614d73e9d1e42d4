"""Lists of baskets' orders: by account, by status, in pages, and never behind an answered write."""

from __future__ import annotations

import pytest
import trio

from cafe.orders import dispatcher
from cafe.orders.messages import CancelOrder, PlacedQuery, Standing
from cafe.orders.order import Status
from cafe.orders.refusals import UnknownOrder
from tests.cafe.ledger.fakes import Disk
from tests.cafe.ledger.order_histories import basket
from tests.cafe.orders.counter import Counter, open_counter
from tests.cafe.orders.test_desk import forget_all_but_one

pytestmark = pytest.mark.schedules(5)


async def numbers(counter: Counter, query: PlacedQuery) -> tuple[list[int], int | None]:
    page = await counter.desk.list_placed(query)
    return [one.order.number for one in page.standings], page.behind


async def test_an_account_s_orders_are_listed_the_newest_first_with_their_lines() -> None:
    async with open_counter() as counter:
        await counter.placed()
        await counter.order(hold=0)
        await counter.placed(basket(account="bo"))
        last = await counter.placed()
        page = await counter.desk.list_placed(PlacedQuery("ada"))
        assert [(one.order.number, one.position) for one in page.standings] == [(4, 4), (1, 1)]
        assert page.standings[0].order == last
        assert page.behind is None
        assert await numbers(counter, PlacedQuery()) == ([4, 3, 1], None)
        assert await numbers(counter, PlacedQuery("cy")) == ([], None)


async def test_orders_are_listed_by_one_status_or_several() -> None:
    async with open_counter() as counter:
        orders = [await counter.placed(basket(account=name)) for name in ("ada", "bo", "ada")]
        await counter.desk.cancel(CancelOrder(orders[0].order_id))
        await counter.claimed()
        waiting, cancelled = (Status.WAITING,), (Status.WAITING, Status.CANCELLED)
        assert await numbers(counter, PlacedQuery(statuses=waiting)) == ([3], None)
        assert await numbers(counter, PlacedQuery(statuses=cancelled)) == ([3, 1], None)
        assert await numbers(counter, PlacedQuery("ada", cancelled)) == ([3, 1], None)
        assert await numbers(counter, PlacedQuery("bo", cancelled)) == ([], None)


@pytest.mark.parametrize("account", [None, "ada"])
async def test_pages_go_on_behind_a_number_and_the_last_one_says_so(account: str | None) -> None:
    async with open_counter() as counter:
        for _ in range(7):
            await counter.placed()
        found: list[int] = []
        behind, pages = None, 0
        while pages == 0 or behind is not None:
            some, behind = await numbers(counter, PlacedQuery(account, behind=behind, most=3))
            found += some
            pages += 1
            await counter.placed()  # newer ones belong to no later page
        assert (found, pages) == ([7, 6, 5, 4, 3, 2, 1], 3)


async def test_a_list_is_never_stale_after_any_answered_write() -> None:
    async with open_counter(disk=Disk(0.01)) as counter:
        for number in range(1, 6):
            order = await counter.placed()
            assert (await numbers(counter, PlacedQuery("ada")))[0][0] == number
            for status in (Status.PREPARATION, Status.READY, Status.DELIVERED):
                await counter.move(order.order_id, status)
                page = await counter.desk.list_placed(PlacedQuery("ada", (status,)))
                assert page.standings[0].order.order_id == order.order_id
                assert page.standings[0].order.status is status


async def test_an_order_that_leaves_the_status_while_it_is_listed_is_not_shown_with_another() -> (
    None
):
    async with open_counter(disk=Disk(0.1)) as counter, trio.open_nursery() as nursery:
        placed = await counter.placed()
        seen: list[list[Standing]] = []

        async def list_waiting() -> None:
            page = await counter.desk.list_placed(PlacedQuery(statuses=(Status.WAITING,)))
            seen.append(page.standings)

        nursery.start_soon(list_waiting)
        await trio.sleep(0.05)
        await counter.move(placed.order_id, Status.PREPARATION)
        await trio.sleep(1)
        assert seen == [[]]


async def test_several_orders_are_found_in_the_given_order_wherever_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    async with open_counter() as counter:
        forgotten = await counter.placed()
        await counter.finish(await counter.claimed())
        await forget_all_but_one(counter)
        first, second = await counter.placed(), await counter.placed()
        ids = [second.order_id, counter.desk.ids.new(), forgotten.order_id, first.order_id]
        found = await counter.desk.find_many(ids)
        assert [one.order.number for one in found] == [6, 1, 5]
        assert [one.position for one in found] == [2, None, 1]
        assert found[1].order.status is Status.READY
        assert found[1].order.basket == forgotten.basket
        assert await counter.desk.find_many([]) == []


async def test_the_history_of_an_order_are_its_events() -> None:
    async with open_counter() as counter:
        placed = await counter.placed()
        await counter.placed()
        await counter.move(placed.order_id, Status.PREPARATION, "Di")
        history = await counter.desk.history(placed.order_id)
        assert [(one.position, one.event.action, one.event.by) for one in history] == [
            (1, "place", None),
            (3, "start", "Di"),
        ]
        assert [one.position for one in await counter.desk.history(placed.order_id, 1)] == [3]
        assert await counter.desk.history(counter.desk.ids.new()) == []
        with pytest.raises(UnknownOrder):
            await counter.desk.history("x")


async def test_an_order_is_shown_with_what_was_sold() -> None:
    async with open_counter() as counter:
        standing, _ = await counter.order_basket()
        shown = counter.desk.show(standing)
        assert (shown["total_cents"], shown["metadata"]) == (1060, {"table": "Zoë"})
        assert [(item["name"], item["total_cents"]) for item in shown["items"]] == [
            ("Latte", 860),
            ("Water", 0),
            ("Donuts", 200),
        ]
