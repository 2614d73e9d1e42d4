"""The database gone, stalled or broken, as customers and baristas see it."""

from __future__ import annotations

from contextlib import suppress
from math import inf

import pytest
import trio

from actors import Restart
from cafe.ledger.messages import LedgerUnavailable
from cafe.orders import dispatcher
from cafe.orders.messages import (
    CloseShop,
    PlaceOrder,
    Standing,
)
from cafe.orders.order import Status
from cafe.refusals import CafeRefusal
from tests.cafe.ledger.fakes import MemoryStore
from tests.cafe.orders.counter import (
    REGULAR,
    open_counter,
    settled,
    waiting_customers,
)
from tests.cafe.orders.fragile import CountTimers

pytestmark = pytest.mark.schedules


async def repair(store: MemoryStore, seconds: float) -> None:
    """Bring the database back after so many seconds."""
    await trio.sleep(seconds)
    store.gone = False


async def test_a_plain_customer_whose_order_is_written_waits_however_long_it_takes() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed()
        counter.store.gone = True
        with pytest.raises(LedgerUnavailable):
            await counter.finish(claim)
        await trio.sleep(120)
        assert customer.refused is None
        counter.store.gone = False
        await trio.sleep(1)
        assert customer.got is not None
        assert customer.got.order.status is Status.READY
        await counter.finish(claim)


async def test_an_order_that_was_refused_while_it_was_claimed_is_not_brewed_for_nobody() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.gone = True
        [customer] = await waiting_customers(counter, nursery, 1)
        await trio.sleep(1)
        with pytest.raises(LedgerUnavailable):
            await counter.start("Bo")
        assert isinstance(customer.refused, LedgerUnavailable)
        assert customer.at == pytest.approx(5)
        counter.store.gone = False
        await trio.sleep(1)
        assert await counter.start("Bo") is None
        [row] = counter.store.orders.values()
        assert row.status == "cancelled"


async def test_a_barista_who_brews_what_was_refused_is_told_that_nobody_collects_it() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.gone = True
        [customer] = await waiting_customers(counter, nursery, 1)
        await trio.sleep(4)
        counter.disk.seconds = 0.1
        nursery.start_soon(repair, counter.store, 2.0)
        claim = await counter.claimed("Bo")
        assert customer.at == pytest.approx(5)
        assert (await counter.finish(claim)).abandoned


async def test_an_order_that_may_be_taken_back_is_promised_to_nobody() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.gone = True
        told: list[Standing | CafeRefusal] = []

        async def come(after: float, key: str | None, hold: float) -> None:
            await trio.sleep(after)
            try:
                told.append(await counter.order(key=key, hold=hold))
            except CafeRefusal as refusal:
                told.append(refusal)

        nursery.start_soon(come, 0, None, 0)
        nursery.start_soon(come, 0, None, 3)
        await trio.sleep(6)
        counter.store.gone = False
        await trio.sleep(1)
        assert [type(answer) for answer in told] == [LedgerUnavailable] * 2
        assert {row.status for row in counter.store.orders.values()} == {"cancelled"}


async def test_whoever_joins_an_order_that_may_be_taken_back_is_told_when_that_is_sure() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.gone = True
        told: list[type[Exception]] = []

        async def come(hold: float) -> None:
            # Not at the desk, which would have to ask the ledger first.
            try:
                await counter.ref.ask(PlaceOrder("americano", None, REGULAR, 400, "k", hold))
            except CafeRefusal as refusal:
                told.append(type(refusal))

        nursery.start_soon(come, inf)
        await trio.sleep(3)
        nursery.start_soon(come, 0)
        await trio.sleep(3)
        counter.store.gone = False
        await trio.sleep(1)
        assert told == [LedgerUnavailable] * 2


async def test_closing_refuses_even_those_who_would_wait_for_ever() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        claim = await counter.claimed()
        counter.store.gone = True
        with pytest.raises(LedgerUnavailable):
            await counter.finish(claim)
        with pytest.raises(LedgerUnavailable):
            await counter.ref.ask(CloseShop())
        await settled()
        assert isinstance(customer.refused, LedgerUnavailable)
        assert trio.current_time() == pytest.approx(10)


async def test_trouble_that_lasts_does_not_pile_anything_up() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:

        async def barista() -> None:
            while True:
                with suppress(LedgerUnavailable):
                    await counter.start(hold=1000)

        await counter.order(hold=0)
        counter.store.gone = True
        for _ in range(3):
            nursery.start_soon(barista)
        await trio.sleep(51)
        before = await counter.ref.ask(CountTimers())
        await trio.sleep(500)
        # Every 5 seconds one for the barista who comes, and one for what the next is promised.
        assert await counter.ref.ask(CountTimers()) <= before + 400
        nursery.cancel_scope.cancel()


async def test_work_goes_on_when_another_shop_has_had_the_database_for_a_while() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        counter.store.load()  # by the other shop, which is gone again
        claim = await counter.claimed()
        assert trio.current_time() < 1
        await counter.finish(claim)
        await settled()
        assert customer.got is not None


async def test_a_ledger_that_crashes_over_a_read_is_trouble_as_any_other() -> None:
    async with open_counter() as counter:
        counter.store.bugs = 1
        with pytest.raises(LedgerUnavailable):
            await counter.order(key="k")
        await counter.order(key="k", hold=0)


async def test_a_ledger_that_crashes_takes_the_dispatcher_along_and_no_customer_notices() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        customers = await waiting_customers(counter, nursery, 2)
        counter.disk.seconds = 1
        customers += await waiting_customers(counter, nursery, 1)
        await counter.crash_ledger()
        counter.store.bugs = 2  # the next group is written, and nobody told of it
        customers += await waiting_customers(counter, nursery, 1)
        for _ in customers:
            await counter.finish(await counter.claimed())
        await settled()
        assert all(customer.got for customer in customers)
        assert len(counter.store.orders) == 4


async def test_orders_are_refused_at_once_when_too_many_records_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_UNKEPT", 2)
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.gone = True
        await waiting_customers(counter, nursery, 3)
        with pytest.raises(LedgerUnavailable):
            await counter.order()
        assert trio.current_time() == 0
        nursery.cancel_scope.cancel()


async def test_a_barista_who_leaves_before_his_claim_is_written_gives_the_order_back() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await waiting_customers(counter, nursery, 2)
        counter.disk.seconds = 1
        with trio.move_on_after(0.5):
            await counter.start("gone")
        assert (await counter.claimed("stays")).order.number == 1
        nursery.cancel_scope.cancel()


async def test_a_dispatcher_that_crashes_without_a_database_starts_when_it_is_back() -> None:
    patient = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)
    async with open_counter(restart=patient) as counter, trio.open_nursery() as nursery:
        [customer] = await waiting_customers(counter, nursery, 1)
        counter.store.gone = True
        await counter.crash()
        await trio.sleep(60)
        counter.store.gone = False
        await counter.finish(await counter.claimed())
        await settled()
        assert customer.got is not None
