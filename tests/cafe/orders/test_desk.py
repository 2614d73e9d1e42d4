"""The desk: whoever waits there does not notice that an actor behind it has crashed."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from actors import ActorCrashed
from cafe.orders import archive
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import PlaceOrder
from tests.cafe.ledger.fakes import Disk, MemoryStore
from tests.cafe.orders.counter import REGULAR, open_counter, settled, waiting_customers

pytestmark = pytest.mark.schedules


async def test_a_customer_who_loses_two_dispatchers_still_has_one_order() -> None:
    async with open_counter(disk=Disk(1)) as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        await trio.sleep(0.5)
        await counter.crash()  # the order is lost, and placed again
        await trio.sleep(10)
        await counter.crash()  # it is in the ledger now
        await counter.finish(await counter.claimed())
        assert await counter.start() is None
        assert customer.got is not None
        assert len(counter.store.orders) == 1


async def test_a_customer_who_came_twice_with_his_key_gets_one_coffee_despite_a_crash() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2, key="k")
        claim = await counter.claimed()
        counter.store.mute = 1  # so that the courier asks again, in a quarter of a second
        nursery.start_soon(counter.finish, claim)
        await trio.sleep(0.1)
        assert counter.store.orders[claim.order.order_id].status == "delivered"
        await counter.crash()
        await trio.sleep(1)
        assert [customer.got.order.number for customer in customers if customer.got] == [1, 1]
        assert len(counter.store.orders) == 1


async def test_a_key_is_read_again_where_the_ledger_knows_less_than_the_book_has_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "MOST_RECENT", 1)
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await counter.order(key="k", hold=0)
        claim = await counter.claimed()
        leavers = await waiting_customers(counter, nursery, 3)
        counter.disk.seconds = 1
        leavers.pop().hang_up()
        await settled()  # this is on its way to the disk, and what follows is not
        nursery.start_soon(counter.finish, claim)
        await settled()
        for leaver in leavers:
            leaver.hang_up()
        await settled()
        collected = await counter.order(key="k", hold=0)
        assert collected.order.order_id == claim.order.order_id


async def test_a_finish_is_told_again_where_the_ledger_knows_less_than_the_book_has_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "MOST_RECENT", 1)
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await counter.order(key="k", hold=0)
        claim = await counter.claimed()
        leavers = await waiting_customers(counter, nursery, 3)
        counter.disk.seconds = 1
        leavers.pop().hang_up()
        await settled()
        nursery.start_soon(counter.finish, claim)
        await settled()
        for leaver in leavers:
            leaver.hang_up()
        await settled()
        assert (await counter.finish(claim)).order_id == claim.order.order_id


async def test_an_order_whose_customer_does_not_come_back_after_a_crash_is_abandoned() -> None:
    async with open_counter(Rules(return_seconds=10)) as counter, trio.open_nursery() as nursery:
        # Not at the desk: nobody asks again for him.
        async def loses_heart() -> None:
            with suppress(ActorCrashed):
                await counter.ref.ask(PlaceOrder("americano", None, REGULAR, 400))

        nursery.start_soon(loses_heart)
        await settled()
        [stays] = await waiting_customers(counter, nursery, 1)
        await counter.crash()
        await trio.sleep(9)
        [lost, kept] = counter.store.orders.values()
        assert (lost.status, kept.status) == ("waiting", "waiting")
        await trio.sleep(2)
        assert counter.store.orders[lost.order_id].status == "cancelled"
        assert (await counter.claimed()).order.order_id == kept.order_id
        stays.hang_up()


async def test_a_new_process_abandons_at_once_what_nobody_can_come_back_for() -> None:
    store = MemoryStore()
    async with open_counter(store=store) as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 1)
        await counter.order(key="k", hold=0)
        left = store.survivor()
        nursery.cancel_scope.cancel()
    async with open_counter(store=left) as counter:
        assert (await counter.claimed()).order.key == "k"
        assert await counter.start() is None
