"""A log that does not end where the shop has left it is not written to, on SQLite and a server."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from sqlalchemy import NullPool, create_engine, text

from cafe.ledger.checking import open_reader
from cafe.ledger.errors import LedgerChanged
from cafe.ledger.store import Store, open_store
from cafe.ledger.tables import metadata
from tests.cafe.ledger.order_histories import (
    Tickets,
    failure_of,
    find,
    last_position,
    unit,
    unit_each,
)

EVENT = """
    INSERT INTO events (position, department, subject, action, after, at)
    VALUES ({}, 'orders', 'theirs', 'place', 'waiting', 1.0)
"""
CHANGES = {
    "another shop has written": [EVENT.format(5)],
    "another shop has written an event of the same position": [
        "DELETE FROM events WHERE position = 4",
        EVENT.format(4),
    ],
    "the last commit is lost": ["DELETE FROM events WHERE position = 4"],
    "all is lost": [
        "DELETE FROM events",
        "DELETE FROM idempotency_keys",
        "DELETE FROM orders",
    ],
    "the last event is of another time": ["UPDATE events SET at = at + 1 WHERE position = 4"],
}


@pytest.fixture
def store(durable_url: str) -> Generator[Store]:
    """Yield a store that has written four events."""
    store = open_store(durable_url)
    store.commit(unit_each(Tickets().delivered("a")))
    yield store
    store.close()


def disconnect(store: Store) -> None:
    """Break the connection, as when a server fails over to its standby."""
    store._writer._disconnect()  # pyright: ignore[reportPrivateUsage]


def execute(url: str, statements: list[str]) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def rows_of(url: str) -> dict[str, list[tuple[object, ...]]]:
    with open_reader(url) as connection:
        return {
            name: [tuple(row) for row in connection.execute(table.select())]
            for name, table in metadata.tables.items()
        }


@pytest.mark.parametrize("statements", CHANGES.values(), ids=CHANGES)
def test_after_a_lost_connection_a_log_that_has_changed_is_refused_for_good(
    store: Store, durable_url: str, statements: list[str]
) -> None:
    disconnect(store)
    execute(durable_url, statements)
    before, placed = rows_of(durable_url), Tickets(1).place("ours")
    for _ in range(2):
        wrong = failure_of(store, [unit(placed)])
        assert isinstance(wrong, LedgerChanged)
        assert str(wrong).startswith("The database does not end with event 4, ")
        assert str(wrong).endswith(" Nothing was written; start the shop with the right database.")
    assert rows_of(durable_url) == before


def test_a_connection_that_was_lost_and_nothing_else_is_no_change(store: Store) -> None:
    for number, name in enumerate("bcd", 1):
        disconnect(store)
        store.commit(unit_each(Tickets(number).delivered(name)))
    assert last_position(store) == 16


def test_what_a_commit_without_an_answer_has_written_is_no_change(
    store: Store, durable_url: str
) -> None:
    units = unit_each(Tickets(1).delivered("b"))
    # The thread that was given up has committed, and never came back to say so.
    link = store._writer  # pyright: ignore[reportPrivateUsage]
    lost = Store(link, link)
    lost.begin()
    store._unanswered = lost.commit(units)  # pyright: ignore[reportPrivateUsage]
    disconnect(store)
    before = rows_of(durable_url)
    assert [one.position for one in store.commit(units).logged] == [5, 6, 7, 8]
    assert rows_of(durable_url) == before
    store.commit(unit_each(Tickets(2).delivered("c")))
    assert last_position(store) == 12


def test_a_process_that_starts_goes_on_from_what_is_there(store: Store, durable_url: str) -> None:
    store.close()
    execute(durable_url, CHANGES["another shop has written"])
    again = open_store(durable_url)
    last = again.begin()
    assert last is not None
    assert last.event.subject == "theirs"
    placed = Tickets(1).place("ours")
    assert [one.position for one in again.commit([unit(placed)]).logged] == [6]
    assert find(again, "ours") == placed.order
    again.close()
