"""A barista whose claims the database refuses disturbs no other request."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from actors import Message
from cafe.ledger.errors import JournalClosed, NotRecorded
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import (
    AwaitOrder,
    CancelOrder,
    CloseShop,
    CollectOrder,
    KeepOrder,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from tests.cafe.ledger.fakes import REFUSED, Disk
from tests.cafe.orders.counter import Counter, open_counter, settled, waiting_customers

pytestmark = pytest.mark.schedules


async def place(counter: Counter, orders: int) -> None:
    for _ in range(orders):
        await counter.order(hold=0)


@pytest.mark.parametrize("seconds", [0.0, 1.0])
async def test_the_next_barista_after_a_refused_claim_gets_the_same_order(seconds: float) -> None:
    async with open_counter() as counter:
        await place(counter, 2)
        counter.disk.seconds = seconds
        for number in (1, 2):
            for _ in range(3):
                with pytest.raises(NotRecorded):
                    await counter.start(REFUSED)
            assert (await counter.claimed("Bo")).order.number == number
        assert counter.ref.statistics().crashed == 0
        assert counter.store.broken_promises() == []


@pytest.mark.parametrize("seconds", [0.0, 1.0])
async def test_a_start_waits_while_the_orders_are_loaded_after_a_refused_claim(
    seconds: float,
) -> None:
    async with open_counter() as counter:
        await place(counter, 1)
        counter.disk.seconds = seconds
        for _ in range(5):
            with pytest.raises(NotRecorded):  # not over the desk, which would retry
                await counter.ref.ask(StartOrder(REFUSED))
            claim = await counter.claimed("Bo")
            assert claim.order.number == 1
            await counter.ref.ask(ReleaseOrder(claim.order.order_id))


async def test_a_reply_about_another_order_does_not_wait_for_a_refused_row() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await counter.order(key="k", hold=0)
        brewed = await counter.claimed()
        await counter.finish(brewed)
        await counter.order(key="k")
        gone = await counter.order(hold=0)
        await counter.desk.cancel(CancelOrder(gone.order.order_id))
        waits = await counter.order(key="waits", hold=0)
        await place(counter, 1)
        counter.disk.seconds = 1
        replies: list[str] = []

        async def refused() -> None:
            with pytest.raises(NotRecorded):
                await counter.start(REFUSED)

        async def ask(message: Message[Dispatcher, Standing]) -> None:
            with suppress(JournalClosed):
                await counter.ref.ask(message)
            replies.append("no row of its own")

        nursery.start_soon(counter.order)  # a group is under way, and the next one gathers
        await settled()
        nursery.start_soon(refused)
        await settled()
        for message in (
            AwaitOrder(brewed.order.order_id),
            KeepOrder(brewed.order.order_id),
            CollectOrder(brewed.order),
            CancelOrder(gone.order.order_id),
            KeepOrder(waits.order.order_id),
        ):
            nursery.start_soon(ask, message)
        await trio.sleep(3)
        assert len(replies) == 5
        nursery.cancel_scope.cancel()


async def test_a_row_that_is_refused_during_shutdown_does_not_hold_it_up() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        await place(counter, 2)
        counter.disk.seconds = 1
        closed: list[str] = []

        async def claim(barista: str) -> None:
            with suppress(NotRecorded):
                await counter.start(barista)

        async def close() -> None:
            await counter.ref.ask(CloseShop())
            closed.append("closed")

        for barista in ("Bo", REFUSED):
            nursery.start_soon(claim, barista)
            await settled()
        nursery.start_soon(close)
        await trio.sleep(5)
        assert closed == ["closed"]


async def test_baristas_that_wait_beside_a_refused_one_get_all_orders() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        got: list[int] = []
        refused = 0

        async def barista(name: str) -> None:
            nonlocal refused
            try:
                claim = await counter.start(name, hold=30)
            except NotRecorded:
                refused += 1
                return
            assert claim is not None
            got.append(claim.order.number)

        for name in ("Ada", REFUSED, "Bo", "Cy"):
            nursery.start_soon(barista, name)
            await settled()
        for _ in range(3):
            nursery.start_soon(counter.order)
        await trio.sleep(2)
        assert (sorted(got), refused) == ([1, 2, 3], 1)
        nursery.cancel_scope.cancel()


async def test_refused_baristas_that_retry_for_ever_hold_up_no_other() -> None:
    async with open_counter(disk=Disk(0.05)) as counter, trio.open_nursery() as nursery:
        tries = 0

        async def retry() -> None:
            nonlocal tries
            while True:
                with suppress(NotRecorded):
                    await counter.start(REFUSED, hold=10)
                tries += 1

        customers = await waiting_customers(counter, nursery, 10)
        for _ in range(3):
            nursery.start_soon(retry)
        await settled()
        for number in range(1, 11):
            claim = await counter.start("Bo", hold=5)
            assert claim is not None
            assert claim.order.number == number
            await counter.finish(claim)
        await settled()
        assert tries < 10
        assert all(customer.got for customer in customers)
        assert counter.store.broken_promises() == []
        nursery.cancel_scope.cancel()
