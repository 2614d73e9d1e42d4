"""A ledger that a standby watches sends heartbeats, and is lost as soon as another owns it."""

from __future__ import annotations

import pytest
import trio

from cafe.ledger.errors import DatabaseGone, DatabaseInUse, LedgerUnavailable
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.shelves import SHELF, fill, load_jars, open_shop

pytestmark = pytest.mark.schedules(10)
SECONDS = 0.5


class WatchedStore(FaultyStore):
    """A store whose owner has to send heartbeats; notes when it does."""

    def __init__(self, seconds: float | None = SECONDS) -> None:
        super().__init__()
        self._seconds = seconds
        self.times: list[float] = []
        self.failure: Exception | None = None

    @property
    def heartbeat_seconds(self) -> float | None:
        return self._seconds

    def heartbeat(self) -> None:
        self.times.append(trio.current_time())
        if self.failure is not None:
            raise self.failure
        super().heartbeat()


async def test_an_idle_ledger_shows_signs_of_life_and_writes_nothing() -> None:
    store = WatchedStore()
    async with open_shop(store, writing=0.0) as shop:
        await trio.sleep(10)
        assert len(store.times) == pytest.approx(20, abs=1)
        assert (shop.ledger.statistics().groups, shop.subjects) == (0, [])


async def test_a_ledger_that_no_standby_watches_shows_none() -> None:
    store = WatchedStore(None)
    async with open_shop(store):
        await trio.sleep(10)
    assert store.times == []


async def test_a_commit_does_not_wait_for_signs_of_life_that_were_due_while_one_took_long() -> None:
    store = WatchedStore()
    async with open_shop(store, writing=7.0) as shop:
        await trio.sleep(10)
        clerk = await shop.open(SHELF)
        await shop.ledger.wait_written()
        before = len(store.times)
        begun = trio.current_time()
        await shop.askers.ask(clerk, "ada", fill("a"))
        await trio.sleep(30)
        # One that is under way takes seven seconds here, then the commit its own.
        assert shop.askers.times["ada"] - begun <= 14
        assert len(store.times) - before <= 5


async def test_an_idle_ledger_that_another_process_has_taken_is_lost_at_the_next_sign() -> None:
    store = WatchedStore()
    with pytest.RaisesGroup(DatabaseInUse, flatten_subgroups=True, allow_unwrapped=True):
        async with open_shop(store, writing=0.0) as shop:
            clerk = await shop.open(SHELF)
            await trio.sleep(2)
            taken_at, store.failure = trio.current_time(), DatabaseInUse("taken")
            with trio.fail_after(2 * SECONDS):
                await shop.ledger.wait_lost()
            assert trio.current_time() - taken_at <= SECONDS
            await shop.askers.ask(clerk, "after", fill("a"))
            assert shop.askers.of("after") == "LedgerUnavailable"
            with pytest.raises(LedgerUnavailable):
                await shop.ledger.read(load_jars)


async def test_what_is_written_in_an_outage_that_a_sign_of_life_met_is_committed() -> None:
    store = WatchedStore()
    async with open_shop(store, writing=0.0) as shop:
        clerk = await shop.open(SHELF)
        store.link.gone, store.failure = True, DatabaseGone("gone")
        await trio.sleep(2)
        await shop.askers.ask(clerk, "ada", fill("a"))
        assert shop.askers.of("ada") is None
        store.link.gone, store.failure = False, None
        await trio.sleep(2)
        assert shop.askers.of("ada") == "written"
        assert shop.subjects == ["a"]


async def test_a_sign_of_life_after_a_commit_without_an_answer_changes_nothing() -> None:
    store = WatchedStore()
    async with open_shop(store, writing=0.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "before", fill("a"))
        await trio.sleep(1)
        store.link.mute = 1
        await shop.askers.ask(clerk, "ada", fill("b"))
        store.heartbeat()
        await trio.sleep(2)
        assert shop.askers.of("ada") == "written"
        assert shop.subjects == ["a", "b"]
