"""The reader: an asker waits for its answer, not for a thread, and not for another's failure."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as ThreadEvent
from typing import Any, TypeVar

import pytest
import trio
from sqlalchemy import Connection, text

from actors.testing import settle
from cafe.ledger.errors import DatabaseGone, LedgerUnavailable, NotRecorded
from cafe.ledger.ledger import new_ledger, running
from cafe.ledger.reader import Reader
from cafe.ledger.runners import InThread
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.ledger.shelves import SHELF, fill, load_jars, open_shop

T = TypeVar("T")
Query = Callable[[Connection], Any]


class Bug(Exception):  # noqa: N818 - it is what it says
    """A query's own."""


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


def wrong(connection: Connection) -> object:
    return connection.exec_driver_sql("SELECT ?", (object(),)).all()


def buggy(_connection: Connection) -> object:
    raise Bug


def slow(_connection: Connection) -> object:
    raise DatabaseGone("The statement took too long.")


async def answer_of(reader: Reader, query: Query) -> object:
    try:
        return await reader.read(query)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return type(error)


async def answers_of(reader: Reader, *queries: Query) -> list[object]:
    """Ask all at once, and give the answers in that order."""
    answers: dict[int, object] = {}

    async def ask(place: int, query: Query) -> None:
        answers[place] = await answer_of(reader, query)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        async with trio.open_nursery() as asking:
            for place, query in enumerate(queries):
                asking.start_soon(ask, place, query)
        nursery.cancel_scope.cancel()
    return [answers[place] for place in range(len(queries))]


class CountingStore(FaultyStore):
    """Counts how often it was read."""

    reads = 0

    def read(self, query: Callable[[Connection], T]) -> T:
        self.reads += 1
        return super().read(query)


# Answers


@pytest.mark.schedules(10)
async def test_what_is_asked_at_once_is_answered_by_one_pass() -> None:
    store = CountingStore()
    answers = await answers_of(Reader(store, Disk(1.0)), *[one] * 100)
    assert answers == [1] * 100
    # The first who asked may have begun a pass alone.
    assert store.reads <= 2


@pytest.mark.schedules(10)
async def test_a_query_that_fails_fails_alone() -> None:
    store = CountingStore()
    answers = await answers_of(Reader(store, Disk(1.0)), one, wrong, one, buggy, one)
    assert answers == [1, NotRecorded, 1, Bug, 1]


@pytest.mark.schedules(10)
async def test_a_query_for_which_the_database_gives_no_answer_fails_alone() -> None:
    answers = await answers_of(Reader(FaultyStore(), Disk(1.0)), one, one, slow, one)
    assert answers == [1, 1, LedgerUnavailable, 1]


@pytest.mark.schedules(10)
async def test_while_the_database_is_away_all_are_refused_by_the_first_tries() -> None:
    store = CountingStore()
    store.link.gone = True
    reader = Reader(store, Disk(1.0))
    answers = await answers_of(reader, *[one] * 100)
    assert answers == [LedgerUnavailable] * 100
    # Each try may take as long as a time-out: not one for each asker.
    # (Once for the first asker, then for all and for two of them.)
    assert store.reads <= 4
    store.link.gone = False
    assert await answers_of(reader, one) == [1]


@pytest.mark.schedules(10)
async def test_what_is_committed_is_read() -> None:
    async with open_shop() as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a", 5))
        assert await shop.ledger.read(load_jars) == {}
        await shop.ledger.wait_written()
        assert await shop.ledger.read(load_jars) == {"a": 5}


# Reads and commits do not wait for each other


@pytest.mark.schedules(10)
async def test_reads_go_on_while_a_commit_stalls() -> None:
    async with open_shop(writing=100.0) as shop:
        clerk = await shop.open(SHELF)
        await shop.askers.ask(clerk, "ada", fill("a", 5))
        assert await shop.ledger.read(load_jars) == {}
        assert (trio.current_time(), shop.askers.of("ada")) == (0, None)


@pytest.mark.schedules(10)
async def test_commits_go_on_while_a_read_stalls() -> None:
    store, reading = FaultyStore(), Disk(0.0)
    ledger = new_ledger(store, trio.current_time, Disk(0.0), reading)
    async with running(ledger, grace=1.0), trio.open_nursery() as nursery:
        await ledger.read(one)
        reading.seconds = 100.0
        nursery.start_soon(ledger.read, one)
        await settle()
        await ledger.ping()
        assert trio.current_time() == 0
        nursery.cancel_scope.cancel()


@pytest.mark.schedules(10)
@pytest.mark.parametrize("begun", [False, True])
async def test_an_asker_that_is_cancelled_leaves_at_once(*, begun: bool) -> None:
    store = CountingStore()
    reader = Reader(store, Disk(10.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        if not begun:
            nursery.start_soon(reader.read, one)
            await trio.sleep(1)
        with trio.move_on_after(2):
            await reader.read(buggy)
        assert trio.current_time() == (2 if begun else 3)
        assert await reader.read(one) == 1
        # Nothing was looked up for an asker who had left before it began.
        assert store.reads == 2
        nursery.cancel_scope.cancel()


async def test_an_asker_that_is_cancelled_does_not_wait_for_a_thread_that_is_stuck() -> None:
    stuck, release = ThreadEvent(), ThreadEvent()

    def hang(_connection: Connection) -> None:
        stuck.set()
        release.wait()

    reader = Reader(FaultyStore(), InThread())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        async with trio.open_nursery() as asking:
            asking.start_soon(reader.read, hang)
            await trio.to_thread.run_sync(stuck.wait)
            asking.cancel_scope.cancel()
        assert not release.is_set()
        release.set()
        assert await reader.read(one) == 1
        nursery.cancel_scope.cancel()


async def test_a_call_is_run_in_a_thread_and_gives_what_it_gives() -> None:
    assert await InThread().run(lambda: 7) == 7


class ForgottenConnection(FaultyStore):
    """A store whose next look-up meets a connection that its server has forgotten."""

    forgotten = True

    def read(self, query: Callable[[Connection], T]) -> T:
        if self.forgotten:
            self.forgotten = False
            raise DatabaseGone("the server was restarted")
        return super().read(query)


@pytest.mark.schedules
async def test_the_first_look_up_after_a_restart_of_the_server_is_answered() -> None:
    reader = Reader(ForgottenConnection(), Disk())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        assert await reader.read(one) == 1
        nursery.cancel_scope.cancel()
