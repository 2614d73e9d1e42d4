"""The desk: a request survives a crash of the Dispatcher, and finds an order that it forgot."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
import trio

from actors import ActorCrashed
from cafe.orders import dispatcher
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import (
    AwaitOrder,
    CancelOrder,
    FinishOrder,
    HangUp,
    ListOrders,
    PlaceOrder,
    ReleaseOrder,
    StartOrder,
)
from cafe.orders.order import Action, Status
from cafe.orders.refusals import OrderConflict, UnknownOrder
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import (
    ADDRESS,
    Counter,
    open_counter,
    settled,
    waiting_customers,
)

pytestmark = pytest.mark.schedules


async def test_a_customer_has_one_order_though_the_dispatcher_crashes_twice() -> None:
    async with open_counter(disk=Disk(1)) as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        await trio.sleep(0.5)
        await counter.crash()  # the order is under way, and placed again by its id
        await trio.sleep(10)
        await counter.crash()  # it is in the ledger now
        await counter.finish(await counter.claimed())
        assert await counter.start() is None
        assert customer.got is not None
        assert len(counter.store.orders) == 1


async def test_two_requests_with_one_key_get_one_coffee_despite_a_crash() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2, key="k")
        claim = await counter.claimed()
        counter.store.link.mute = 1  # so the committer retries, after a quarter of a second
        nursery.start_soon(counter.finish, claim)
        await trio.sleep(0.1)
        assert counter.store.orders[claim.order.order_id].status is Status.DELIVERED
        await counter.crash()
        await trio.sleep(1)
        assert [customer.got.order.number for customer in customers if customer.got] == [1, 1]
        assert len(counter.store.orders) == 1


async def forget_all_but_one(counter: Counter) -> None:
    """End so many orders that the one before them is forgotten."""
    for _ in range(3):
        standing = await counter.order(hold=0)
        await counter.desk.cancel(CancelOrder(standing.order.order_id))


async def test_an_order_that_the_dispatcher_has_forgotten_is_looked_up_in_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    async with open_counter() as counter:
        placed = await counter.order(key="k", hold=0)
        order_id = placed.order.order_id
        claim = await counter.claimed()
        finished = await counter.finish(claim)
        await forget_all_but_one(counter)
        assert (await counter.finish(claim)).brewed_seconds == finished.brewed_seconds
        assert (await counter.desk.find(order_id)).order.status is Status.READY
        with pytest.raises(OrderConflict):
            await counter.desk.cancel(CancelOrder(order_id))
        with pytest.raises(OrderConflict):
            await counter.desk.release(ReleaseOrder(order_id))
        collected = await counter.order(key="k")
        assert collected.order.order_id == order_id
        assert counter.numbers(Action.HAND_OVER) == [1]
        await forget_all_but_one(counter)
        assert (await counter.order(key="k")).order.status is Status.DELIVERED
        assert counter.numbers(Action.HAND_OVER) == [1]
        assert counter.store.broken_promises() == []


async def test_a_new_key_is_not_looked_up() -> None:
    async with open_counter() as counter:
        counter.disk.seconds = 1
        began = trio.current_time()
        await counter.order(key="k", hold=0)
        assert trio.current_time() - began == pytest.approx(1)  # the commit


async def test_a_key_is_looked_up_after_a_restart_when_its_order_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    store = FaultyStore()
    async with open_counter(store=store) as counter:
        await counter.order(key="k", hold=0)
        await counter.finish(await counter.claimed())
        left = store.survivor()
    async with open_counter(store=left) as counter:
        await forget_all_but_one(counter)
        assert (await counter.order(key="k")).order.number == 1
        assert len(left.orders) == 4


async def test_an_id_without_an_order_is_refused() -> None:
    async with open_counter() as counter:
        for order_id in ("x", "", "\0", "\ud800", "x" * 1000):
            with pytest.raises(UnknownOrder):
                await counter.desk.find(order_id)
        with pytest.raises(UnknownOrder):
            await counter.desk.finish(FinishOrder("x"))
        with pytest.raises(UnknownOrder):  # its signature is right, so it is looked up
            await counter.desk.find(counter.desk.ids.new())


async def test_a_guessed_id_is_refused_without_a_message_or_a_look_up() -> None:
    async with open_counter() as counter:
        placed = await counter.order(hold=0)
        guess = placed.order.order_id.swapcase()
        before = counter.ref.statistics()
        counter.disk.seconds = 1  # a look-up would take as long
        began = trio.current_time()
        for asking in (
            partial(counter.desk.find, guess),
            partial(counter.desk.find, guess, 9),
            partial(counter.desk.cancel, CancelOrder(guess)),
            partial(counter.desk.finish, FinishOrder(guess)),
            partial(counter.desk.release, ReleaseOrder(guess)),
        ):
            with pytest.raises(UnknownOrder):
                await asking()
        assert trio.current_time() == began
        assert counter.ref.statistics() == before


async def test_an_order_is_not_forgotten_before_its_hand_over_is_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_RECENT", 1)
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await counter.order(key="k", hold=0)
        await counter.finish(await counter.claimed())  # ready, and not collected
        counter.disk.seconds = 1
        nursery.start_soon(counter.order)  # a group is under way
        await settled()
        [first, second] = await waiting_customers(counter, nursery, 2, key="k")
        await trio.sleep(1.5)
        for _ in range(3):
            customer = (await waiting_customers(counter, nursery, 1))[0]
            customer.disconnect()
            await settled()
        await trio.sleep(20)
        assert first.got is not None
        assert second.got is not None
        assert counter.numbers(Action.HAND_OVER) == [1]
        assert counter.store.broken_promises() == []
        nursery.cancel_scope.cancel()


async def test_an_order_whose_customer_does_not_retry_after_a_crash_is_abandoned() -> None:
    rules = Rules(unclaimed_seconds=10)
    async with open_counter(rules) as counter, trio.open_nursery() as nursery:
        # Not over the desk, which would retry, and report a disconnect.
        lost = await counter.ref.ask(PlaceOrder("lost", "americano", None, ADDRESS, 400))

        async def wait_once() -> None:
            with suppress(ActorCrashed):
                await counter.ref.ask(AwaitOrder(lost.order.order_id))

        nursery.start_soon(wait_once)
        [waiting] = await waiting_customers(counter, nursery, 1)
        await counter.crash()
        await trio.sleep(9)
        assert {one.status for one in counter.store.orders.values()} == {Status.WAITING}
        await trio.sleep(12)
        assert counter.store.orders[lost.order.order_id].status is Status.CANCELLED
        assert (await counter.claimed()).order.number == 2
        waiting.disconnect()


async def test_a_disconnect_between_placing_and_waiting_cancels_the_order() -> None:
    async with open_counter() as counter:
        placed = await counter.ref.ask(PlaceOrder("lost", "americano", None, ADDRESS, 400))
        await counter.ref.tell(HangUp(placed.order.order_id))
        assert await counter.start() is None


async def test_a_new_process_abandons_at_once_each_order_bound_to_a_connection() -> None:
    store = FaultyStore()
    async with open_counter(store=store) as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 1)
        await counter.order(key="k", hold=0)
        left = store.survivor()
        nursery.cancel_scope.cancel()
    async with open_counter(store=left) as counter:
        assert (await counter.claimed()).order.key == "k"
        assert await counter.start() is None


async def test_the_same_claim_id_is_the_same_claim_while_it_holds() -> None:
    store = FaultyStore()
    async with open_counter(Rules(lease_seconds=50), store=store) as counter:
        for _ in range(3):
            await counter.order(key=f"k{_}", hold=0)
        wish = StartOrder("Bo", claim="b k1", keyed=True)
        first = await counter.desk.start(wish)
        again = await counter.desk.start(wish)
        assert first is not None
        assert again is not None
        assert first.order == again.order
        await counter.crash()
        after_the_crash = await counter.desk.start(wish)
        assert after_the_crash is not None
        assert after_the_crash.order == first.order
        left = store.survivor()
    async with open_counter(Rules(lease_seconds=50), store=left) as counter:
        after_the_kill = await counter.desk.start(wish)
        assert after_the_kill is not None
        assert after_the_kill.order == first.order
        await counter.finish(after_the_kill)
        another = await counter.desk.start(wish)
        assert another is not None
        assert another.order.number == 2
        assert left.broken_promises() == []


async def test_requests_that_race_with_one_claim_id_get_one_claim() -> None:
    async with open_counter(disk=Disk(0.1)) as counter, trio.open_nursery() as nursery:
        for _ in range(2):
            await counter.order(hold=0)
        got: list[int] = []

        async def barista() -> None:
            claim = await counter.desk.start(StartOrder("Bo", claim="k", keyed=True), hold=10)
            assert claim is not None
            got.append(claim.order.number)

        for _ in range(3):
            nursery.start_soon(barista)
        await trio.sleep(1)
        assert got == [1, 1, 1]


async def test_a_keyed_start_whose_reply_was_lost_can_be_repeated() -> None:
    async with open_counter(disk=Disk(1)) as counter:
        await counter.order(hold=0)
        wish = StartOrder("Bo", claim="k", keyed=True)
        with trio.move_on_after(0.5):
            await counter.desk.start(wish)
        claim = await counter.desk.start(wish)
        assert claim is not None
        assert counter.numbers(Action.START) == [1]


async def test_the_orders_that_a_barista_has_claimed_are_listed_by_name() -> None:
    async with open_counter() as counter:
        for _ in range(3):
            await counter.order(hold=0)
        await counter.claimed("Bo")
        await counter.claimed("Kim")
        kims, everything = [await counter.desk.list(ListOrders(name)) for name in ("Kim", None)]
        assert [one.order.number for one in kims.standings] == [2]
        assert [one.order.number for one in everything.standings] == [1, 2, 3]


async def test_a_shorter_lease_expires_before_an_older_longer_one() -> None:
    store = FaultyStore()
    async with open_counter(Rules(lease_seconds=60), store=store) as counter:
        for number in range(2):
            await counter.order(key=f"{number}", hold=0)
        await counter.claimed("old")
        left = store.survivor()
    async with open_counter(Rules(lease_seconds=2), store=left) as counter:
        await counter.claimed("new")
        began = trio.current_time()
        claim = await counter.start("next", hold=60)
        assert claim is not None
        assert claim.order.number == 2
        assert trio.current_time() - began == pytest.approx(2)
