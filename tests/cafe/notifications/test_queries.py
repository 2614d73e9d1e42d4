"""The queries on both databases, and that a backlog of any size costs a page."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Generator, Sequence
from time import perf_counter

import pytest
from sqlalchemy import Connection, insert

from cafe.ledger.checking import check
from cafe.ledger.department import Entry, Event
from cafe.ledger.ledger import new_ledger, running
from cafe.ledger.log import prune_some
from cafe.ledger.sending import Due
from cafe.ledger.store import Store, Unit, open_store
from cafe.ledger.tables import events
from cafe.notifications.department import NOTIFICATIONS
from cafe.notifications.notification import (
    PAUSES,
    Attempt,
    Change,
    Notification,
    Outbox,
    State,
    StatusChange,
    Subject,
    Topic,
)
from cafe.notifications.queries import (
    Lane,
    Wanted,
    hasten,
    load,
    look_up,
    look_up_subjects,
    read_due,
    read_page,
)
from cafe.notifications.sending import MOST_AT_ONCE, SENT
from cafe.notifications.tables import counts, entries_of, entry_of_positions, notifications
from tests.cafe.ledger.test_migrations import plans_of
from tests.cafe.notifications.post import EVENTS

NOW = 1_795_000_000.0
MANY = 100_000
FIRST = 1_000_000
LANES = [Lane(topic, state) for topic in Topic for state in SENT]


@pytest.fixture
def store(url: str) -> Generator[Store]:
    store = open_store(url)
    yield store
    store.close()


class Book:
    """A store that is written as the Notifier does."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.store.begin()

    def write(self, *entries: Entry, department: str = "notifications") -> None:
        done = self.store.commit([Unit(department, entries, chained=False)])
        assert not done.refused

    def apply(
        self, change: Callable[[Outbox], list[Change]], subjects: list[Subject], *others: Entry
    ) -> None:
        kept = self.store.read(lambda connection: look_up_subjects(connection, subjects))
        changes = change(kept.outbox)
        self.write(*entries_of(changes, kept.counts), *others)

    def note(self, subject_id: str, at: float, topic: Topic = Topic.ORDER) -> str:
        """Let an order or a booking change, note that with the position, and return its id."""
        position = 1 + len(self.store.read(lambda c: c.execute(events.select()).all()))
        self.write(Entry(Event(f"e{position}", "place", None, "waiting", at)), department="orders")
        event = StatusChange(position, topic, subject_id, '{"number": 17}', "waiting", at)
        followed = entry_of_positions({topic: position})
        self.apply(lambda outbox: outbox.note(event, at), [(topic, subject_id)], followed)
        return event.event_id

    def attempt(self, event_id: str, number: int, outcome: str, at: float) -> None:
        kept = self.store.read(lambda connection: look_up(connection, [event_id]))
        changes = kept.outbox.attempted(Attempt(event_id, number, at, outcome, 0.1), at)
        self.write(*entries_of(changes, kept.counts))

    def due(
        self, now: float, lanes: Sequence[Lane] = LANES, most: int = MOST_AT_ONCE
    ) -> tuple[list[str], float | None]:
        found = self.store.read(lambda c: read_due(c, now, lanes, lanes, most))
        return [one.subject_id for one in found.now], found.next_at

    def wrong(self) -> list[str]:
        found = self.store.read(lambda c: list(check(c, [EVENTS, NOTIFICATIONS])))
        return [str(one) for one in found if one.findings]


def test_what_is_due_is_found_with_the_time_of_what_will_be(store: Store) -> None:
    book = Book(store)
    ids = [book.note(f"o{number}", NOW + number) for number in range(3)]
    assert book.due(NOW + 10) == (["o0", "o1", "o2"], None)
    assert book.due(NOW + 1) == (["o0", "o1"], NOW + 2)
    book.attempt(ids[1], 1, "503", NOW + 20)
    assert book.due(NOW + 21) == (["o0", "o2"], NOW + 25)
    assert book.due(NOW + 25) == (["o0", "o2", "o1"], None)
    book.attempt(ids[0], 1, "200", NOW + 30)
    assert book.due(NOW + 30)[0] == ["o2", "o1"]
    book.store.maintain(lambda connection: hasten(connection, NOW - PAUSES[-1] - 100))
    assert set(book.due(NOW - PAUSES[-1] - 100)[0]) == {"o1", "o2"}


