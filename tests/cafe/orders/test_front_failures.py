"""Customers at fronts while houses fail over, fronts die, and the bus loses what it carries."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from random import Random

import pytest
import trio

from actors import ActorCrashed
from cafe.bus.streams import Names
from cafe.http.refusals import CafeRefusal
from cafe.ledger.errors import LedgerUnavailable
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import FindOrder, FinishOrder, PlaceOrder
from cafe.orders.order import Action, Status
from cafe.orders.refusals import OrderCancelled
from tests.cafe.bus.memory_bus import Faults
from tests.cafe.orders.counter import ADDRESS
from tests.cafe.orders.site import FrontHere, Guest, Site, brew_all, open_site, seated
from tests.chance import examples

pytestmark = pytest.mark.schedules


async def test_a_front_that_dies_leaves_its_orders_and_no_others() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        dying, other = await site.open_front(), await site.open_front()
        await seated(dying, nursery, 2)
        await seated(dying, nursery, 1, "k")
        [staying] = await seated(other, nursery, 1)
        dying.scope.cancel()
        await trio.sleep(10)
        assert len(site.of(Status.CANCELLED)) == 2
        assert len(site.of(Status.WAITING)) == 2
        assert await brew_all(other) == 2
        assert staying.is_ready
        assert {one.key: one.status for one in site.store.orders.values() if one.key} == {
            "k": Status.READY
        }
        nursery.cancel_scope.cancel()


async def test_the_dispatcher_crashes_and_customers_at_fronts_do_not_notice() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        counter = await site.open_house()
        front = await site.open_front()
        guests = await seated(front, nursery, 5)
        await counter.crash()
        await trio.sleep(30)
        assert await brew_all(front) == 5
        assert all(guest.is_ready for guest in guests)
        assert len(site.of(Status.DELIVERED)) == 5


@pytest.mark.parametrize("away", [0.0, 3.0])
async def test_hundreds_wait_through_a_fail_over_and_each_is_handed_one_coffee(away: float) -> None:
    async with open_site(Rules(has_fronts=True, unclaimed_seconds=10)) as site:
        async with trio.open_nursery() as nursery:
            await site.open_house()
            front, other = await site.open_front(), await site.open_front()
            guests = [
                *await seated(front, nursery, 150),
                *await seated(other, nursery, 50),
                *await seated(other, nursery, 1, "k"),
            ]
            claims = [await other.claimed() for _ in range(5)]
            await site.fail_over(away)
            # Before the fronts have said what they hold: they collect it then.
            for claim in claims:
                await other.desk.finish(FinishOrder(claim.order.order_id))
            await trio.sleep(25)
            assert await brew_all(other) == 196
            assert all(guest.is_ready for guest in guests)
        assert {one.status for one in site.store.orders.values()} == {Status.DELIVERED}
        assert len(site.store.orders) == 201
        assert site.store.broken_promises() == []


async def test_a_customer_who_hangs_up_while_there_is_no_house_is_not_brewed_for() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        leaving, staying = await seated(front, nursery, 2)

        async def leave() -> None:
            await trio.sleep(1)
            leaving.disconnect()

        nursery.start_soon(leave)
        await site.fail_over(away=3)
        await trio.sleep(25)
        assert await brew_all(front) == 1
        assert staying.is_ready
        assert not leaving.is_ready


async def test_what_ends_while_a_front_misses_the_log_is_answered_when_it_is_back() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        counter = await site.open_house()
        front = await site.open_front()
        guests = await seated(front, nursery, 4)
        site.memory.cut_off.add(Names().log)
        await counter.finish(await counter.claimed())
        order = (await counter.claimed()).order
        await counter.desk.finish(FinishOrder(order.order_id))
        await trio.sleep(1)
        assert not any(guest.is_ready for guest in guests)
        site.memory.cut_off.clear()
        await trio.sleep(3)
        assert [guest.is_ready for guest in guests].count(True) == 2
        assert front.desk.keys.may_have(ADDRESS, "k", front.ledger.now() - 10) is False
        assert [cup.number for cup in front.board.show(front.ledger.now()).ready] == [2, 1]
        nursery.cancel_scope.cancel()


async def test_redis_that_is_restarted_empty_loses_no_wait() -> None:
    async with open_site() as site, trio.open_nursery() as nursery:
        await site.open_house()
        front = await site.open_front()
        guests = await seated(front, nursery, 5)
        site.memory.is_gone = True
        await trio.sleep(20)
        site.memory.forget()
        site.memory.is_gone = False
        await trio.sleep(5)
        assert await brew_all(front) == 5
        assert all(guest.is_ready for guest in guests)


async def test_a_barista_hears_of_an_outage_and_not_that_there_is_nothing_to_do() -> None:
    async with open_site() as site:
        await site.open_house()
        front = await site.open_front()
        await front.order(hold=0)
        site.memory.is_gone = True
        with pytest.raises(LedgerUnavailable):  # the house may have the claim
            await front.start(claim="k", hold=12)
        site.memory.is_gone = False
        assert await front.start(claim="k", hold=12) is not None


async def test_an_order_that_was_placed_before_its_front_died_is_found_by_its_id() -> None:
    async with open_site() as site:
        await site.open_house()
        front = await site.open_front()
        placed = await front.dispatcher.ask(PlaceOrder("lost", "americano", None, ADDRESS, 4))
        assert placed.order.order_id == "lost"
        seen = await front.dispatcher.ask(FindOrder("lost"))
        assert seen.order.status is Status.WAITING
        front.scope.cancel()
        await trio.sleep(10)
        assert [one.status for one in site.store.orders.values()] == [Status.CANCELLED]
        assert Action.ABANDON in {one.event.action for one in site.store.logged}


@pytest.mark.parametrize("seed", range(examples(6)))
async def test_no_wait_is_missed_whatever_happens_to_batches_houses_and_customers(
    seed: int,
) -> None:
    faults = Faults(lost=0.1, repeated=0.1, delayed=0.2)
    async with open_site(faults=faults, seed=seed) as site, trio.open_nursery() as nursery:
        chaos = Chaos(site, nursery, Random(seed))  # noqa: S311 - no secret
        await chaos.begin()
        for _ in range(60):
            await chaos.step()
        site.memory.cut_off.clear()
        site.memory.faults = Faults()
        await trio.sleep(200)  # leases of lost claims expire, and the unclaimed are given up
        with trio.fail_after(600):
            while any(guest.is_waiting for guest in chaos.guests):
                await brew_all(chaos.fronts[0], tries=1)
        await trio.sleep(5)
        rows = site.store.orders
        for guest in chaos.guests:
            assert not isinstance(guest.refused, OrderCancelled)
            if guest.is_ready:
                assert guest.got is not None
                assert rows[guest.got.order.order_id].status is Status.DELIVERED
        assert [front.dispatcher.waiting for front in chaos.fronts] == [0, 0, 0]
        assert len(site.holdings) == 0
        assert site.store.broken_promises() == []


@dataclass
class Chaos:
    """Customers, baristas, crashes, fail-overs and a log that is cut off, by chance."""

    site: Site
    nursery: trio.Nursery
    random: Random
    fronts: list[FrontHere] = field(default_factory=list[FrontHere])
    guests: list[Guest] = field(default_factory=list[Guest])

    async def begin(self) -> None:
        """Open a house and three fronts."""
        self.counter = await self.site.open_house()
        self.site.disk.seconds = self.random.choice([0.0, 0.05])
        self.fronts += [await self.site.open_front() for _ in range(3)]

    async def step(self) -> None:
        """Do one thing, and wait a moment."""
        await self._do(self.random.random())
        await trio.sleep(self.random.expovariate(2.0))

    async def _do(self, what: float) -> None:
        if what < 0.5:
            self._order()
        elif what < 0.7:
            self.nursery.start_soon(brew_one, self.random.choice(self.fronts))
        elif what < 0.8 and self.guests:
            self.random.choice(self.guests).disconnect()
        elif what < 0.85:
            await self.counter.crash()
        elif what < 0.9:
            self.site.memory.cut_off.add(Names().log)
        elif what < 0.97:
            self.site.memory.cut_off.clear()
        else:
            self.counter = await self.site.fail_over(self.random.choice([0.0, 2.0]))

    def _order(self) -> None:
        random = self.random
        guest = Guest(random.choice(self.fronts))
        self.guests.append(guest)
        key = f"k{random.randrange(8)}" if random.random() < 0.3 else None
        hold = inf if random.random() < 0.8 else random.uniform(1.0, 9.0)
        self.nursery.start_soon(guest.wait, key, hold)


async def brew_one(front: FrontHere) -> None:
    """Start and finish an order, unless the house is away meanwhile."""
    with suppress(ActorCrashed, CafeRefusal):
        claim = await front.start()
        if claim is not None:
            await front.desk.finish(FinishOrder(claim.order.order_id))
