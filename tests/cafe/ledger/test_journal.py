"""A journal holds each reply until all that was written before it is committed, and no longer.

First with the test in place of the committer, then with a handler that waits for its own commit,
and reads behind what its department has written.
"""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors import Reply
from actors.testing import settle
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from cafe.ledger.journal import Item, Journal
from cafe.ledger.store import Unit
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

MANY = 1_000


class Noted(Reply[Any]):
    """A reply without an asker, that is noted down when it goes out."""

    def __init__(self, name: str, notes: list[tuple[str, str]]) -> None:
        # Not the constructor of Reply, which wants an envelope: all that reads it is overridden.
        self._name = name
        self._notes = notes

    def send(self, answer: Any) -> bool:
        self._notes.append((self._name, str(answer)))
        return True

    def fail(self, error: Exception) -> bool:
        self._notes.append((self._name, type(error).__name__))
        return True

    def __del__(self) -> None:
        """Do nothing."""


class Desk:
    """A journal, and the answers that it sent."""

    def __init__(self) -> None:
        self.rings = 0
        self.answers: list[tuple[str, str]] = []
        self.journal = Journal("shelf", 1, self._ring, chained=True)

    def _ring(self) -> None:
        self.rings += 1

    def write(self, *jars: str) -> None:
        self.journal.write(*map(fill, jars))

    def reply(self, name: str) -> None:
        self.journal.reply(Noted(name, self.answers), "done")

    def commit(self, most: int = MANY) -> list[str]:
        """Commit what has gathered, and give which jars."""
        return self.settle(self.journal.take(most))

    def settle(self, items: list[Item]) -> list[str]:
        self.journal.settle(items)
        return jars_of(items)

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.journal.written, self.journal.committed, self.journal.uncommitted


def jars_of(items: list[Item]) -> list[str]:
    entries = [entry for item in items if isinstance(item, Unit) for entry in item.entries]
    return [entry.event.subject for entry in entries if entry.event is not None]


def done(*names: str) -> list[tuple[str, str]]:
    return [(name, "done") for name in names]


def test_where_nothing_is_uncommitted_a_reply_goes_out_at_once() -> None:
    desk = Desk()
    desk.reply("looks")
    assert desk.answers == done("looks")
    desk.write("a")
    desk.commit()
    desk.reply("looks again")
    assert desk.answers == done("looks", "looks again")
    assert desk.journal.take(MANY) == []


def test_a_reply_waits_for_all_that_was_written_before_it_and_for_nothing_else() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("first")
    desk.reply("looks")
    desk.write("b")
    desk.reply("second")
    assert desk.answers == []
    assert desk.commit(most=1) == ["a"]
    assert desk.answers == done("first", "looks")
    assert desk.commit(most=1) == ["b"]
    assert desk.answers == done("first", "looks", "second")


def test_a_reply_that_comes_while_a_commit_is_under_way_waits_for_it() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("writes")
    under_way = desk.journal.take(MANY)
    desk.reply("looks")
    desk.write("b")
    desk.reply("writes too")
    assert desk.answers == []
    desk.settle(under_way)
    assert desk.answers == done("writes", "looks")
    assert jars_of(desk.journal.take(MANY)) == ["b"]


def test_replies_are_sent_in_the_order_in_which_they_were_given() -> None:
    desk = Desk()
    names = [f"asker {number}" for number in range(20)]
    for number, name in enumerate(names):
        if number % 3 == 0:
            desk.write(name)
        desk.reply(name)
    while desk.journal.uncommitted:
        desk.commit(most=2)
    assert desk.answers == done(*names)


def test_a_refusal_too_waits_for_what_led_to_it() -> None:
    desk = Desk()
    desk.write("a")
    desk.journal.refuse(Noted("refused", desk.answers), NotRecorded("conflict"))
    assert desk.answers == []
    desk.commit()
    assert desk.answers == [("refused", "NotRecorded")]


def test_items_are_taken_in_order_with_the_replies_behind_the_last_unit() -> None:
    desk = Desk()
    for jar in "abcd":
        desk.write(jar)
        desk.reply(jar)
        desk.reply(jar)
    items = desk.journal.take(4)
    assert jars_of(items) == ["a", "b"]
    assert len(items) == 6
    assert jars_of(desk.journal.take(MANY)) == ["c", "d"]
    assert desk.journal.take(MANY) == []


def test_entries_written_together_are_one_unit() -> None:
    desk = Desk()
    desk.write("a", "b")
    assert desk.journal.take(MANY) == [Unit("shelf", (fill("a"), fill("b")), chained=True)]