def test_a_topic_takes_no_place_of_another_and_is_not_waited_for_without_a_sender(
    store: Store,
) -> None:
    book = Book(store)
    for number in range(3):
        book.note(f"o{number}", NOW + number)
    for number in range(3):
        book.note(f"b{number}", NOW + 10 + number, Topic.BOOKING)
    assert book.due(NOW + 20, most=2) == (["o0", "o1", "b0", "b1"], None)
    assert book.due(NOW + 11) == (["o0", "o1", "o2", "b0", "b1"], NOW + 12)
    assert book.due(NOW + 11, LANES[:2]) == (["o0", "o1", "o2"], None)
    assert book.due(NOW, LANES[2:]) == ([], NOW + 10)
    assert book.wrong() == []


def test_an_order_and_a_booking_with_one_id_are_two_subjects(store: Store) -> None:
    book = Book(store)
    first = book.note("x", NOW)
    second = book.note("x", NOW + 1, Topic.BOOKING)
    third = book.note("x", NOW + 2)
    found = store.read(lambda connection: look_up(connection, [first, second, third]))
    sequences = [found.outbox.by_id[one].sequence for one in (first, second, third)]
    states = [found.outbox.by_id[one].state for one in (first, second, third)]
    assert (sequences, states) == ([1, 1, 2], [State.DUE, State.DUE, State.HELD])
    of_order = store.read(lambda c: read_page(c, Wanted(order_id="x")))
    of_booking = store.read(lambda c: read_page(c, Wanted(booking_id="x")))
    assert [one.event_id for one in of_order.notifications] == [third, first]
    assert [one.event_id for one in of_booking.notifications] == [second]
    assert book.wrong() == []


def test_one_behind_becomes_due_with_the_delivery_of_the_one_before(store: Store) -> None:
    book = Book(store)
    first, second = (book.note("o1", NOW + number) for number in range(2))
    assert book.due(NOW + 5)[0] == ["o1"]
    book.attempt(first, 1, "200", NOW + 6)
    found = store.read(lambda connection: look_up(connection, [second]))
    assert found.outbox.by_id[second].state is State.DUE
    assert found.counts == {State.DUE: 1, State.DELIVERED: 1, State.HELD: 0}
    assert book.wrong() == []


def test_pages_are_filtered_and_show_the_last_attempts(store: Store) -> None:
    book = Book(store)
    ids = [book.note(f"o{number}", NOW + number) for number in range(5)]
    for number in range(1, 8):
        book.attempt(ids[2], number, "503", NOW + 10 + number)
    page = store.read(lambda c: read_page(c, Wanted(state=State.SET_ASIDE)))
    assert [one.subject_id for one in page.notifications] == ["o2"]
    assert [one.number for one in page.attempts[ids[2]]] == [1, 2, 3, 4, 5, 6, 7]
    first = store.read(lambda c: read_page(c, Wanted(most=3)))
    assert ([one.subject_id for one in first.notifications], first.goes_on) == (
        ["o4", "o3", "o2"],
        True,
    )
    before = first.notifications[-1].position
    rest = store.read(lambda c: read_page(c, Wanted(most=3, before=before)))
    assert ([one.subject_id for one in rest.notifications], rest.goes_on) == (["o1", "o0"], False)
    assert book.wrong() == []


def test_what_was_delivered_long_ago_is_pruned_with_its_attempts(store: Store) -> None:
    book = Book(store)
    ids = [book.note(f"o{number}", NOW + number) for number in range(3)]
    for one in ids[:2]:
        book.attempt(one, 1, "200", NOW + 10)
    end = store.read(lambda c: len(c.execute(events.select()).all()))
    book.write(entry_of_positions({Topic.ORDER: end}))

    def prune(connection: Connection) -> int:
        return prune_some(connection, NOTIFICATIONS, NOW + 20, [NOTIFICATIONS])

    assert store.maintain(prune) == 1  # the log's last event is one of the other's
    assert store.maintain(prune) == 0
    page = store.read(lambda c: read_page(c, Wanted()))
    assert [one.subject_id for one in page.notifications] == ["o2", "o1"]
    assert book.wrong() == []


