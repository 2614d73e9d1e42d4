"""Customers wait while machines fail: which orders are abandoned, and what boards show."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from tests.machines.site import Site
from tests.system.api import Crew, brew, crowd, order, read_all
from tests.system.history import read
from tests.system.raw_client import Answer
from tests.system.shop import Line, Shop
from tests.system.streaming import following
from tests.system.test_events import are_through, positions, positions_in
from tests.system.until import until_asked

pytestmark = [pytest.mark.once, pytest.mark.slow]

HERE, THERE = ["127.7.0.1"] * 4, ["127.7.0.2"] * 4


async def statuses(site: Site, address: str, wanted: list[str]) -> None:
    """Wait until the newest orders of an address have these statuses in the ledger."""

    async def are_so() -> bool:
        history = await trio.to_thread.run_sync(read, site.database_url)
        rows = [history.orders[one] for one in history.placed]
        found = [one.status for one in rows if one.address == address]
        return found[-len(wanted) :] == wanted

    await until_asked(are_so)


async def serve_all(shop: Shop, streams: list[trio.SocketStream]) -> list[Answer]:
    """Brew until no order waits; return the answers to the customers."""
    crew = Crew(shop)
    await crew.work(baristas=3)
    return await read_all(streams)


async def test_no_order_is_abandoned_when_the_owner_is_killed_while_its_customer_waits(
    site: Site,
) -> None:
    await site.open()
    first, second = (front.shop for front in site.fronts)
    async with crowd(first, HERE) as here, crowd(second, THERE) as there:
        for address in (HERE[0], THERE[0]):
            await statuses(site, address, ["waiting"] * 4)
        owner = await site.owner()
        owner.kill()
        await site.owner(but=owner)
        # At another front than that of half of them.
        answers = await serve_all(second, here + there)
    assert [one.status for one in answers] == [200] * 8
    for address in (HERE[0], THERE[0]):
        await statuses(site, address, ["delivered"] * 4)


async def test_only_the_orders_of_a_front_that_died_are_abandoned(site: Site) -> None:
    await site.open()
    doomed, other = site.fronts
    async with crowd(doomed.shop, HERE), crowd(other.shop, THERE) as there:
        async with doomed.shop.customers(HERE[0]) as customer:
            await statuses(site, HERE[0], ["waiting"] * 4)
            kept = await order(customer)  # collected later, at any front
        await statuses(site, THERE[0], ["waiting"] * 4)
        doomed.kill()
        await statuses(site, HERE[0], ["cancelled"] * 4 + ["waiting"])
        answers = await serve_all(other.shop, there)
    assert [one.status for one in answers] == [200] * 4
    async with other.shop.customers(HERE[0]) as customer:
        looked = await customer.get(f"/order/{kept['order_id']}")
    assert looked.json()["status"] == "ready"


async def test_the_house_cancels_orders_whose_customers_disconnect_from_a_front(
    site: Site,
) -> None:
    await site.open()
    async with crowd(site.fronts[0].shop, HERE):
        await statuses(site, HERE[0], ["waiting"] * 4)
    await statuses(site, HERE[0], ["cancelled"] * 4)


async def test_events_at_every_front_go_on_without_a_gap_after_the_owner_is_killed(
    site: Site,
) -> None:
    await site.open()
    begin = max(positions_in(site.database_url), default=0)
    first, second = (front.shop for front in site.fronts)
    async with (
        first.customers(HERE[0]) as customer,
        first.baristas() as here,
        second.baristas() as there,
    ):
        before = await order(customer)
        async with (
            following(customer, f"?order={before['order_id']}") as board,
            following(here, last=begin) as one,
            following(there, last=begin) as other,
        ):
            await board.newest("order", partial(stands, before, "waiting"))
            owner = await site.owner()
            owner.kill()
            await site.owner(but=owner)
            after = await order(customer)
            for placed in (before, after):
                assert (await brew(there))["order_id"] == placed["order_id"]
            await board.newest("order", partial(stands, before, "ready"))
            await board.newest("board", partial(shows_ready, after["number"]))
            wanted = positions_in(site.database_url, begin)
            for stream in (one, other):
                messages = await stream.until(partial(are_through, wanted[-1]))
                assert positions(messages) == wanted
            assert not any(stream.has_ended for stream in (board, one, other))


def stands(placed: Line, status: str, shown: Line) -> bool:
    """Return whether an order is shown with a status."""
    return (shown["order_id"], shown["status"]) == (placed["order_id"], status)


def shows_ready(number: int, board: Line) -> bool:
    """Return whether a board lists a number as ready."""
    return number in [one["number"] for one in board["ready"]]
