"""What the Dispatcher guarantees baristas: claims, leases, releases, finishes and estimates."""

from __future__ import annotations

import pytest
import trio

from cafe.orders.dispatcher import Rules
from cafe.orders.messages import (
    Claim,
    CountQueue,
    FinishOrder,
    ListOrders,
    ReleaseOrder,
)
from cafe.orders.order import Action, Status
from cafe.orders.refusals import (
    OrderConflict,
)
from tests.cafe.orders.counter import (
    open_counter,
    settled,
    waiting_customers,
)


@pytest.mark.schedules
async def test_the_oldest_order_is_started_first_also_after_a_release() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 3)
        first = await counter.claimed()
        await counter.ref.ask(ReleaseOrder(first.order.order_id))
        claims = [await counter.claimed() for _ in range(3)]
        assert [claim.order.number for claim in claims] == [1, 2, 3]
        nursery.cancel_scope.cancel()


@pytest.mark.schedules
async def test_a_coffee_whose_customer_disconnects_during_the_brewing_is_abandoned() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed()
        customer.disconnect()
        await settled()
        finished = await counter.finish(claim)
        assert finished.abandoned
        assert finished.status is Status.READY


@pytest.mark.schedules
async def test_a_released_order_whose_customer_has_disconnected_is_cancelled() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed()
        customer.disconnect()
        await settled()
        released = await counter.ref.ask(ReleaseOrder(claim.order.order_id))
        assert released.status is Status.CANCELLED
        assert await counter.start() is None


@pytest.mark.schedules
async def test_a_waiting_barista_gets_the_next_order_at_once() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        claims: list[tuple[Claim | None, float]] = []

        async def barista() -> None:
            claim = await counter.start("Bo", hold=60)
            claims.append((claim, trio.current_time()))

        nursery.start_soon(barista)
        await trio.sleep(20)
        await waiting_customers(counter, nursery, 1)
        [(claim, at)] = claims
        assert claim is not None
        assert claim.order.barista == "Bo"
        assert at == pytest.approx(20)
        nursery.cancel_scope.cancel()


@pytest.mark.schedules
async def test_a_start_without_an_order_returns_none_after_its_hold() -> None:
    async with open_counter() as counter:
        began = trio.current_time()
        assert await counter.start("Bo", hold=60) is None
        assert trio.current_time() - began == pytest.approx(60)


@pytest.mark.schedules
async def test_a_barista_that_disconnects_while_it_waits_loses_no_order() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        got: list[Claim | None] = []
        scope = trio.CancelScope()

        async def disconnecting() -> None:
            with scope:
                got.append(await counter.start("disconnecting", hold=60))

        async def orders() -> None:
            await counter.order(hold=0)

        nursery.start_soon(disconnecting)
        await settled()
        # In the same instant, in an order that the schedule decides.
        nursery.start_soon(orders)
        scope.cancel()
        await settled()
        claim = await counter.start("next")
        assert (claim is None) == bool(got), "either one of the two gets it"
        assert counter.numbers(Action.START) == [1]


@pytest.mark.schedules
async def test_an_order_goes_to_one_of_two_baristas_that_race_for_it() -> None:
    async with open_counter() as counter:
        await counter.order(hold=0)
        got: list[Claim | None] = []

        async def barista(name: str) -> None:
            got.append(await counter.start(name))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(barista, "Bo")
            nursery.start_soon(barista, "Kim")
        assert len([claim for claim in got if claim]) == 1


@pytest.mark.schedules
async def test_an_expired_lease_puts_the_order_back_in_its_old_place() -> None:
    async with open_counter(Rules(lease_seconds=180)) as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 2)
        dead = await counter.claimed("dead")
        await trio.sleep(179)
        assert (await counter.claimed("alive")).order.number == 2
        await trio.sleep(2)
        again = await counter.claimed("alive")
        assert again.order.order_id == dead.order.order_id
        nursery.cancel_scope.cancel()


@pytest.mark.schedules
async def test_a_waiting_barista_gets_an_order_as_soon_as_its_lease_expires() -> None:
    async with open_counter(Rules(lease_seconds=50)) as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 1)
        await counter.claimed("dead")
        claim = await counter.start("alive", hold=60)
        assert claim is not None
        assert trio.current_time() == pytest.approx(50)
        nursery.cancel_scope.cancel()


@pytest.mark.schedules
async def test_a_lease_may_expire_while_another_order_is_being_finished() -> None:
    async with open_counter(Rules(lease_seconds=50)) as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2)
        await counter.claimed("dead")
        await trio.sleep(10)
        alive = await counter.claimed("alive")
        await trio.sleep(40)  # the instant at which the first lease ends
        await counter.finish(alive)
        await settled()
        assert customers[1].got is not None
        again = await counter.claimed("alive")
        assert again.order.number == 1
        await counter.finish(again)
        await settled()
        assert customers[0].got is not None


@pytest.mark.schedules
async def test_a_finish_after_the_lease_still_counts_and_empties_the_queue() -> None:
    async with open_counter(Rules(lease_seconds=50)) as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        slow = await counter.claimed("slow")
        await trio.sleep(60)
        await counter.finish(slow)
        await settled()
        assert customer.got is not None
        assert await counter.start("quick") is None


@pytest.mark.schedules
async def test_a_repeated_finish_gets_the_same_reply() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed()
        first = await counter.finish(claim)
        await trio.sleep(5)
        second = await counter.finish(claim)
        assert first.brewed_seconds == second.brewed_seconds
        assert first.abandoned == second.abandoned
        assert counter.numbers(Action.FINISH) == [1]


async def test_finishing_an_order_that_was_not_started_is_a_conflict_with_its_status() -> None:
    async with open_counter() as counter:
        standing = await counter.order(hold=0)
        with pytest.raises(OrderConflict) as caught:
            await counter.ref.ask(FinishOrder(standing.order.order_id))
        assert caught.value.problem_members() == {"order_status": Status.WAITING}


@pytest.mark.schedules
async def test_the_estimate_counts_rounds_of_all_baristas() -> None:
    async with open_counter() as counter:
        for _ in range(5):
            await counter.order(hold=0)
        assert (await counter.ref.ask(CountQueue())).eta_seconds is None
        first, second = await counter.claimed(), await counter.claimed()
        await trio.sleep(40)
        await counter.finish(first)
        third = await counter.claimed()
        assert (await counter.ref.ask(CountQueue())).baristas == 2
        listed = (await counter.ref.ask(ListOrders())).standings
        waiting = [standing for standing in listed if standing.position]
        assert [standing.eta_seconds for standing in waiting] == [pytest.approx(40)] * 2
        for claim in (second, third):
            await counter.finish(claim)
