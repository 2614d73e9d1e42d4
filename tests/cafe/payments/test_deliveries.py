"""Baskets that a courier brings: refused before the charge, kept over a kill, refunded."""

from __future__ import annotations

import pytest
import trio

from cafe.orders.messages import CancelOrder, Destination, KeyReused, MoveOrder
from cafe.orders.order import Status as OrderStatus
from cafe.payments.payment import Status
from cafe.payments.pricing import Delivery, Item
from cafe.payments.refusals import NotServed
from cafe.payments.till import Ordered
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.payments.rig import HARBOUR, LATTE, TO_HARBOUR, WATER, Rig, rigged, the_only
from tests.cafe.payments.world import Mood

pytestmark = pytest.mark.schedules(5)
THERE = Destination("harbour", "Harbour", "1 Quay Street")


async def ready(rig: Rig) -> Ordered:
    """Order a basket that a courier brings, and have it brewed."""
    ordered = await rig.order(delivery=TO_HARBOUR)
    for status in (OrderStatus.PREPARATION, OrderStatus.READY):
        await rig.till.desk.move(MoveOrder(ordered.standing.order.order_id, status))
    return ordered


@pytest.mark.parametrize("items", [LATTE, WATER])
@pytest.mark.parametrize("charges", [True, False])
async def test_a_basket_goes_where_its_customer_wants_it(
    items: tuple[Item, ...],
    charges: bool,  # noqa: FBT001 - parametrized
) -> None:
    async with rigged(charges=charges) as rig:
        ordered = await rig.order(items, delivery=TO_HARBOUR)
        assert ordered.standing.order.destination == THERE
        assert rig.store.orders[ordered.standing.order.order_id].destination == THERE
        assert len(rig.world.charged) == (charges and items is LATTE)


@pytest.mark.parametrize("charges", [True, False])
@pytest.mark.parametrize("district", ["Hills", "nowhere"])
async def test_where_no_courier_serves_nothing_is_charged_and_nothing_ordered(
    district: str,
    charges: bool,  # noqa: FBT001 - parametrized
) -> None:
    async with rigged(charges=charges) as rig:
        with pytest.raises(NotServed):
            await rig.order(key="k", delivery=Delivery(district, "1 High Street"))
        assert (rig.world.asked, rig.store.orders) == ([], {})
        # The key is still free.
        assert (await rig.order(key="k")).is_new


@pytest.mark.parametrize("charges", [True, False])
async def test_a_key_is_answered_though_no_courier_serves_the_district_any_longer(
    charges: bool,  # noqa: FBT001 - parametrized
) -> None:
    async with rigged(charges=charges) as rig:
        first = await rig.order(key="k", delivery=TO_HARBOUR)
        rig.till.coverage.show((), ())
        again = await rig.order(key="k", delivery=TO_HARBOUR)
        assert (again.standing.order, again.is_new) == (first.standing.order, False)
        for other in (None, TO_HARBOUR._replace(address="2 Quay Street")):
            with pytest.raises(KeyReused):
                await rig.order(key="k", delivery=other)
        with pytest.raises(NotServed):
            await rig.order(key="other", delivery=TO_HARBOUR)


async def test_a_basket_keeps_its_destination_when_the_shop_is_killed_before_it_is_placed() -> None:
    store = FaultyStore()
    async with rigged(store) as rig, trio.open_nursery() as nursery:
        rig.world.mood = Mood(before=5.0)
        nursery.start_soon(lambda: rig.order(key="k", delivery=TO_HARBOUR))
        await trio.sleep(1)
        store = store.survivor()
        nursery.cancel_scope.cancel()
    async with rigged(store) as rig:
        rig.till.coverage.show((HARBOUR,), ())  # its only courier has left
        await trio.sleep(30)
        (order,) = rig.store.orders.values()
        assert order.destination == THERE
        assert (await rig.order(key="k", delivery=TO_HARBOUR)).standing.order == order


async def test_a_paid_order_that_is_called_off_is_refunded_once() -> None:
    async with rigged() as rig:
        order_id = (await ready(rig)).standing.order.order_id
        await rig.followed()
        assert the_only(rig).status is Status.PLACED
        for _ in range(2):
            await rig.till.desk.call_off(order_id, "Di", "nobody was there")
        await trio.sleep(1)
        assert the_only(rig).status is Status.REFUNDED
        assert len(rig.world.refunded) == 1
        assert (await rig.till.find(order_id)).payment is Status.REFUNDED


async def test_a_paid_order_that_its_courier_hands_over_is_not_refunded() -> None:
    async with rigged() as rig:
        order_id = (await ready(rig)).standing.order.order_id
        await rig.till.desk.hand_over(order_id, "Cleo")
        await rig.followed()
        assert (the_only(rig).status, rig.world.refunded) == (Status.PLACED, {})


async def test_an_order_that_waits_for_a_barista_is_cancelled_by_its_customer_and_refunded() -> (
    None
):
    async with rigged() as rig:
        order = (await rig.order(delivery=TO_HARBOUR)).standing.order
        await rig.till.desk.cancel(CancelOrder(order.order_id))
        await trio.sleep(1)
        assert the_only(rig).status is Status.REFUNDED
