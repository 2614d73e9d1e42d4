"""Trouble with PostgreSQL: stopped, frozen, locked, and taken by another shop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial

import pytest

from cafe.ledger.errors import DatabaseGone, DatabaseInUse, LedgerChanged
from cafe.ledger.postgresql_connection import driver_of
from cafe.ledger.store import Store, open_store
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.order_histories import Tickets, find, last_position, load, unit, unit_each
from tests.cafe.ledger.postgres import PASSWORD, PostgresServer

LOCK_TABLE = b"LOCK TABLE events IN ACCESS EXCLUSIVE MODE"


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database(TEMPLATE)


@pytest.fixture
def store(postgres: PostgresServer, database: str) -> Generator[Store]:
    store = open_store(postgres.url(database), busy_seconds=0.1)
    yield store
    store.close()


@pytest.fixture
def disconnect(postgres: PostgresServer, database: str) -> Callable[[], None]:
    """Return a function that ends the store's session and waits until it has ended."""
    return partial(disconnect_all, postgres, database)


def disconnect_all(postgres: PostgresServer, database: str) -> None:
    sessions = f"FROM pg_stat_activity WHERE datname = '{database}'"
    postgres.execute(f"SELECT pg_terminate_backend(pid, 5000) {sessions}")
    assert postgres.execute(f"SELECT count(*) {sessions}") == [(0,)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_work_goes_on_when_a_server_that_was_stopped_is_there_again(
    store: Store, postgres: PostgresServer, database: str, mode: str
) -> None:
    tickets = Tickets()
    store.commit(unit_each(tickets.delivered("a")))
    units = unit_each(tickets.delivered("b"))
    postgres.stop(mode)
    try:
        for _ in range(2):
            with pytest.raises(DatabaseGone, match=r"^The database cannot be used now: .*\.$"):
                store.commit(units)
        with pytest.raises(DatabaseGone):
            store.ping()
    finally:
        postgres.start()
    store.commit(units)
    with pytest.raises(DatabaseInUse):
        open_store(postgres.url(database))
    assert last_position(store) == 8


def test_a_commit_whose_answer_was_lost_is_not_written_twice(
    store: Store, disconnect: Callable[[], None]
) -> None:
    tickets = Tickets()
    units = unit_each(tickets.delivered("a", key="k"))
    committed = store.commit(units)
    # What the store knows when the answer to a commit is lost: what it has sent, and nothing else.
    store._last, store._unanswered = None, committed  # pyright: ignore[reportPrivateUsage]
    disconnect()
    with pytest.raises(DatabaseGone):
        store.commit(units)
    assert store.commit(units) == committed
    store.commit(unit_each(tickets.delivered("b")))
    assert last_position(store) == 8
    assert len(load(store).recent) == 2


def test_a_broken_connection_is_made_again_for_reading_too(
    store: Store, disconnect: Callable[[], None]
) -> None:
    changes = Tickets().delivered("a")
    store.commit([unit(*changes)])
    assert find(store, "a") == changes[-1].order
    disconnect()
    with pytest.raises(DatabaseGone):
        find(store, "a")
    assert find(store, "a") == changes[-1].order


def test_a_shop_that_came_in_between_keeps_the_database(
    store: Store, postgres: PostgresServer, database: str, disconnect: Callable[[], None]
) -> None:
    store.ping()
    disconnect()
    other = open_store(postgres.url(database))
    with pytest.raises(DatabaseGone):
        store.commit(unit_each(Tickets().delivered("a")))
    for _ in range(2):
        with pytest.raises(DatabaseInUse, match="Another shop"):
            store.commit(unit_each(Tickets().delivered("a")))
    other.close()


def test_what_a_shop_in_between_has_written_is_not_written_over(
    store: Store, postgres: PostgresServer, database: str, disconnect: Callable[[], None]
) -> None:
    tickets = Tickets()
    store.commit(unit_each(tickets.delivered("a")))
    disconnect()
    other = open_store(postgres.url(database))
    other.begin()
    other.commit(unit_each(Tickets(1).delivered("theirs")))
    other.close()
    with pytest.raises(DatabaseGone):
        store.ping()
    for _ in range(2):
        with pytest.raises(LedgerChanged):
            store.commit(unit_each(tickets.delivered("ours")))
    assert find(store, "ours") is None
    store.begin()
    store.commit(unit_each(Tickets(load(store).last_number).delivered("ours")))
    assert last_position(store) == 12


def test_a_session_of_its_own_that_the_server_still_has_does_not_lock_it_out(
    store: Store, postgres: PostgresServer, database: str
) -> None:
    tickets = Tickets()
    link = store._writer  # pyright: ignore[reportPrivateUsage] - the network's part is played here
    kept, link._connection = link._connection, None  # pyright: ignore[reportPrivateUsage]
    store.commit(unit_each(tickets.delivered("a")))
    assert last_position(store) == 4
    assert kept is not None
    kept.invalidate()
    kept.close()
    with pytest.raises(DatabaseInUse):
        open_store(postgres.url(database))


def test_a_server_that_is_frozen_is_a_database_gone_and_passes(
    store: Store,
) -> None:
    units = unit_each(Tickets().delivered("a"))
    link = store._writer  # pyright: ignore[reportPrivateUsage] - the session is a connection's
    with link.transaction(writing=False) as connection:
        session: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        driver_of(connection).answer_seconds = 0.05
    os.kill(session, signal.SIGSTOP)
    with pytest.raises(DatabaseGone, match="timeout"):
        store.commit(units)
    # Frozen, the session keeps the lock; that it is our own is no other shop.
    with pytest.raises(DatabaseGone, match="former session"):
        store.commit(units)
    os.kill(session, signal.SIGCONT)
    store.commit(units)
    assert last_position(store) == 4


def test_a_table_that_is_locked_for_too_long_is_a_database_gone_and_passes(
    store: Store, postgres: PostgresServer, database: str
) -> None:
    units = unit_each(Tickets().delivered("a"))
    with postgres.connect(database) as other, other.transaction():
        other.execute(LOCK_TABLE)
        with pytest.raises(DatabaseGone, match="lock timeout"):
            store.commit(units)
    store.commit(units)
    assert last_position(store) == 4


def test_a_login_that_is_refused_while_the_shop_runs_is_a_database_gone_and_passes(
    postgres: PostgresServer, database: str
) -> None:
    grant = "GRANT ALL ON SCHEMA public TO guarded; GRANT ALL ON ALL TABLES IN SCHEMA public TO "
    postgres.execute(f"{grant} guarded", database)
    store = open_store(postgres.url(database, f"guarded:{PASSWORD}"))
    with closing(store):
        units = unit_each(Tickets().delivered("a"))
        postgres.execute("ALTER ROLE guarded PASSWORD 'another'")
        try:
            disconnect_all(postgres, database)
            for _ in range(2):
                with pytest.raises(DatabaseGone):
                    store.commit(units)
        finally:
            postgres.execute(f"ALTER ROLE guarded PASSWORD '{PASSWORD}'")
        store.commit(units)
        assert last_position(store) == 4


def test_a_server_that_only_reads_is_a_database_gone_and_passes(
    store: Store, postgres: PostgresServer, database: str, disconnect: Callable[[], None]
) -> None:
    store.ping()
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    disconnect()
    with pytest.raises(DatabaseGone):
        store.ping()
    with pytest.raises(DatabaseGone, match="read-only"):
        store.ping()
    postgres.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    disconnect()
    with pytest.raises(DatabaseGone):
        store.ping()
    store.ping()
