"""Followers see every event once, in the order of its position; the committer does not wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import trio

from actors.testing import settle
from cafe.ledger import log as log_module
from cafe.ledger.department import Event, Logged, Put
from cafe.ledger.ledger import Ledger
from cafe.ledger.log import Log
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.shelves import GUESTBOOK, SHELF, fill, open_shop, sign

pytestmark = pytest.mark.schedules(10)


def logged(first: int, last: int) -> list[Logged]:
    """Return events, such as a database would give them."""
    return [
        Logged(position, "shelf", Event(f"jar {position}", "fill", None, "full", 0.0))
        for position in range(first, last + 1)
    ]


@dataclass
class Pages:
    """A database of so many events, whose pages take a second to read."""

    last: int = 0
    size: int = 3
    asked: list[int] = field(default_factory=list[int])

    async def read(self, after: int) -> list[Logged]:
        self.asked.append(after)
        await trio.sleep(1)
        return logged(after + 1, min(self.last, after + self.size))


@dataclass
class Follower:
    """Keeps what it has seen, and may take its time for each batch."""

    log: Log | Ledger
    after: int = 0
    seconds: float = 0.0
    seen: list[int] = field(default_factory=list[int])
    batches: list[int] = field(default_factory=list[int])

    async def run(self) -> None:
        async with self.log.follow(self.after) as batches:
            async for batch in batches:
                self.seen += [one.position for one in batch]
                self.batches.append(len(batch))
                await trio.sleep(self.seconds)


def up_to(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))


async def test_a_follower_that_is_up_to_date_gets_each_commit_from_memory() -> None:
    pages = Pages()
    log = Log(pages.read)
    async with trio.open_nursery() as nursery:
        follower = Follower(log)
        nursery.start_soon(follower.run)
        await settle()
        for first in (1, 3, 5):
            log.add(logged(first, first + 1))
            await settle()
        assert (follower.seen, follower.batches, pages.asked) == (up_to(6), [2, 2, 2], [])
        nursery.cancel_scope.cancel()


async def test_what_memory_does_not_hold_is_read_in_pages() -> None:
    pages = Pages(last=7)
    log = Log(pages.read)
    log.begin(7)
    async with trio.open_nursery() as nursery:
        follower = Follower(log)
        nursery.start_soon(follower.run)
        await trio.sleep(10)
        assert (follower.seen, follower.batches) == (up_to(7), [3, 3, 1])
        log.add(logged(8, 9))
        await settle()
        assert (follower.seen, pages.asked) == (up_to(9), [0, 3, 6])
        nursery.cancel_scope.cancel()


async def test_a_follower_begins_after_its_position_in_the_middle_of_memory() -> None:
    pages = Pages()
    log = Log(pages.read, most=10)
    log.begin(100)
    log.add(logged(101, 120))
    async with trio.open_nursery() as nursery:
        # The oldest in memory, one in its middle, its last.
        followers = [Follower(log, after) for after in (110, 115, 119)]
        for follower in followers:
            nursery.start_soon(follower.run)
        await settle()
        assert [follower.seen for follower in followers] == [
            up_to(120, 111),
            up_to(120, 116),
            [120],
        ]
        assert pages.asked == []
        nursery.cancel_scope.cancel()


async def test_one_further_behind_than_memory_reads_pages_until_it_gets_there() -> None:
    pages = Pages(last=20, size=6)
    log = Log(pages.read, most=10)
    log.add(logged(1, 20))
    async with trio.open_nursery() as nursery:
        follower = Follower(log)
        nursery.start_soon(follower.run)
        await trio.sleep(10)
        assert (follower.seen, pages.asked) == (up_to(20), [0, 6])
        nursery.cancel_scope.cancel()


async def test_an_event_that_is_read_from_the_database_before_the_commit_returns_comes_once() -> (
    None
):
    # The thread has committed 4 and 5, and the event loop does not know it yet.
    pages = Pages(last=5, size=10)
    log = Log(pages.read)
    log.begin(3)
    async with trio.open_nursery() as nursery:
        follower = Follower(log)
        nursery.start_soon(follower.run)
        await trio.sleep(2)
        assert follower.seen == up_to(5)
        log.add(logged(4, 5))
        await settle()
        assert follower.seen == up_to(5)
        log.add(logged(6, 7))
        await settle()
        assert follower.seen == up_to(7)
        nursery.cancel_scope.cancel()


async def test_followers_are_independent_of_each_other() -> None:
    log = Log(Pages().read)
    async with trio.open_nursery() as nursery:
        followers = [Follower(log, seconds=seconds) for seconds in (0.0, 2.0, 30.0)]
        for follower in followers:
            nursery.start_soon(follower.run)
        await settle()
        for position in range(1, 11):
            log.add(logged(position, position))
            await trio.sleep(1)
        assert len(followers[0].batches) == 10
        assert 1 < len(followers[1].batches) < 10
        assert followers[2].batches == [1]
        await trio.sleep(100)
        assert [follower.seen for follower in followers] == [up_to(10)] * 3
        # Slow ones get more at a time.
        assert followers[2].batches == [1, 9]
        nursery.cancel_scope.cancel()


async def test_a_slow_follower_never_delays_a_commit() -> None:
    async with open_shop(writing=1.0) as shop, trio.open_nursery() as nursery:
        follower = Follower(shop.ledger, seconds=1_000.0)
        nursery.start_soon(follower.run)
        clerk = await shop.open(SHELF)
        for jar in "abc":
            await shop.askers.ask(clerk, jar, fill(jar))
            await shop.ledger.wait_written()
        await settle()
        assert shop.askers.times == {"a": 1, "b": 2, "c": 3}
        await trio.sleep(1_000)
        assert follower.seen == up_to(3)
        nursery.cancel_scope.cancel()


async def test_a_follower_sees_the_events_of_every_department_as_they_were_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_module, "PAGE", 2)
    store = FaultyStore()
    async with open_shop(store) as shop:
        shelf, book = await shop.open(SHELF), await shop.open(GUESTBOOK)
        for name in "abcde":
            await shop.askers.ask(shelf, name, fill(name))
            await shop.askers.ask(book, name, sign(name))
        await shop.ledger.wait_written()
    got = list[Logged]()

    # In another process: all that was committed before it is read from the database.
    async with open_shop(store.survivor()) as shop, trio.open_nursery() as nursery:

        async def follow() -> None:
            async with shop.ledger.follow(0) as batches:
                async for batch in batches:
                    got.extend(batch)

        nursery.start_soon(follow)
        await trio.sleep(1)
        assert got == shop.store.logged
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "more", fill("f", 7))
        await shop.ledger.wait_written()
        await settle()
        assert [one.position for one in got] == up_to(11)
        # From memory an event comes with its rows.
        (put,) = got[-1].changes
        assert isinstance(put, Put)
        assert put.row == ("f", 7, None, None)
        nursery.cancel_scope.cancel()


async def test_no_follower_sees_an_event_that_is_not_committed() -> None:
    async with open_shop(writing=1.0) as shop, trio.open_nursery() as nursery:
        follower = Follower(shop.ledger)
        nursery.start_soon(follower.run)
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a"))
        shop.store.link.gone = True
        await trio.sleep(10)
        assert follower.seen == []
        shop.store.link.gone = False
        await shop.ledger.wait_written()
        await settle()
        assert follower.seen == [1]
        nursery.cancel_scope.cancel()


async def test_a_listener_is_called_once_with_what_each_commit_adds() -> None:
    heard = list[list[int]]()

    def hear(added: Sequence[Logged]) -> None:
        heard.append([one.position for one in added])

    async with open_shop() as shop:
        shop.ledger.listen(hear)
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "first", fill("a"))
        await shop.askers.ask(clerk, "second", fill("b"))
        await shop.askers.ask(clerk, "third", fill("c"))
        shop.store.link.mute = 2
        await shop.ledger.wait_written()
        assert heard == [[1], [2, 3]]


async def test_a_batch_has_no_more_events_than_its_follower_takes() -> None:
    log = Log(Pages().read)
    log.add(logged(1, 5))
    async with log.follow(0, most=2) as batches:
        got = [[one.position for one in await anext(batches)] for _ in range(3)]
    assert got == [[1, 2], [3, 4], [5]]


async def test_a_follower_leaves_at_any_time() -> None:
    log = Log(Pages(last=5).read)
    log.begin(5)
    for seconds in (0.5, 1.5, 5.0):
        with trio.move_on_after(seconds) as scope:
            await Follower(log).run()
        assert scope.cancelled_caught
    async with log.follow(0) as batches:
        assert [one.position for one in await anext(batches)] == up_to(3)
