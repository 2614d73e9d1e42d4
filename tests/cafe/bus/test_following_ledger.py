"""A front's ledger follows the house's log, and detects missed events."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio

from cafe.bus.batches import Changed, Happened, Heartbeat
from cafe.bus.following_ledger import MOST_AHEAD, RETRY_SECONDS, FollowingLedger
from cafe.bus.house_client import HouseClient
from cafe.ledger.department import Drop, Logged, Put
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.reader import Query
from tests.cafe.ledger.shelves import boxes, jars

pytestmark = pytest.mark.schedules

EVENT = ("jar 1", "fill", None, "full", 12.5, "Bo", None, None)


class HouseOnPaper:
    """A fake client: the test is its house."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.pages: list[int] = []
        self.refusals: list[LedgerUnavailable] = []
        self.heartbeat: Any = None

    def on_heartbeat(self, callback: object) -> None:
        self.heartbeat = callback

    async def wait_for_house(self) -> None:
        await self.begun.wait()

    async def read(self, query: Query[list[Logged]]) -> list[Logged]:
        after: int = cast("Any", query).keywords["after"]
        self.pages.append(after)
        await trio.lowlevel.checkpoint()
        if self.refusals:
            raise self.refusals.pop()
        return [logged(position) for position in range(after + 1, 9)]

    def say(self, position: int, *changes: Changed, events: int = 1, now: float = 1000.0) -> None:
        """Send a heartbeat with the last `events` events up to a position."""
        happened = [Happened("shelf", EVENT, list(changes)) for _ in range(events)]
        self.heartbeat(Heartbeat("house", 1, now, position, happened))


def logged(position: int) -> Logged:
    return Logged(position, "shelf", cast("Any", EVENT))


def following(house: HouseOnPaper) -> FollowingLedger:
    return FollowingLedger(cast("HouseClient", house), trio.current_time, [jars, boxes])


def positions_heard(ledger: FollowingLedger) -> list[int]:
    heard: list[int] = []
    ledger.listen(lambda some: heard.extend(one.position for one in some))
    return heard


async def test_it_begins_at_the_house_s_position_and_gets_later_events() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    heard = positions_heard(ledger)
    house.say(40)
    assert ledger.statistics().position == 40
    house.say(43, events=3)
    assert heard == [41, 42, 43]
    assert ledger.statistics().position == 43
    assert ledger.statistics().events == 3


async def test_events_have_their_changes_with_tables_and_rows() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    heard: list[Logged] = []
    ledger.listen(heard.extend)
    house.say(1)
    row = ("plum", 250, None, None)
    house.say(2, Changed(True, "jars", row), Changed(False, "boxes", ("red",)))
    assert heard[0].changes == (Put(jars, row), Drop(boxes, ("red",)))
    assert list(map(type, heard[0].changes)) == [Put, Drop]  # as tuples they would be equal
    assert heard[0].event == EVENT


async def test_a_table_that_only_a_newer_house_has_is_left_out() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    heard: list[Logged] = []
    ledger.listen(heard.extend)
    house.say(1)
    house.say(2, Changed(True, "spoons", ("tea",)))
    assert heard == [Logged(2, "shelf", cast("Any", EVENT), ())]


async def test_a_repeated_event_is_ignored() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    heard = positions_heard(ledger)
    house.say(1)
    for position, events in ((3, 2), (2, 1), (3, 2), (4, 3), (1, 1)):
        house.say(position, events=events)
    assert heard == [2, 3, 4]


async def test_after_a_gap_everything_is_loaded_again_and_following_goes_on() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    heard, loads = positions_heard(ledger), list[int]()

    async def load() -> None:
        await trio.lowlevel.checkpoint()
        loads.append(ledger.statistics().position)

    ledger.on_gap(load)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.run)
        house.say(1)
        house.say(7, events=2)
        await trio.sleep(0.1)
        house.say(8)
        nursery.cancel_scope.cancel()
    assert heard == [6, 7, 8]
    assert loads == [7]


@pytest.mark.parametrize(("position", "loads"), [(2, 0), (3, 1)])
async def test_one_missed_event_has_everything_loaded_again_and_none_does_not(
    position: int, loads: int
) -> None:
    house = HouseOnPaper()
    ledger = following(house)
    loaded: list[None] = []

    async def load() -> None:
        await trio.lowlevel.checkpoint()
        loaded.append(None)

    ledger.on_gap(load)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.run)
        house.say(1)
        house.say(position, events=1)
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert len(loaded) == loads


async def test_what_is_missed_during_a_load_is_loaded_too() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    loaded: list[int] = []

    async def load() -> None:
        position = ledger.statistics().position
        await trio.sleep(1.0)
        loaded.append(position)

    ledger.on_gap(load)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.run)
        house.say(1)
        house.say(5, events=0)
        await trio.sleep(0.5)
        house.say(9, events=0)
        await trio.sleep(5.0)
        nursery.cancel_scope.cancel()
    assert loaded == [5, 9]


async def test_a_heartbeat_without_events_at_a_later_position_is_a_gap_too() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    loads: list[None] = []

    async def load() -> None:
        await trio.lowlevel.checkpoint()
        loads.append(None)

    ledger.on_gap(load)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.run)
        house.say(1)
        house.say(5, events=0)
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert loads == [None]
    assert ledger.statistics().position == 5


async def test_a_load_that_fails_is_retried() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    tries: list[float] = []

    async def load() -> None:
        await trio.lowlevel.checkpoint()
        tries.append(trio.current_time())
        if len(tries) < 3:
            raise RuntimeError("the house is gone again")

    ledger.on_gap(load)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ledger.run)
        house.say(1)
        house.say(9, events=0)
        await trio.sleep(10 * RETRY_SECONDS)
        nursery.cancel_scope.cancel()
    assert len(tries) == 3


async def test_a_follower_behind_a_gap_reads_the_missed_events_from_the_house() -> None:
    house = HouseOnPaper()
    house.refusals.append(LedgerUnavailable())
    ledger = following(house)
    house.say(2)
    found: list[int] = []
    async with ledger.follow(2) as batches:
        house.say(8, events=1)
        async for batch in batches:
            found += [one.position for one in batch]
            if found[-1] == 8:
                break
    assert found == [3, 4, 5, 6, 7, 8]
    assert house.pages == [2, 2]  # the first was refused


async def test_its_time_is_that_of_the_house() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    house.say(1, now=5_000.0)
    began = ledger.now()
    assert began == pytest.approx(5_000.0, abs=0.5)
    await trio.sleep(60)
    assert ledger.now() == pytest.approx(5_060.0, abs=0.5)
    house.say(1, now=5_061.0, events=0)
    assert ledger.now() == pytest.approx(5_061.0, abs=0.5)
    house.say(1, now=5_040.0, events=0)
    assert ledger.now() == pytest.approx(5_040.0, abs=0.5)


async def test_its_time_does_not_follow_each_delay_of_the_bus() -> None:
    house = HouseOnPaper()
    ledger = following(house)
    house.say(1, now=5_000.0)
    house.say(1, now=5_000.0 - 0.9 * MOST_AHEAD, events=0)
    assert ledger.now() == 5_000.0
