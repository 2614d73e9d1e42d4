"""The ledger's clock is never before the last event; a ledger that is lost refuses all and ends."""

from __future__ import annotations

import pytest
import structlog.testing
import trio

from cafe.ledger.errors import LedgerChanged, LedgerUnavailable
from cafe.ledger.log import MOST_AHEAD
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.order_histories import NOON
from tests.cafe.ledger.shelves import GUESTBOOK, SHELF, Shop, fill, load_jars, open_shop, sign


async def store_with(at: float) -> FaultyStore:
    """Return what is left of a process that wrote its last event at this time, and was killed."""
    async with open_shop() as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a", at=at))
        await shop.ledger.wait_written()
        return shop.store.survivor()


@pytest.mark.schedules(5)
@pytest.mark.parametrize("back", [0.001, 60.0, MOST_AHEAD])
async def test_a_clock_that_was_set_back_a_little_goes_on_from_the_last_event(back: float) -> None:
    store, begun = await store_with(NOON), trio.current_time()
    with structlog.testing.capture_logs() as logs:
        async with open_shop(
            store, clock=lambda: NOON - back + trio.current_time() - begun
        ) as shop:
            assert shop.ledger.now() == pytest.approx(NOON, abs=1e-6)
            await trio.sleep(10)
            # At the machine's pace, so that leases and waits are as long as they should be.
            assert shop.ledger.now() == pytest.approx(NOON + 10, abs=1e-6)
    assert logs == []


@pytest.mark.schedules(5)
async def test_a_last_event_far_in_the_future_is_not_believed() -> None:
    store, begun = await store_with(NOON + 3_600), trio.current_time()
    with structlog.testing.capture_logs() as logs:
        async with open_shop(store, clock=lambda: NOON + trio.current_time() - begun) as shop:
            assert shop.ledger.now() == pytest.approx(NOON, abs=1e-6)
            clerk = await shop.open(SHELF)
            await shop.askers.ask(clerk, "bo", fill("b", at=shop.ledger.now()))
            await shop.ledger.wait_written()
            subjects = [one.event.subject for one in shop.store.logged]
            assert subjects == ["a", "clock 1", "b"]
    assert [(line["log_level"], line["seconds"]) for line in logs] == [("warning", 3_600)]


@pytest.mark.schedules(5)
async def test_a_clock_that_is_right_is_taken_as_it_is() -> None:
    store, begun = await store_with(NOON), trio.current_time()
    async with open_shop(store, clock=lambda: NOON + 86_400 + trio.current_time() - begun) as shop:
        assert shop.ledger.now() == pytest.approx(NOON + 86_400, abs=1e-6)
    async with open_shop(clock=lambda: NOON) as shop:
        assert shop.ledger.now() == NOON


pytestmark = pytest.mark.schedules(10)
SECONDS = 10.0


async def write_besides(shop: Shop) -> None:
    """Have another process write while the connection is lost."""
    with shop.store.link.transaction(writing=True) as connection:
        connection.exec_driver_sql("DELETE FROM events")
    shop.store.link.gone = True


@pytest.mark.parametrize("leaves", [False, True])
async def test_all_askers_are_refused_before_the_ledger_ends(*, leaves: bool) -> None:
    answers, lost_at = dict[str, str](), 0.0
    with pytest.RaisesGroup(LedgerChanged, flatten_subgroups=True, allow_unwrapped=True):
        async with open_shop(lost_seconds=SECONDS) as shop:
            shelf, book = await shop.open(SHELF), await shop.open(GUESTBOOK)
            await shop.askers.ask(shelf, "before", fill("a"))
            await trio.sleep(2)
            await write_besides(shop)
            await shop.askers.ask(shelf, "under way", fill("b"))
            await trio.sleep(2)
            for clerk, name, entry in (shelf, "gathered", fill("c")), (book, "too", sign("bo")):
                await shop.askers.ask(clerk, name, entry)
            shop.store.link.gone = False
            await shop.ledger.wait_lost()
            lost_at = trio.current_time()
            await shop.askers.ask(shelf, "after", fill("d"))
            with pytest.raises(LedgerUnavailable):
                await shop.ledger.read(load_jars)
            await shop.ledger.wait_written()  # nothing will be
            answers = dict(shop.askers.answers)
            if not leaves:
                await trio.sleep_forever()
    assert trio.current_time() - lost_at == pytest.approx(0 if leaves else SECONDS)
    refused = ("under way", "gathered", "too", "after")
    assert answers == {"before": "written", **dict.fromkeys(refused, "LedgerUnavailable")}


async def test_with_no_time_to_leave_the_ledger_ends_at_once() -> None:
    with pytest.RaisesGroup(LedgerChanged, flatten_subgroups=True, allow_unwrapped=True):
        async with open_shop() as shop:
            clerk = await shop.open(SHELF)
            await shop.askers.ask(clerk, "before", fill("a"))
            await trio.sleep(2)
            await write_besides(shop)
            await shop.askers.ask(clerk, "under way", fill("b"))
            await trio.sleep(2)
            shop.store.link.gone = False
            await trio.sleep_forever()
    assert trio.current_time() < 10
