"""A handler that waits for its own commit, and reads behind what its department has written."""

from __future__ import annotations

import pytest
import trio

from actors.testing import settle
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from tests.cafe.ledger.shelves import (
    GUESTBOOK,
    SHELF,
    TOO_LITTLE,
    fill,
    load_guests,
    load_jars,
    open_shop,
    sign,
)

pytestmark = pytest.mark.schedules(3)


async def test_a_commit_returns_when_it_is_written() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(SHELF)
        await journal.commit(fill("a"), fill("b"))
        assert (trio.current_time(), shop.subjects) == (1, ["a", "b"])


async def test_a_commit_of_nothing_returns_at_once() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(SHELF)
        await journal.wait_settled()
        assert trio.current_time() == 0


async def test_a_row_that_is_refused_is_raised_where_it_was_written_and_nowhere_else() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(GUESTBOOK)
        refused: list[str] = []

        async def write(name: str) -> None:
            try:
                await journal.commit(sign(name))
            except NotRecorded as no:
                refused.append(no.reason)

        async with trio.open_nursery() as nursery:
            for name in ("zoe", "", "ada"):
                nursery.start_soon(write, name)
        assert refused == ["conflict"]
        await journal.commit(sign("bo"))
        assert shop.guests == {"zoe", "ada", "bo"}


async def test_a_journal_that_is_closed_commits_nothing() -> None:
    async with open_shop() as shop:
        journal, _ = await shop.ledger.open(SHELF)
        with pytest.raises(NotRecorded):
            await journal.commit(fill("a", TOO_LITTLE))
        for _ in range(2):
            with pytest.raises(JournalClosed):
                await journal.commit(fill("b"))
        assert shop.jars == {}


async def test_what_is_cancelled_in_its_commit_is_committed_and_seen_behind_the_journal() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(SHELF)
        with trio.move_on_after(0.5):
            await journal.commit(fill("a"))
        assert await shop.ledger.read(load_jars) == {}
        assert await shop.ledger.read(load_jars, behind=journal) == {"a": 250}
        assert trio.current_time() == 1


async def test_a_read_behind_a_refused_row_is_answered() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(GUESTBOOK)
        journal.write(sign(""))
        assert await shop.ledger.read(load_guests, behind=journal) == set()


async def test_when_the_ledger_gives_up_a_commit_is_refused_and_made_all_the_same() -> None:
    async with open_shop() as shop, trio.open_nursery() as nursery:
        journal, _ = await shop.ledger.open(SHELF)
        shop.store.link.gone = True

        async def write() -> None:
            with pytest.raises(LedgerUnavailable):
                await journal.commit(fill("a"))

        nursery.start_soon(write)
        await settle()
        shop.ledger.give_up()
        await settle()
        shop.store.link.gone = False
        await shop.ledger.wait_written()
        assert shop.jars == {"a": 250}