def test_it_counts_what_is_written_and_committed_and_rings_for_each_unit() -> None:
    desk = Desk()
    for jar in "abc":
        desk.write(jar)
        desk.reply(jar)
    assert (desk.counts, desk.rings) == ((3, 0, 3), 3)
    desk.commit(most=1)
    assert desk.counts == (3, 1, 2)
    desk.commit()
    assert (desk.counts, desk.rings) == ((3, 3, 0), 3)


def test_a_callback_is_called_after_each_commit_when_its_replies_have_gone_out() -> None:
    desk, seen = Desk(), list[int]()
    desk.journal.on_commit(lambda: seen.append(len(desk.answers)))
    desk.write("a")
    desk.reply("writes")
    under_way = desk.journal.take(MANY)
    desk.reply("looks")
    assert seen == []
    desk.settle(under_way)
    desk.reply("looks again")
    assert seen == [2]
    desk.journal.on_commit(None)
    desk.write("b")
    desk.commit()
    assert seen == [2]


def test_when_a_journal_is_closed_held_replies_fail_with_journal_closed() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("writes")
    desk.reply("looks")
    desk.journal.close()
    assert desk.answers == [("writes", "JournalClosed"), ("looks", "JournalClosed")]
    assert desk.journal.take(MANY) == []


def test_a_closed_journal_takes_nothing_and_refuses_every_reply() -> None:
    desk = Desk()
    desk.journal.close()
    desk.write("a")
    desk.reply("writes")
    desk.journal.refuse(Noted("refused", desk.answers), NotRecorded("conflict"))
    assert [answer for _, answer in desk.answers] == ["JournalClosed"] * 2
    assert (desk.journal.take(MANY), desk.rings) == ([], 0)


def test_a_closed_journal_has_nothing_uncommitted() -> None:
    desk = Desk()
    desk.write("a")
    desk.write("b")
    under_way = desk.journal.take(1)
    desk.journal.close()
    assert desk.journal.uncommitted == 0
    desk.settle(under_way)
    assert desk.journal.uncommitted == 0


def test_what_was_under_way_when_a_journal_was_closed_is_answered_as_it_ends() -> None:
    desk, called = Desk(), list[None]()
    desk.journal.on_commit(lambda: called.append(None))
    desk.write("a")
    desk.reply("writes")
    under_way = desk.journal.take(MANY)
    desk.reply("looks")
    desk.journal.close()
    desk.settle(under_way)
    assert desk.answers == [("looks", "JournalClosed"), ("writes", "done")]
    assert called == []


def test_giving_up_refuses_held_replies_and_commits_what_was_written() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("writes")
    desk.reply("looks")
    desk.journal.give_up(LedgerUnavailable())
    assert [answer for _, answer in desk.answers] == ["LedgerUnavailable"] * 2
    desk.write("b")
    desk.reply("writes too")
    assert desk.commit() == ["a", "b"]
    assert desk.answers[2:] == done("writes too")


@pytest.mark.schedules(3)
async def test_a_commit_returns_when_it_is_written() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(SHELF)
        await journal.commit(fill("a"), fill("b"))
        assert (trio.current_time(), shop.subjects) == (1, ["a", "b"])


@pytest.mark.schedules(3)
async def test_a_commit_of_nothing_returns_at_once() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(SHELF)
        await journal.wait_settled()
        assert trio.current_time() == 0


@pytest.mark.schedules(3)
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


@pytest.mark.schedules(3)
async def test_a_journal_that_is_closed_commits_nothing() -> None:
    async with open_shop() as shop:
        journal, _ = await shop.ledger.open(SHELF)
        with pytest.raises(NotRecorded):
            await journal.commit(fill("a", TOO_LITTLE))
        for _ in range(2):
            with pytest.raises(JournalClosed):
                await journal.commit(fill("b"))
        assert shop.jars == {}


@pytest.mark.schedules(3)
async def test_what_is_cancelled_in_its_commit_is_committed_and_seen_behind_the_journal() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(SHELF)
        with trio.move_on_after(0.5):
            await journal.commit(fill("a"))
        assert await shop.ledger.read(load_jars) == {}
        assert await shop.ledger.read(load_jars, behind=journal) == {"a": 250}
        assert trio.current_time() == 1


@pytest.mark.schedules(3)
async def test_a_read_behind_a_refused_row_is_answered() -> None:
    async with open_shop(writing=1.0) as shop:
        journal, _ = await shop.ledger.open(GUESTBOOK)
        journal.write(sign(""))
        assert await shop.ledger.read(load_guests, behind=journal) == set()


@pytest.mark.schedules(3)
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