def test_each_of_the_checks_finds_what_breaks_it(store: Store) -> None:
    damages = {
        "stands where its last event": "UPDATE notifications SET state = 'set_aside', "
        "due_at = NULL",
        "are numbered as its events": "UPDATE notifications SET sequence = 5 WHERE sequence = 2",
        "is held as long as": "UPDATE notifications SET state = 'due', due_at = 1 "
        "WHERE state = 'held'",
        "has a time for its next": "UPDATE notifications SET due_at = NULL",
        "every attempt": "UPDATE notifications SET attempts = 3",
        "of an event that was followed": "UPDATE notification_followed SET position = 1",
        "as far as it goes": "UPDATE notification_followed SET position = 100",
        "the counts": "UPDATE notification_counts SET number = 9 WHERE state = 'due'",
    }
    book = Book(store)
    for number in range(2):
        book.note("o1", NOW + number)
    assert book.wrong() == []

    class UndoError(Exception):
        """Rolls back."""

    for sentence, statement in damages.items():
        found: list[str] = []

        def look(connection: Connection, sql: str = statement, into: list[str] = found) -> None:
            connection.exec_driver_sql(sql)
            into += [one.sentence for one in check(connection, [NOTIFICATIONS]) if one.findings]
            raise UndoError

        with pytest.raises(UndoError):
            store.maintain(look)
        assert [one for one in found if sentence in one], sentence


def fill(connection: Connection, number: int) -> None:
    """Store a backlog: an order each, due, retrying, or set aside, and others held behind it."""
    rows = [
        {
            "event_id": f"evt_{n}",
            "position": n,
            "topic": "order",
            "subject_id": f"o{n // 2}",
            "sequence": 1 + n % 2,
            "details": f'{{"number": {n}}}',
            "status": "waiting",
            "occurred_at": NOW,
            "state": "held" if n % 2 else ("due", "retrying", "set_aside")[n // 2 % 3],
            "attempts": 0,
            "failures": 0,
            "due_at": None if n % 2 or n // 2 % 3 == 2 else NOW + (n - FIRST) / 1_000,
        }
        for n in range(FIRST, FIRST + number)
    ]
    connection.execute(insert(notifications), rows)
    connection.execute(insert(counts), [{"state": "due", "number": number}])


def read_all_due(connection: Connection, now: float) -> Due[Notification]:
    """Return what is due, as the sending asks for it."""
    return read_due(connection, now, LANES, LANES, MOST_AT_ONCE)


async def test_a_backlog_costs_the_start_and_the_delivery_no_more_than_a_page() -> None:
    figures: dict[int, tuple[int, float]] = {}
    for number in (1_000, MANY):
        store = open_store("sqlite://")
        store.maintain(lambda connection, n=number: fill(connection, n))  # type: ignore[misc]
        ledger = new_ledger(store, lambda: NOW + 1_000)
        async with running(ledger, 1.0):
            await ledger.read(load)
            tracemalloc.start()
            began = perf_counter()
            _journal, kept = await ledger.open(NOTIFICATIONS)
            due = await ledger.read(lambda c: read_all_due(c, NOW + 1_000))
            page = await ledger.read(lambda c: read_page(c, Wanted(state=State.SET_ASIDE)))
            figures[number] = (tracemalloc.get_traced_memory()[1], perf_counter() - began)
            tracemalloc.stop()
            assert len(kept.outbox.by_id) == 0
            assert (len(due.now), len(page.notifications)) == (2 * MOST_AT_ONCE, 100)
        store.close()
    (few_bytes, few_seconds), (many_bytes, many_seconds) = figures[1_000], figures[MANY]
    assert many_bytes < 1.5 * few_bytes
    assert many_seconds < 5 * few_seconds + 0.05


def test_what_is_due_and_listed_is_found_by_indexes(durable_url: str) -> None:
    store = open_store(durable_url)
    plans: list[str] = []

    def look(connection: Connection) -> None:
        for read in (
            lambda: load(connection),
            lambda: read_all_due(connection, NOW),
            lambda: look_up(connection, ["a"]),
            lambda: look_up_subjects(connection, [(Topic.ORDER, "a")]),
            lambda: read_page(connection, Wanted()),
            lambda: read_page(connection, Wanted(state=State.SET_ASIDE)),
            lambda: read_page(connection, Wanted(order_id="a")),
            lambda: read_page(connection, Wanted(booking_id="a")),
        ):
            plans.extend(plans_of(connection, read))

    store.read(look)
    store.maintain(lambda c: plans.extend(plans_of(c, lambda: hasten(c, NOW))))
    store.close()
    of_ours = [plan for plan in plans if "notifications" in plan]
    assert len(of_ours) >= 10
    for plan in of_ours:
        scans = plan.replace("SCAN notifications USING INDEX", "")
        assert "SCAN notifications" not in scans, plan
        assert "Seq Scan on notifications" not in plan, plan
