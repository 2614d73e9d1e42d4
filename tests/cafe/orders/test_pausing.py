"""A paused shop takes no new orders: by the Dispatcher, in memory, over crashes and outages."""

from __future__ import annotations

import pytest
import trio

from cafe.ledger.database import Link
from cafe.ledger.errors import LedgerUnavailable
from cafe.orders.dispatcher import Rules
from cafe.orders.messages import CheckRoom, Pause
from cafe.orders.order import Status
from cafe.orders.pause_table import load_pausing
from cafe.orders.refusals import Paused, QueueFull
from tests.cafe.ledger.order_histories import HARBOUR, basket
from tests.cafe.orders.counter import ADDRESS, Counter, open_counter, settled

pytestmark = pytest.mark.schedules(5)


async def pause(counter: Counter, seconds: float = 900, text: str = "Back soon.") -> Pause:
    begun = Pause(counter.ledger.now() + seconds, text, "Di")
    await counter.desk.pause(begun)
    with Link.transaction(counter.store.link, writing=False) as connection:
        assert load_pausing(connection).pause == begun, "what is answered is committed"
    return begun


async def is_refused(counter: Counter) -> bool:
    try:
        await counter.order(hold=0)
    except Paused:
        return True
    return False


async def test_new_orders_are_refused_until_the_pause_ends_by_itself() -> None:
    async with open_counter() as counter:
        began = trio.current_time()
        paused = await pause(counter)
        with pytest.raises(Paused) as caught:
            await counter.order(hold=0)
        assert caught.value.retry_after == pytest.approx(900)
        assert (await counter.desk.count()).paused == paused
        await trio.sleep_until(began + 899)
        assert await is_refused(counter)
        await trio.sleep_until(began + 900.1)
        count = await counter.desk.count()
        assert (count.paused, count.accepting) == (None, True)
        assert not await is_refused(counter)


async def test_baskets_are_refused_before_they_are_charged_and_those_that_are_charged_placed() -> (
    None
):
    async with open_counter() as counter:
        await pause(counter)
        with pytest.raises(Paused):
            await counter.desk.check_room(ADDRESS, 400)
        with pytest.raises(Paused):
            await counter.order_basket()
        charged = await counter.placed(basket()._replace(prepaid=True), destination=HARBOUR)
        assert charged.status is Status.WAITING
        assert (await counter.publish()).status is Status.READY, "staff decide for themselves"


async def test_orders_that_wait_are_brewed_as_usual_and_a_key_finds_its_order() -> None:
    async with open_counter() as counter:
        placed = await counter.order(key="mine", hold=0)
        await pause(counter)
        again = await counter.order(key="mine", hold=0)
        assert again.order.order_id == placed.order.order_id
        claim = await counter.claimed("Bo")
        await counter.finish(claim)
        ended = await counter.order(key="mine")
        assert ended.order.order_id == placed.order.order_id
        with pytest.raises(Paused):
            await counter.order(key="other", hold=0)


async def test_orders_are_taken_again_once_a_manager_says_so() -> None:
    async with open_counter() as counter:
        await counter.desk.resume("Di")
        assert [one for one in counter.logged if one.event.subject == "shop"] == []
        await pause(counter)
        await counter.desk.resume("Di")
        await counter.desk.resume("Di")
        assert not await is_refused(counter)
        shop = [one.event for one in counter.logged if one.event.subject == "shop"]
        assert [(one.action, one.before, one.after, one.by, one.reason) for one in shop] == [
            ("pause", None, "paused", "Di", "Back soon."),
            ("resume", "paused", "open", "Di", None),
        ]


async def test_a_pause_survives_a_crash_and_the_ledger_keeps_its_promises() -> None:
    async with open_counter() as counter:
        paused = await pause(counter)
        await counter.crash()
        assert await is_refused(counter)
        assert (await counter.desk.count()).paused == paused
        longer = await pause(counter, 3600, "")
        await counter.crash()
        assert (await counter.desk.count()).paused == longer
        await counter.desk.resume()
        await counter.crash()
        assert not await is_refused(counter)
        assert counter.store.broken_promises() == []


async def test_customers_are_told_of_a_pause_only_once_it_is_committed() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.store.link.gone = True
        begun = Pause(counter.ledger.now() + 900)

        async def manager() -> None:
            with pytest.raises(LedgerUnavailable):
                await counter.desk.pause(begun)

        nursery.start_soon(manager)
        await settled()
        await counter.ref.ask(CheckRoom(ADDRESS, 400))
        assert (await counter.desk.count()).paused is None
        await trio.sleep(10)
        counter.store.link.gone = False
        await trio.sleep(10)
        assert (await counter.desk.count()).paused == begun, "it was written all the same"


async def test_a_paused_shop_says_so_before_that_its_queue_is_full() -> None:
    async with open_counter(Rules(max_waiting=1)) as counter:
        await counter.order(hold=0)
        with pytest.raises(QueueFull):
            await counter.order(hold=0)
        await pause(counter)
        assert await is_refused(counter)


async def test_orders_race_with_a_pause_and_each_is_placed_before_it_or_refused() -> None:
    async with open_counter() as counter:
        placed: list[int] = []
        refused: list[float] = []

        async def customer() -> None:
            try:
                placed.append((await counter.order(hold=0)).order.number)
            except Paused:
                refused.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            for n in range(12):
                nursery.start_soon(customer)
                if n == 5:
                    nursery.start_soon(pause, counter)
        assert len(placed) + len(refused) == 12
        assert sorted(placed) == list(range(1, len(placed) + 1))
        assert await is_refused(counter)
