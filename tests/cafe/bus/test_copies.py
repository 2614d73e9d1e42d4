"""A copy at a front: loaded when it opens, for each event that concerns it, and again in doubt."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from gc import collect
from typing import Any
from weakref import ref

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import ActorCrashed
from cafe.bus.copies import Copy, FollowingCopy
from cafe.ledger.department import Event, Logged
from cafe.ledger.errors import LedgerUnavailable

pytestmark = pytest.mark.schedules


class House:
    """A house of one number, in place of the client and the ledger of a front."""

    def __init__(self) -> None:
        self.number: int = 1
        self.shown = list[int]()
        self.failures = list[Exception]()
        self.seconds = 0.0
        self.running = 0
        self.callbacks = list[Callable[[], Awaitable[None]]]()
        self.hear: Callable[[Sequence[Logged]], None] | None = None

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        self.hear = callback

    def on_gap(self, callback: Callable[[], Awaitable[None]]) -> None:
        self.callbacks.append(callback)

    on_new_house = on_gap

    def happen(self, *departments: str) -> None:
        """Have something happen in each, in one commit."""
        assert self.hear is not None
        logged = list[Logged]()
        for department in departments:
            self.number += 1
            event = Event("x", "y", None, "z", 0.0)
            logged.append(Logged(self.number, department, event))
        self.hear(logged)

    async def load(self) -> None:
        self.running += 1
        assert self.running == 1
        number = self.number
        await trio.sleep(self.seconds)
        self.running -= 1
        if self.failures:
            raise self.failures.pop(0)
        self.shown.append(number)


@asynccontextmanager
async def copied(house: Any) -> AsyncGenerator[Copy]:
    """Open a copy of what a house has in its department `menu`."""
    copy = Copy(house.load, lambda logged: logged.department == "menu")
    await copy.begin(house, house)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy.run)
        yield copy
        nursery.cancel_scope.cancel()


async def test_it_is_loaded_again_for_what_concerns_it_and_for_nothing_else() -> None:
    house = House()
    async with copied(house):
        assert house.shown == [1]
        house.happen("orders")
        await wait_all_tasks_blocked()
        assert house.shown == [1]
        house.happen("menu")
        await wait_all_tasks_blocked()
        assert house.shown == [1, 3]


async def test_many_events_are_one_load_and_one_that_comes_while_it_loads_another() -> None:
    house = House()
    async with copied(house):
        house.seconds = 1.0
        for _ in range(3):
            house.happen("menu")
        await trio.sleep(0.5)
        house.happen("menu")
        await trio.sleep(5)
        assert house.shown == [1, 4, 5]


async def test_one_event_that_concerns_it_is_enough_in_a_commit_of_several() -> None:
    house = House()
    async with copied(house):
        house.happen("menu", "orders")
        await wait_all_tasks_blocked()
        assert house.shown == [1, 3]


async def test_what_changes_while_it_is_loaded_for_the_first_time_is_loaded_too() -> None:
    house = House()
    house.seconds = 1.0

    async def change() -> None:
        await trio.sleep(0.5)
        house.happen("menu")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(change)
        async with copied(house):
            await trio.sleep(5.0)
    assert house.shown == [1, 2]


async def test_it_is_loaded_again_after_a_gap_and_for_another_house() -> None:
    house = House()
    async with copied(house):
        for doubt in house.callbacks:
            house.number += 1
            await doubt()
            await wait_all_tasks_blocked()
        assert house.shown == [1, 2, 3]


async def test_it_is_retried_until_the_house_answers() -> None:
    house = House()
    house.failures += [LedgerUnavailable(), ActorCrashed("MenuKeeper")]
    async with copied(house):
        assert house.shown == [1]
        house.failures.append(ActorCrashed("MenuKeeper"))
        house.happen("menu")
        await trio.sleep(5)
        assert house.shown == [1, 2]


async def test_one_who_loads_it_finds_what_is_newer_than_the_call() -> None:
    house = House()
    async with copied(house) as copy:
        house.seconds = 1.0
        house.happen("menu")
        await trio.sleep(0.5)
        house.number = 10
        await copy.load()
        assert house.shown == [1, 2, 10]


class Follower:
    """A sum that follows the log, in place of a board: each event adds its position."""

    def __init__(self) -> None:
        self.sum = 0

    def begin(self, loaded: int) -> None:
        self.sum = loaded

    def hear(self, logged: Sequence[Logged]) -> None:
        self.sum += sum(one.position for one in logged)


class SummingHouse(House):
    """A house that knows the sum of all its events."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0

    def happen(self, *departments: str) -> None:
        super().happen(*departments)
        self.sum += self.number

    def miss(self) -> None:
        """Have something happen that the front does not hear of."""
        self.number += 1
        self.sum += self.number

    async def read(self) -> int:
        found = self.sum
        await self.load()  # which takes a while, and may fail
        return found


async def test_what_happens_while_a_follower_is_loaded_is_heard_behind_that() -> None:
    house: Any = SummingHouse()
    house.seconds = 1.0
    house.failures.append(LedgerUnavailable())
    follower = Follower()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(FollowingCopy(house.read, follower.begin, follower.hear).begin, house)
        for _ in range(3):
            await trio.sleep(0.6)
            house.happen("menu")
    assert follower.sum == house.sum == 2 + 3 + 4
    house.happen("menu")
    assert follower.sum == house.sum


async def test_what_a_follower_has_missed_is_loaded_also_while_it_is_loaded() -> None:
    house: Any = SummingHouse()
    house.seconds = 1.0
    follower = Follower()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(FollowingCopy(house.read, follower.begin, follower.hear).begin, house)
        await trio.sleep(0.5)
        house.miss()
        nursery.start_soon(house.callbacks[0])
        await trio.sleep(0.7)
        house.happen("menu")
    assert follower.sum == house.sum == 2 + 3


class Some(list[Logged]):
    """A commit, as a list to which a weak reference is possible."""


async def test_what_a_follower_hears_after_a_load_is_not_kept() -> None:
    house: Any = SummingHouse()
    follower = Follower()
    copy = FollowingCopy(house.read, follower.begin, follower.hear)
    await copy.begin(house)
    some = Some()
    kept = ref(some)
    house.hear(some)
    del some
    collect()
    assert kept() is None
