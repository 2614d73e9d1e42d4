"""The time never goes back behind the last event, unless that was far in the future."""

from __future__ import annotations

import pytest
import structlog.testing
import trio

from cafe.ledger.log import MOST_AHEAD
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.lives import NOON
from tests.cafe.ledger.shelves import SHELF, fill, open_shop


async def store_with(at: float) -> FaultyStore:
    """Give what is left of a process that wrote its last event at this time, and was killed."""
    async with open_shop() as shop:
        clerk = await shop.open(SHELF)
        await shop.told.ask(clerk, "ada", fill("a", at=at))
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
            await shop.told.ask(clerk, "bo", fill("b", at=shop.ledger.now()))
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
