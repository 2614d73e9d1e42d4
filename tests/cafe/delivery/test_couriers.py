"""The Couriers actor: who gets what, what is refused, and what orders get to know of it."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from cafe.delivery.delivery import Delivery
from cafe.delivery.messages import Handed
from cafe.delivery.refusals import (
    DeliveryConflict,
    NoFreeCourier,
    OrderNotReady,
    UnknownDelivery,
)
from cafe.http.refusals import CafeRefusal
from cafe.orders.messages import Destination
from tests.cafe.delivery.street import LEASE, completed_in, open_north

pytestmark = pytest.mark.schedules(5)


async def test_what_is_published_is_assigned_at_once_and_finished_in_two_calls() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        delivery = await street.publish()
        assert (delivery.status, delivery.courier_id) == ("assigned", "id-ada")
        assert street.order(delivery.order_id).status == "ready"
        await trio.sleep(60)
        handed = await street.take(delivery, "finish")
        assert (handed.delivery.status, handed.next) == ("delivered", None)
        assert street.order(delivery.order_id).status == "delivered"
        courier, carries = await street.courier("ada")
        assert (courier.completed, carries) == (1, None)
        assert courier.avg_order_complete_time == pytest.approx(60, abs=0.01)
        assert courier.avg_day_orders == 1
        await street.followed()
        kept = await street.desk.find(delivery.order_id)
        assert (kept.settled, kept.number) == (True, 1)
        events = [one.event for one in street.store.logged if one.department == "delivery"]
        assert [(one.action, one.by) for one in events if one.subject == delivery.order_id] == [
            ("request", "Di"),
            ("assign", None),
            ("finish", "Di"),
        ]


async def test_what_is_in_hand_from_the_start_has_no_lease() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        delivery = await street.publish(picked_up=True)
        assert (delivery.status, delivery.courier_id) == ("picked_up", "id-ada")
        assert delivery.lease_expires_at is None
        waiting = await street.publish(picked_up=True, queue=True)
        assert waiting.status == "waiting"
        again = await street.publish(picked_up=True, order_id=delivery.order_id)
        assert again.picked_up_at == delivery.picked_up_at
        await trio.sleep(2 * LEASE)
        courier, carries = await street.courier("ada")
        assert courier.is_on_duty
        assert carries is not None
        assert (carries.order_id, carries.status) == (delivery.order_id, "picked_up")
        handed = await street.take(delivery, "finish")
        assert handed.delivery.status == "delivered"
        assert handed.next is not None
        assert (handed.next.order_id, handed.next.status) == (waiting.order_id, "assigned")
        courier, _ = await street.courier("ada")
        assert courier.avg_order_complete_time == pytest.approx(2 * LEASE, abs=0.01)
        events = [one.event for one in street.store.logged if one.department == "delivery"]
        assert [(one.action, one.by) for one in events if one.subject == delivery.order_id] == [
            ("request", "Di"),
            ("assign", None),
            ("pick up", "Di"),
            ("finish", "Di"),
        ]


async def test_with_no_free_courier_nothing_is_kept() -> None:
    async with open_north() as street:
        await street.add_courier("ada", on_duty=False)
        with pytest.raises(NoFreeCourier):
            await street.publish()
        assert street.rows() == []
        assert street.store.orders == {}


async def test_of_twenty_publishes_at_once_one_gets_the_only_courier() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        got: list[Delivery] = []
        refused: list[NoFreeCourier] = []

        async def publish() -> None:
            try:
                got.append(await street.publish())
            except NoFreeCourier as no:
                refused.append(no)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(publish)
        assert (len(got), len(refused)) == (1, 19)
        assert [one.order_id for one in street.rows()] == [got[0].order_id]


async def test_those_who_are_free_longest_go_first_and_a_restart_keeps_their_turns() -> None:
    async with open_north() as street:
        for name in ("ada", "bo", "cleo"):
            await street.add_courier(name)
        await street.change("ada", on_duty=False)
        await street.change("ada", on_duty=True)
        first = await street.publish()
        assert first.courier_id == "id-bo"
        await street.take(first, "finish")
        store = street.store.survivor()
    async with open_north(store) as street:
        assert [(await street.publish()).courier_id for _ in range(3)] == [
            "id-cleo",
            "id-ada",
            "id-bo",
        ]


async def test_what_waits_goes_oldest_first_in_the_answer_that_frees_a_courier() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        ids = [(await street.publish(queue=True)).order_id for _ in range(4)]
        handed = await street.take(ids[0], "finish")
        assert handed.next is not None
        assert (handed.next.order_id, handed.next.status) == (ids[1], "assigned")
        handed = await street.take(ids[1], "fail", reason="closed")
        assert (handed.delivery.attempts, handed.delivery.reason) == (1, "closed")
        assert handed.next is not None
        assert handed.next.order_id == ids[2]
        assert street.order(ids[1]).status == "ready"
        handed = await street.take(ids[2], "cancel", reason="no donuts left")
        assert handed.next is not None
        assert handed.next.order_id == ids[3]
        assert street.order(ids[2]).status == "cancelled"
        again = await street.take(ids[1], "retry")
        assert (again.delivery.status, again.next) == ("waiting", None)
        late = await street.publish(queue=True)
        handed = await street.take(ids[3], "finish")
        assert handed.next is not None
        assert handed.next.order_id == ids[1]  # in its old place
        handed = await street.take(late, "cancel")
        assert handed.next is None
        assert completed_in(street.store, "ada") == 2


async def test_who_comes_on_duty_gets_the_oldest_of_their_districts() -> None:
    async with open_north() as street:
        south = await street.publish("South", queue=True)
        north = await street.publish("id-north", queue=True)
        added = await street.add_courier("ada", "NORTH", on_duty=False)
        assert added.carries is None
        come = await street.change("ada", on_duty=True)
        assert come.carries is not None
        assert come.carries.order_id == north.order_id
        gone = await street.change("ada", on_duty=False)
        assert gone.carries == come.carries  # the order stays in hand
        both = await street.add_courier("bo", "north", "south")
        assert both.carries is not None
        assert both.carries.order_id == south.order_id
        assert (await street.take(north, "finish")).next is None
        assert street.carriers() == {south.order_id: "bo"}


async def test_one_of_two_finishes_at_once_counts() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        delivery = await street.publish()
        done: list[Handed] = []
        refused: list[DeliveryConflict] = []

        async def finish() -> None:
            try:
                done.append(await street.take(delivery, "finish"))
            except DeliveryConflict as no:
                refused.append(no)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(finish)
            nursery.start_soon(finish)
        assert (len(done), [one.delivery_status for one in refused]) == (1, ["delivered"])
        assert completed_in(street.store, "ada") == 1
        await street.followed()
        with pytest.raises(DeliveryConflict):  # the actor has forgotten it
            await street.take(delivery, "finish")
        with pytest.raises(UnknownDelivery):
            await street.take("no such order", "finish")


async def test_a_silent_courier_goes_off_duty_and_the_order_to_the_next() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        await street.add_courier("bo")
        delivery = await street.publish()
        await trio.sleep(LEASE + 1)
        assert street.carriers() == {delivery.order_id: "bo"}
        courier, carries = await street.courier("ada")
        assert (courier.duty, carries) == ("off_duty", None)
        await street.take(delivery, "pick up", only="bo")
        await trio.sleep(2 * LEASE)
        assert street.carriers() == {delivery.order_id: "bo"}
        await street.take(delivery, "finish", only="bo")
        assert (await street.courier("bo")).courier.duty == "on_duty"


async def test_a_pick_up_in_the_moment_of_the_expiry_comes_before_it_or_is_refused() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        delivery = await street.publish()
        lease = street.kept(delivery.order_id).lease_expires_at
        assert lease is not None
        await trio.sleep(lease - street.ledger.now())
        picked = False
        with suppress(CafeRefusal):
            await street.take(delivery, "pick up", only="ada")
            picked = True
        await trio.sleep(1)
        kept = street.kept(delivery.order_id)
        assert kept.status == ("picked_up" if picked else "waiting")
        assert (await street.courier("ada")).courier.is_on_duty == picked


async def test_a_manager_reassigns_also_what_is_picked_up() -> None:
    async with open_north() as street:
        for name in ("ada", "bo", "cleo"):
            await street.add_courier(name)
        await street.add_courier("dan", "south")
        delivery = await street.publish()
        await street.take(delivery, "pick up")
        for nobody in ("ada", "dan", "eve"):
            with pytest.raises(NoFreeCourier):
                await street.take(delivery, "reassign", to=nobody)
        given = await street.take(delivery, "reassign", to="cleo")
        assert (given.delivery.courier_id, given.delivery.status) == ("id-cleo", "assigned")
        await trio.sleep(60)
        await street.publish(queue=True)
        waiting = await street.publish(queue=True)
        assert street.carriers()[waiting.order_id] == "ada"
        with pytest.raises(NoFreeCourier):
            await street.take(delivery, "reassign")
        await street.take(delivery, "finish")
        courier, _ = await street.courier("cleo")
        assert courier.avg_order_complete_time == pytest.approx(60, abs=0.1)
        assert completed_in(street.store, "ada") == 0


async def test_a_baskets_delivery_begins_when_its_order_is_ready() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        order = await street.basket_ready()
        delivery = await street.desk.find(order.order_id)
        assert (delivery.status, delivery.number) == ("assigned", order.number)
        assert (delivery.address, delivery.account_id) == ("Main St 2", "ada")
        with pytest.raises(DeliveryConflict) as early:
            await street.take(delivery, "finish")
        assert early.value.delivery_status == "assigned"
        await street.take(delivery, "pick up")
        await street.take(delivery, "finish")
        assert street.order(order.order_id).status == "delivered"


async def test_a_basket_that_is_not_ready_is_no_delivery_yet() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        destination = street.coverage.find("north")
        assert destination is not None
        placed = await street.counter.placed(destination=destination_of(destination.district_id))
        for find in (
            lambda: street.take(placed.order_id, "finish"),
            lambda: street.desk.find(placed.order_id),
        ):
            with pytest.raises(OrderNotReady) as early:
                await find()
            assert early.value.order_status == "waiting"
        plain = await street.counter.order(hold=0)
        with pytest.raises(UnknownDelivery):
            await street.take(plain.order.order_id, "finish")


def destination_of(district_id: str) -> Destination:
    return Destination(district_id, "North", "Main St 3")
