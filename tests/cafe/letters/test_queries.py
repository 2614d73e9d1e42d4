"""The queries on both databases, and that a backlog of any size costs a page."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from cafe.ledger.checking import check
from cafe.ledger.department import Entry
from cafe.ledger.log import prune_some
from cafe.ledger.store import Store, Unit, open_store
from cafe.ledger.tables import events
from cafe.letters.department import LETTERS
from cafe.letters.letter import (
    HOUR,
    OPEN,
    PAUSES,
    Attempt,
    Change,
    Kind,
    Letter,
    Outbox,
    State,
    new_letter,
)
from cafe.letters.queries import (
    Wanted,
    begin_following,
    count_backlog,
    hasten,
    look_up,
    read_due,
    read_one,
    read_page,
)
from cafe.letters.tables import contents, entry_of, entry_of_position, letters
from tests.cafe.ledger.test_migrations import plans_of
from tests.cafe.letters.mailroom import EVENTS, event

NOW = 1_795_000_000.0
ADDRESS = "ada@example.org"


@pytest.fixture
def store(url: str) -> Generator[Store]:
    store = open_store(url)
    yield store
    store.close()


class Book:
    """A store that is written as the Mailer does."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.store.begin()

    def write(self, *entries: Entry, department: str = "letters") -> None:
        done = self.store.commit([Unit(department, entries, chained=False)])
        assert not done.refused

    def apply(self, change: Callable[[Outbox], list[Change]], *others: Entry, **named: Any) -> None:
        kept = self.store.read(lambda connection: look_up(connection, **named))
        changes = change(kept.outbox)
        texts = ("text" if one.before is None else None for one in changes)
        self.write(*map(entry_of, changes, texts), *others)

    def position(self) -> int:
        """Return how far the log goes."""
        return len(self.store.read(lambda c: c.execute(events.select()).all()))

    def add(self, booking_id: str, at: float, address: str = ADDRESS) -> Letter:
        """Let a booking be requested, and add the letter, with the position in one commit."""
        self.write(event(booking_id, "request", at), department="bookings")
        position = self.position()
        new = new_letter(
            position, booking_id, Kind.RECEIVED, at, address=address, domain="cafe.example"
        )
        followed = entry_of_position(position)
        self.apply(lambda outbox: [outbox.add(new, at)], followed, mailboxes=[new.mailbox])
        return new

    def attempt(self, letter: Letter, number: int, outcome: str, at: float) -> None:
        attempt = Attempt(letter.letter_id, number, at, outcome, None, 0.1)
        self.apply(lambda outbox: outbox.attempted(attempt, at), letter_ids=[letter.letter_id])

    def due(self, now: float) -> tuple[list[str], float | None]:
        found = self.store.read(lambda c: read_due(c, now, OPEN, 10))
        return [one.letter.booking_id for one in found.now], found.next_at

    def wrong(self) -> list[str]:
        found = self.store.read(lambda c: list(check(c, [EVENTS, LETTERS])))
        return [str(one) for one in found if one.findings]


def test_what_is_due_is_found_with_the_time_of_what_will_be(store: Store) -> None:
    book = Book(store)
    added = [book.add(f"b{n}", NOW + n, f"a{n}@example.org") for n in range(3)]
    assert book.due(NOW + 10) == (["b0", "b1", "b2"], None)
    assert book.due(NOW + 1) == (["b0", "b1"], NOW + 2)
    book.attempt(added[1], 1, "450", NOW + 20)
    assert book.due(NOW + 21) == (["b0", "b2"], NOW + 80)
    assert book.due(NOW + 80) == (["b0", "b2", "b1"], None)
    book.attempt(added[0], 1, "250", NOW + 30)
    assert book.due(NOW + 30)[0] == ["b2"]
    back = NOW - max(*PAUSES, HOUR) - 100
    store.maintain(lambda connection: hasten(connection, back))
    assert set(book.due(back)[0]) == {"b1", "b2"}
    assert book.wrong() == []


def test_a_turn_sees_the_queue_of_a_mailbox_and_what_was_sent_to_it(store: Store) -> None:
    book = Book(store)
    added = [book.add(f"b{n}", NOW + n) for n in range(8)]
    for number, letter in enumerate(added[:5]):
        assert book.due(NOW + 10 + number)[0] == [letter.booking_id]
        book.attempt(letter, 1, "250", NOW + 10 + number)
    assert book.due(NOW + 20) == ([], NOW + 10 + HOUR)
    counted = store.read(count_backlog)
    assert counted == {State.HELD: 2, State.DUE: 1, State.RETRYING: 0, State.SET_ASIDE: 0}
    book.attempt(added[5], 1, "550", NOW + 10 + HOUR)
    assert book.due(NOW + 10 + HOUR)[0] == ["b6"]
    assert book.wrong() == []


