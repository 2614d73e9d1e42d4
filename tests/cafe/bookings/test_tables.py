"""The tables of bookings on both databases: what is kept, and what the database itself refuses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from math import inf

import pytest
from sqlalchemy import Connection, NullPool, create_engine, insert, update
from sqlalchemy.exc import IntegrityError

from cafe.bookings.booking import Action, Booking, BookingChange, Status, Step, begin, take
from cafe.bookings.department import BOOKINGS
from cafe.bookings.queries import (
    Wanted,
    ended,
    find_bookings,
    load,
    load_secret,
    prune,
    read_page,
)
from cafe.bookings.table import DiningTable, TableAction, TableChange, TableStatus, TableType
from cafe.bookings.tables import bookings, entry_of, entry_of_table
from cafe.ledger.checking import check
from cafe.ledger.department import Entry
from cafe.ledger.store import Store, Unit, open_store

NOW = 1_795_000_000.0
CABIN = DiningTable("t1", 1, TableType.CABIN, 6, 1_500)
ROOM = DiningTable("t2", 2, TableType.ROOM, 20, 0, TableStatus.OPEN)


def booking(
    booking_id: str,
    start: float,
    end: float,
    status: Status = Status.REQUESTED,
    table: DiningTable = CABIN,
) -> Booking:
    return Booking(
        booking_id,
        table.table_id,
        table.number,
        status,
        NOW + start,
        NOW + end,
        4,
        "ada@xn--mnchen-3ya.example",
        "+49 30 1234567",
        "Ada 'O' Löwe \U0001f981",
        NOW + 0.123456,
        NOW + 0.123456,
        step_id=booking_id,
    )


def commit(store: Store, *entries: Entry) -> list[int]:
    """Commit each entry as a turn of its own, in one group; return which were refused."""
    done = store.commit([Unit("bookings", (entry,)) for entry in entries])
    return sorted(done.refused)


def opened(url: str) -> Store:
    """Return a store that has both tables."""
    store = open_store(url)
    store.begin()
    added = [TableChange(TableAction.ADD, None, one) for one in (CABIN, ROOM)]
    assert commit(store, *(entry_of_table(one, NOW, "mia") for one in added)) == []
    return store


def moved(one: Booking, action: Action) -> BookingChange:
    return take(Step(action, "step", "mia", "because"), one, one.asked_at)


def broken(store: Store) -> list[str]:
    found = store.read(lambda connection: list(check(connection, [BOOKINGS])))
    return [str(one) for one in found if one.findings]


def test_what_is_kept_is_loaded(durable_url: str) -> None:
    asked = booking("b1", 10, 20)
    direct = booking("b2", 30.5, 40.25, Status.ACCEPTED, ROOM)._replace(account_id="löwe")
    closed = TableChange(
        TableAction.CLOSE, TableStatus.OPEN, CABIN._replace(status=TableStatus.CLOSED)
    )
    declined = moved(asked, Action.DECLINE)
    with closing(opened(durable_url)) as store:
        changes = (begin(asked), begin(direct, "mia"), declined)
        assert commit(store, *map(entry_of, changes), entry_of_table(closed, NOW + 2, "mia")) == []
    with closing(open_store(durable_url)) as store:
        store.begin()
        stored = store.read(partial(load, now=-inf))
        assert set(stored.bookings) == {declined.booking, direct}
        assert set(stored.tables) == {closed.table, ROOM}
        assert store.read(partial(find_bookings, booking_ids=["b2", "b9"])) == [(direct, ROOM)]
        assert broken(store) == []


def test_only_what_is_not_over_or_not_decided_is_loaded(durable_url: str) -> None:
    ids = {
        "over": booking("over", -20, -10, Status.ACCEPTED),
        "now": booking("now", -5, 5, Status.ACCEPTED),
        "undecided": booking("undecided", -20, -10, table=ROOM),
        "coming": booking("coming", 5, 15),
    }
    with closing(opened(durable_url)) as store:
        commit(store, *(entry_of(begin(one)) for one in ids.values()))
        stored = store.read(partial(load, now=NOW))
    assert {one.booking_id for one in stored.bookings} == {"now", "undecided", "coming"}


def test_the_secret_is_made_once(durable_url: str) -> None:
    with closing(open_store(durable_url)) as store:
        first = store.maintain(load_secret)
        assert store.maintain(load_secret) == first
        assert len(first) == 32
    with closing(open_store(durable_url)) as store:
        assert store.maintain(load_secret) == first


OVERLAPS = {
    "the same": (10, 20),
    "within": (12, 18),
    "around": (5, 25),
    "before and into": (5, 10.000001),
    "from within": (19.999999, 30),
}


@pytest.mark.parametrize("period", OVERLAPS.values(), ids=OVERLAPS)
def test_the_database_refuses_an_accepted_booking_that_overlaps_another(
    durable_url: str, period: tuple[float, float]
) -> None:
    first = booking("b1", 10, 20, Status.ACCEPTED)
    second = booking("b2", *period)
    with closing(opened(durable_url)) as store:
        requested = begin(second)
        accepted = moved(second, Action.ACCEPT)
        direct = begin(second._replace(booking_id="b3", status=Status.ACCEPTED))
        assert commit(store, entry_of(begin(first)), entry_of(requested)) == []
        assert commit(store, entry_of(direct)) == [0]
        assert commit(store, entry_of(accepted)) == [0]
        (request,) = broken(store)
        assert "no request is open for a time that is taken" in request
        assert "bookings b2" in request


def test_the_database_takes_what_touches_another_table_or_was_cancelled(durable_url: str) -> None:
    first = booking("b1", 10, 20, Status.ACCEPTED)
    changes = [
        begin(first),
        begin(booking("before", 5, 10, Status.ACCEPTED)),
        begin(booking("behind", 20, 25, Status.ACCEPTED)),
        begin(booking("elsewhere", 10, 20, Status.ACCEPTED, ROOM)),
        moved(first, Action.CANCEL),
        begin(booking("again", 10, 20, Status.ACCEPTED)),
    ]
    with closing(opened(durable_url)) as store:
        # In one group, where the last states of all rows are written by one statement.
        assert commit(store, *map(entry_of, changes)) == []
        assert broken(store) == []


def raw(durable_url: str, *rows: Booking) -> Connection:
    """Return a connection with these rows, past all code of the house."""
    connection = create_engine(durable_url, poolclass=NullPool).connect()
    for row in rows:
        connection.execute(insert(bookings).values(row))
    return connection


def test_a_raw_insert_and_a_raw_update_are_refused_too(durable_url: str) -> None:
    opened(durable_url).close()
    one, other = booking("b1", 10, 20, Status.ACCEPTED), booking("b2", 15, 25)
    with raw(durable_url, one, other) as connection:
        accept = update(bookings).where(bookings.c.booking_id == "b2").values(status="accepted")
        with pytest.raises(IntegrityError):
            connection.execute(accept)
    with raw(durable_url, one) as connection, pytest.raises(IntegrityError):
        connection.execute(insert(bookings).values(other._replace(status=Status.ACCEPTED)))


def ids(page: Sequence[tuple[Booking, DiningTable]]) -> list[str]:
    return [one.booking_id for one, _ in page]


def test_pages_are_in_the_order_of_time_and_hold_what_is_wanted(durable_url: str) -> None:
    listed = [
        booking("c", 10, 20),
        booking("a", 10, 20, Status.ACCEPTED, ROOM),
        booking("b", 5.5, 12),
        booking("d", 40, 50),
    ]
    with closing(opened(durable_url)) as store:
        commit(store, *(entry_of(begin(one)) for one in listed))

        def page(**wanted: object) -> tuple[list[str], bool]:
            found = store.read(partial(read_page, wanted=Wanted(**wanted)))  # type: ignore[arg-type] # each as the field has it
            return ids(found.bookings), found.goes_on

        assert page() == (["b", "a", "c", "d"], False)
        assert page(most=2) == (["b", "a"], True)
        assert page(most=2, behind=(NOW + 10, "a")) == (["c", "d"], False)
        assert page(behind=(NOW + 5.5, "b"), most=1) == (["a"], True)
        assert page(statuses=(Status.ACCEPTED,)) == (["a"], False)
        assert page(statuses=(Status.ACCEPTED, Status.REQUESTED), most=3) == (["b", "a", "c"], True)
        assert page(statuses=(Status.DECLINED,)) == ([], False)
        assert page(starts_at=NOW + 12, ends_at=NOW + 40) == (["a", "c"], False)
        assert page(ends_at=NOW + 10) == (["b"], False)


def test_what_was_over_long_ago_is_deleted(durable_url: str) -> None:
    listed = [
        booking("old", -20, -10, Status.ACCEPTED),
        booking("undecided", -20, -10),
        booking("new", 10, 20),
    ]
    with closing(opened(durable_url)) as store:
        commit(store, *(entry_of(begin(one)) for one in listed))
        found = store.read(lambda connection: connection.execute(ended(NOW)).scalars().all())
        assert found == ["old"]
        store.maintain(lambda connection: connection.execute(prune(["old"])))
        left = store.read(partial(load, now=-inf)).bookings
    assert {one.booking_id for one in left} == {"undecided", "new"}
