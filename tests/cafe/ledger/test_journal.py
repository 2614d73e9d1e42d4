"""A journal holds each reply until all that was written before it is committed, and no longer.

Here the test is the committer: it takes what has gathered, and says when that is settled.
"""

from __future__ import annotations

from typing import Any

from actors import Reply
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.ledger.journal import Held, Item, Journal
from cafe.ledger.store import Unit
from tests.cafe.ledger.shelves import fill

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
        """Fail nobody."""


class Desk:
    """A journal, and what was told of it."""

    def __init__(self) -> None:
        self.rings = 0
        self.told: list[tuple[str, str]] = []
        self.journal = Journal("shelf", 1, self._ring, chained=True)

    def _ring(self) -> None:
        self.rings += 1

    def write(self, *jars: str) -> None:
        self.journal.write(*map(fill, jars))

    def reply(self, name: str) -> None:
        self.journal.reply(Noted(name, self.told), "done")

    def commit(self, most: int = MANY) -> list[str]:
        """Commit what has gathered, and give which jars."""
        return self.settle(self.journal.take(most))

    def settle(self, items: list[Item]) -> list[str]:
        for item in items:
            if isinstance(item, Held):
                item.settle()
        self.journal.settled(sum(isinstance(item, Unit) for item in items))
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
    assert desk.told == done("looks")
    desk.write("a")
    desk.commit()
    desk.reply("looks again")
    assert desk.told == done("looks", "looks again")
    assert desk.journal.take(MANY) == []


def test_a_reply_waits_for_all_that_was_written_before_it_and_for_nothing_else() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("first")
    desk.reply("looks")
    desk.write("b")
    desk.reply("second")
    assert desk.told == []
    assert desk.commit(most=1) == ["a"]
    assert desk.told == done("first", "looks")
    assert desk.commit(most=1) == ["b"]
    assert desk.told == done("first", "looks", "second")


def test_a_reply_that_comes_while_a_commit_is_under_way_waits_for_it() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("writes")
    under_way = desk.journal.take(MANY)
    desk.reply("looks")
    desk.write("b")
    desk.reply("writes too")
    assert desk.told == []
    desk.settle(under_way)
    assert desk.told == done("writes", "looks")
    assert jars_of(desk.journal.take(MANY)) == ["b"]


def test_replies_go_out_in_the_order_in_which_they_were_given() -> None:
    desk = Desk()
    names = [f"asker {number}" for number in range(20)]
    for number, name in enumerate(names):
        if number % 3 == 0:
            desk.write(name)
        desk.reply(name)
    while desk.journal.uncommitted:
        desk.commit(most=2)
    assert desk.told == done(*names)


def test_a_refusal_too_waits_for_what_led_to_it() -> None:
    desk = Desk()
    desk.write("a")
    desk.journal.refuse(Noted("refused", desk.told), NotRecorded("conflict"))
    assert desk.told == []
    desk.commit()
    assert desk.told == [("refused", "NotRecorded")]


def test_items_are_taken_in_order_with_the_replies_behind_the_last_unit() -> None:
    desk = Desk()
    for jar in "abcd":
        desk.write(jar)
        desk.reply(jar)
        desk.reply(jar)
    items = desk.journal.take(4)
    assert jars_of(items) == ["a", "b"]
    assert len(items) == 6
    assert desk.journal.has_units
    assert jars_of(desk.journal.take(MANY)) == ["c", "d"]
    assert not desk.journal.has_units
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
    desk.journal.on_commit(lambda: seen.append(len(desk.told)))
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


def test_when_a_journal_is_closed_those_who_wait_are_told_to_ask_again() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("writes")
    desk.reply("looks")
    desk.journal.close()
    assert desk.told == [("writes", "JournalClosed"), ("looks", "JournalClosed")]
    assert desk.journal.take(MANY) == []


def test_a_closed_journal_takes_nothing_and_refuses_every_reply() -> None:
    desk = Desk()
    desk.journal.close()
    desk.write("a")
    desk.reply("writes")
    desk.journal.refuse(Noted("refused", desk.told), NotRecorded("conflict"))
    assert [answer for _, answer in desk.told] == ["JournalClosed"] * 2
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
    assert desk.told == [("looks", "JournalClosed"), ("writes", "done")]
    assert called == []


def test_giving_up_refuses_those_who_wait_and_commits_what_was_written() -> None:
    desk = Desk()
    desk.write("a")
    desk.reply("writes")
    desk.reply("looks")
    desk.journal.give_up(LedgerUnavailable())
    assert [answer for _, answer in desk.told] == ["LedgerUnavailable"] * 2
    desk.write("b")
    desk.reply("writes too")
    assert desk.commit() == ["a", "b"]
    assert desk.told[2:] == done("writes too")
