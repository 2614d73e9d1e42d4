"""A copy at a front is loaded when it opens, after events that concern it, and after a gap."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from gc import collect
from typing import Any
from weakref import ref

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import Actor, ActorCrashed, Message
from cafe.bus.codec import decoder_of
from cafe.bus.copies import Copy, CopyingRef, FollowingCopy
from cafe.ledger.department import Event, Logged
from cafe.ledger.errors import LedgerUnavailable

pytestmark = pytest.mark.schedules


@dataclass(frozen=True, slots=True)
class Raise(Message["Keeper", int]):
    """Answered with the number, raised by so much."""

    by: int


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
        """Commit an event of each department, in one commit."""
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
    """Open a copy of a house's department `menu`."""
    copy = Copy(house.load, lambda logged: logged.department == "menu")
    await copy.begin(house, house)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(copy.run)
        yield copy
        nursery.cancel_scope.cancel()


async def test_it_is_loaded_again_only_for_events_that_concern_it() -> None:
    house = House()
    async with copied(house):
        assert house.shown == [1]
        house.happen("orders")
        await wait_all_tasks_blocked()
        assert house.shown == [1]
        house.happen("menu")
        await wait_all_tasks_blocked()
        assert house.shown == [1, 3]


async def test_many_events_cause_one_load_and_an_event_during_a_load_causes_another() -> None:
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


async def test_it_is_loaded_again_after_a_gap_and_after_a_fail_over() -> None:
    house = House()
    async with copied(house):
        for doubt in house.callbacks:
            house.number += 1
            await doubt()
            await wait_all_tasks_blocked()
        assert house.shown == [1, 2, 3]


async def test_a_load_is_retried_until_the_house_answers() -> None:
    house = House()
    house.failures += [LedgerUnavailable(), ActorCrashed("MenuKeeper")]
    async with copied(house):
        assert house.shown == [1]
        house.failures.append(ActorCrashed("MenuKeeper"))
        house.happen("menu")
        await trio.sleep(5)
        assert house.shown == [1, 2]


async def test_a_load_on_request_shows_changes_that_a_running_load_has_missed() -> None:
    house = House()
    async with copied(house) as copy:
        house.seconds = 1.0
        house.happen("menu")
        await trio.sleep(0.5)
        house.number = 10
        await copy.refresh()
        assert house.shown == [1, 2, 10]


class Keeper(Actor):
    """The actor whose number the copy shows."""

    @Raise.handler
    def raise_it(self, message: Raise) -> int:
        return message.by


class RaisedHouse(House):
    """A house that raises its number on request, in place of the client of a front."""

    async def ask(self, _of: str, _name: str, body: bytes, *_reading: object) -> int:
        self.number += decoder_of(Raise)(body).by
        return self.number


async def test_who_changes_something_is_answered_though_the_copy_cannot_be_loaded_then() -> None:
    house: Any = RaisedHouse()
    async with copied(house) as copy:
        keeper = CopyingRef(house, Keeper, {Raise}, copy)
        assert await keeper.ask(Raise(2)) == 3
        assert house.shown == [1, 3]
        house.failures += [LedgerUnavailable(), ActorCrashed("Keeper")]
        assert await keeper.ask(Raise(4)) == 7
        await trio.sleep(5)
        assert house.shown == [1, 3, 7]


class Follower:
    """A fake board: the sum of the positions of all events."""

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
        """Commit an event that the front misses."""
        self.number += 1
        self.sum += self.number

    async def read(self) -> int:
        found = self.sum
        await self.load()  # takes a while, and may fail
        return found


async def test_events_during_a_load_of_a_follower_are_applied_after_it() -> None:
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


async def test_a_follower_that_misses_an_event_during_a_load_is_loaded_again() -> None:
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