def test_pages_are_filtered_and_one_is_shown_with_its_text(store: Store) -> None:
    book = Book(store)
    added = [book.add(f"b{n}", NOW + n, f"a{n}@example.org") for n in range(5)]
    book.attempt(added[2], 1, "550", NOW + 10)
    page = store.read(lambda c: read_page(c, Wanted(state=State.SET_ASIDE)))
    assert [one.booking_id for one in page.letters] == ["b2"]
    assert [one.outcome for one in page.attempts[added[2].letter_id]] == ["550"]
    first = store.read(lambda c: read_page(c, Wanted(most=3)))
    assert ([one.booking_id for one in first.letters], first.goes_on) == (["b4", "b3", "b2"], True)
    before = first.letters[-1].position
    rest = store.read(lambda c: read_page(c, Wanted(most=3, before=before)))
    assert ([one.booking_id for one in rest.letters], rest.goes_on) == (["b1", "b0"], False)
    shown = store.read(lambda c: read_one(c, added[2].letter_id))
    assert shown is not None
    assert (shown.letter.state, shown.content, len(shown.attempts)) == (State.SET_ASIDE, "text", 1)
    assert store.read(lambda c: read_one(c, "let_9_0")) is None


def test_following_begins_with_the_events_from_then_on_and_only_once(store: Store) -> None:
    book = Book(store)
    book.write(event("b1", "request", NOW), department="bookings")
    assert store.maintain(begin_following) == 1
    book.write(event("b2", "request", NOW), department="bookings")
    assert store.maintain(begin_following) == 1
    book.write(entry_of_position(2))
    assert store.maintain(begin_following) == 2


def test_what_ended_long_ago_is_pruned_with_its_text(store: Store) -> None:
    book = Book(store)
    added = [book.add(f"b{n}", NOW + n, f"a{n}@example.org") for n in range(4)]
    book.attempt(added[0], 1, "250", NOW + 10)
    book.attempt(added[1], 1, "550", NOW + 10)
    book.attempt(added[2], 1, "450", NOW + 10)
    book.write(entry_of_position(book.position()))

    def prune(connection: Connection) -> int:
        return prune_some(connection, LETTERS, NOW + 20, [LETTERS])

    assert store.maintain(prune) == 2
    assert store.maintain(prune) == 0
    page = store.read(lambda c: read_page(c, Wanted()))
    assert [one.booking_id for one in page.letters] == ["b3", "b2"]
    assert len(store.read(lambda c: c.execute(contents.select()).all())) == 2
    assert book.wrong() == []


def test_each_of_the_checks_finds_what_breaks_it(store: Store) -> None:
    damages = {
        "stands where its last event": "UPDATE letters SET state = 'sent' WHERE state = 'held'",
        "tells of the booking's event": "UPDATE letters SET kind = 'declined'",
        "one letter at a time": "UPDATE letters SET state = 'due'",
        "is held as long as": "UPDATE letters SET state = 'sent' WHERE state = 'due'",
        "has a time for its next": "UPDATE letters SET due_at = NULL",
        "every attempt": "UPDATE letters SET attempts = 3",
        "every letter has a text": "DELETE FROM letter_contents",
        "gets one for each event": "UPDATE letters SET position = 2 WHERE booking_id = 'b1'",
        "of an event that was followed": "UPDATE letter_followed SET position = 2",
        "the same Message-ID": "UPDATE letters SET message_id = '<one@cafe.example>'",
        "as far as it goes": "UPDATE letter_followed SET position = 100",
    }
    book = Book(store)
    for number in range(2):
        book.add(f"b{number}", NOW + number)
    assert book.wrong() == []

    class UndoError(Exception):
        """Rolls back."""

    for sentence, statement in damages.items():
        found: list[str] = []

        def look(connection: Connection, sql: str = statement, into: list[str] = found) -> None:
            connection.exec_driver_sql(sql)
            into += [one.sentence for one in check(connection, [LETTERS]) if one.findings]
            raise UndoError

        with pytest.raises(UndoError):
            store.maintain(look)
        assert [one for one in found if sentence in one], sentence


def fill(connection: Connection, number: int) -> None:
    """Store letters, most of them sent, all to a few mailboxes."""
    rows = [
        {
            "letter_id": f"let_{n}",
            "position": n,
            "booking_id": f"b{n}",
            "kind": "received",
            "address": f"a{n % 10}@example.org",
            "mailbox": f"a{n % 10}@example.org",
            "message_id": f"<let_{n}@x>",
            "created_at": NOW,
            "state": "sent",
            "attempts": 0,
            "failures": 0,
            "ended_at": NOW + n,
        }
        for n in range(1, number)
    ]
    connection.execute(insert(letters), rows)


def test_what_is_due_listed_and_looked_up_is_found_by_indexes(durable_url: str) -> None:
    store = open_store(durable_url)
    store.maintain(lambda connection: fill(connection, 2_000))
    plans: list[str] = []

    def look(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE letters")
        for read in (
            lambda: read_due(connection, NOW, OPEN, 10),
            lambda: look_up(connection, mailboxes=["a1@example.org"], letter_ids=["let_5"]),
            lambda: read_page(connection, Wanted()),
            lambda: read_page(connection, Wanted(state=State.SET_ASIDE)),
            lambda: read_page(connection, Wanted(booking_id="b5")),
            lambda: read_one(connection, "let_5"),
            lambda: count_backlog(connection),
        ):
            plans.extend(plans_of(connection, read))

    store.maintain(look)
    store.close()
    of_ours = [plan for plan in plans if "letters" in plan]
    assert len(of_ours) >= 10
    for plan in of_ours:
        scans = plan.replace("SCAN letters USING INDEX", "")
        assert "SCAN letters" not in scans, plan
        assert "Seq Scan on letters" not in plan, plan
