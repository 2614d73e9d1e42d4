"""An account's Idempotency-Key leads to its basket, wherever that is, and to none of others."""

from __future__ import annotations

import pytest
import trio

from cafe.orders import dispatcher
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CancelOrder, Standing
from cafe.orders.order import Status
from cafe.orders.refusals import KeyReused
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.ledger.order_histories import DONUT, LATTE, basket
from tests.cafe.orders.counter import open_counter
from tests.cafe.orders.test_desk import forget_all_but_one

pytestmark = pytest.mark.schedules(5)
PAID = basket(prepaid=True)


async def test_fifty_baskets_at_once_with_one_key_are_one_order() -> None:
    async with open_counter(disk=Disk(0.01)) as counter, trio.open_nursery() as nursery:
        got: list[tuple[Standing, bool]] = []

        async def place() -> None:
            got.append(await counter.order_basket(key="k"))

        for _ in range(50):
            nursery.start_soon(place)
        await trio.sleep(1)
        assert len(got) == 50
        assert {standing.order.number for standing, _ in got} == {1}
        assert [is_new for _, is_new in got].count(True) == 1
        assert len(counter.store.orders) == 1


async def test_a_key_belongs_to_its_account_and_to_no_address() -> None:
    async with open_counter() as counter:
        first = await counter.placed(key="k")
        same, is_new = await counter.order_basket(key="k", address="192.0.2.9")
        assert (same.order, is_new) == (first, False)
        other = await counter.placed(basket(account="bo"), key="k")
        plain = await counter.order(key="k", hold=0)
        assert [first.number, other.number, plain.order.number] == [1, 2, 3]
        assert (await counter.order(key="k", hold=0)).order.number == 3
        assert counter.store.broken_promises() == []


async def test_a_key_with_another_basket_is_refused_wherever_its_order_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    async with open_counter() as counter:
        placed = await counter.placed(key="k")
        other = basket(DONUT)
        for _ in range(2):
            with pytest.raises(KeyReused):
                await counter.order_basket(other, key="k")
            with pytest.raises(KeyReused):
                await counter.desk.find_placed("ada", "k", other.fingerprint)
            await counter.desk.cancel(CancelOrder(placed.order_id))
            await forget_all_but_one(counter)


async def test_the_same_key_and_fingerprint_are_the_same_order_though_prices_have_changed() -> None:
    async with open_counter() as counter:
        placed = await counter.placed(key="k")
        dearer = basket(LATTE._replace(unit_price_cents=999))
        dearer = dearer._replace(fingerprint=basket().fingerprint)
        again, is_new = await counter.order_basket(dearer, key="k")
        assert (again.order, is_new) == (placed, False)


async def test_a_key_is_found_before_anything_is_placed_in_memory_and_in_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    store, wanted = FaultyStore(), basket().fingerprint
    async with open_counter(store=store) as counter:
        assert await counter.desk.find_placed("ada", "k", wanted) is None
        placed = await counter.placed(key="k")
        found = await counter.desk.find_placed("ada", "k", wanted)
        assert found is not None
        assert (found.order, found.position) == (placed, 1)
        assert await counter.desk.find_placed("bo", "k", wanted) is None
        await counter.finish(await counter.claimed())
    async with open_counter(store=store.survivor()) as counter:
        await forget_all_but_one(counter)
        found = await counter.desk.find_placed("ada", "k", wanted)
        assert found is not None
        assert (found.order.order_id, found.order.status) == (placed.order_id, Status.READY)
        assert found.order.basket == basket()
        again, is_new = await counter.order_basket(key="k")
        assert (again.order, is_new) == (found.order, False)


async def test_a_key_ends_with_its_time() -> None:
    async with open_counter(Rules(key_ttl_seconds=100)) as counter:
        placed = await counter.placed(key="k")
        await counter.desk.cancel(CancelOrder(placed.order_id))
        await trio.sleep(101)
        assert await counter.desk.find_placed("ada", "k", basket().fingerprint) is None
        assert (await counter.placed(key="k")).number == 2


async def test_a_cancelled_basket_keeps_its_key_also_after_a_restart() -> None:
    store = FaultyStore()
    async with open_counter(store=store) as counter:
        placed = await counter.placed(key="k")
        await counter.desk.cancel(CancelOrder(placed.order_id))
        again, is_new = await counter.order_basket(key="k")
        assert (again.order.status, is_new) == (Status.CANCELLED, False)
        assert store.broken_promises() == []
    async with open_counter(store=store.survivor()) as counter:
        again, is_new = await counter.order_basket(key="k")
        assert (again.order.status, is_new) == (Status.CANCELLED, False)
        # A plain order's key is free once it is cancelled.
        plain = await counter.order(key="k", hold=0)
        await counter.desk.cancel(CancelOrder(plain.order.order_id))
        assert (await counter.order(key="k", hold=0)).order.number == 3
