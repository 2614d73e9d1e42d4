"""URLs that name a ledger, its two connections, and how a thread is ended that waits for one."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, make_url

from cafe.ledger.database import Link, open_database, open_links, upgrade
from cafe.ledger.errors import DatabaseGone, DatabaseInUse, LedgerError, NotALedger, SchemaBehind
from cafe.ledger.postgresql import PostgresDatabase
from cafe.ledger.postgresql_connection import CONNECT_SECONDS
from cafe.ledger.store import open_store
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.order_histories import Tickets, last_position, unit_each
from tests.cafe.ledger.postgres import PostgresServer

KEY = "INSERT INTO idempotency_keys VALUES ('192.0.2.1', '{}', 'a', 0)"
ORDER = (
    "INSERT INTO orders"
    " (order_id, number, drink, address, placed_at, bound, abandoned, status, lapsed)"
    " VALUES ('a', 1, 'americano', '192.0.2.1', 0, {0}, {0}, 'waiting', {0})"
)
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT 1 FROM n"
    " WHERE i < 0",
    "postgresql": "SELECT pg_sleep(600)",
}


@contextmanager
def links_to(url: str) -> Generator[tuple[Link, Link]]:
    writer, reader = open_links(open_database(url))
    with closing(writer), closing(reader):
        yield writer, reader


def add_order(connection: Connection) -> None:
    false = "false" if connection.dialect.name == "postgresql" else "0"
    connection.exec_driver_sql(ORDER.format(false))


def orders_in(link: Link) -> int:
    with link.transaction(writing=False) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM orders").scalar_one())


def test_a_reader_sees_what_is_committed_and_nothing_else(kept_url: str) -> None:
    with links_to(kept_url) as (writer, reader):
        assert orders_in(reader) == 0
        with writer.transaction(writing=True) as connection:
            add_order(connection)
            assert orders_in(reader) == 0
        assert orders_in(reader) == 1
        assert (writer.generation, reader.generation) == (1, 1)


def test_a_reader_in_the_middle_of_a_transaction_does_not_stop_the_writer(kept_url: str) -> None:
    with links_to(kept_url) as (writer, reader):
        with reader.transaction(writing=False) as connection:
            connection.exec_driver_sql("SELECT * FROM orders").all()
            with writer.transaction(writing=True) as other:
                add_order(other)
        assert orders_in(reader) == 1


@pytest.mark.parametrize("writing", [False, True])
def test_a_reader_cannot_write(kept_url: str, *, writing: bool) -> None:
    def write(link: Link) -> None:
        with link.transaction(writing=writing) as connection:
            add_order(connection)

    with links_to(kept_url) as (writer, reader):
        assert orders_in(writer) == 0
        with pytest.raises(DatabaseGone, match=r"read-?only"):
            write(reader)
        assert orders_in(reader) == 0


def test_a_reader_that_is_closed_leaves_the_ledger_owned(kept_url: str) -> None:
    with links_to(kept_url) as (writer, reader):
        assert orders_in(writer) == orders_in(reader) == 0
        reader.close()
        with pytest.raises(DatabaseInUse), links_to(kept_url) as (other, _):
            orders_in(other)
        assert orders_in(writer) == 0


def test_on_a_ledger_in_memory_both_are_one_link() -> None:
    database = open_database("sqlite://")
    writer, reader = open_links(database)
    assert database.shares_connection
    assert writer is reader
    writer.close()


def test_two_threads_that_share_a_link_never_see_each_other_s_half_written_rows() -> None:
    writing, seen = Event(), list[int]()

    def look() -> None:
        writing.wait()
        seen.append(orders_in(reader))

    with links_to("sqlite://") as (writer, reader), ThreadPoolExecutor() as pool:
        looked = pool.submit(look)
        with writer.transaction(writing=True) as connection:
            writing.set()
            add_order(connection)
            assert seen == []
        looked.result()
    assert seen == [1]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("DELETE FROM alembic_version", SchemaBehind),
        ("UPDATE alembic_version SET version_num = '9999'", NotALedger),
    ],
)
def test_a_reader_refuses_tables_of_another_version(
    postgres: PostgresServer, statement: str, error: type[Exception]
) -> None:
    name = postgres.new_database(TEMPLATE)
    postgres.execute(statement, name)
    with links_to(postgres.url(name)) as (_, reader), pytest.raises(error):
        orders_in(reader)


def test_a_reader_s_statement_that_hangs_ends_early_and_leaves_its_connection_whole(
    shared_url: str,
) -> None:
    database = PostgresDatabase(make_url(shared_url), busy_seconds=2.0, reading_answer_seconds=0.3)
    with closing(Link(database, reading=True)) as reader:
        with pytest.raises(DatabaseGone, match="statement timeout"):
            run(reader, ENDLESS["postgresql"])
        assert orders_in(reader) == 0
        assert reader.generation == 1


def test_a_server_that_is_frozen_keeps_a_reader_for_no_longer_than_its_time_out(
    shared_url: str,
) -> None:
    database = PostgresDatabase(make_url(shared_url), busy_seconds=2.0, reading_answer_seconds=0.3)
    with closing(Link(database, reading=True)) as reader:
        with frozen(reader), pytest.raises(DatabaseGone, match="timeout"):
            orders_in(reader)
        assert orders_in(reader) == 0


def test_connecting_to_a_frozen_server_times_out(postgres: PostgresServer, shared_url: str) -> None:
    with links_to(shared_url) as links:
        with postgres.frozen(), ThreadPoolExecutor() as pool:
            began = monotonic()
            stuck = [pool.submit(orders_in, link) for link in links]
            assert all(isinstance(future.exception(), DatabaseGone) for future in stuck)
        assert monotonic() - began < CONNECT_SECONDS + 2
        assert [orders_in(link) for link in links] == [0, 0]


def run(link: Link, statement: str) -> None:
    with link.transaction(writing=False) as connection:
        connection.exec_driver_sql(statement).all()


@contextmanager
def frozen(link: Link) -> Generator[None]:
    """Freeze the session that a link has at the server."""
    with link.transaction(writing=False) as connection:
        session: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    os.kill(session, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(session, signal.SIGCONT)


def give_up(link: Link, stuck: Future[Any]) -> None:
    """Abort until the thread has left its transaction: SQLite is deaf between two statements."""
    while not stuck.done():
        link.abort()
        wait([stuck], timeout=0.05)


@pytest.mark.parametrize("reading", [False, True])
def test_a_transaction_that_is_aborted_by_another_thread_ends_and_the_next_one_works(
    kept_url: str, *, reading: bool
) -> None:
    kind = make_url(kept_url).get_backend_name()
    begun = Event()

    def hang() -> None:
        with link.transaction(writing=not reading) as connection:
            begun.set()
            connection.exec_driver_sql(ENDLESS[kind]).all()

    with links_to(kept_url) as links, ThreadPoolExecutor() as pool:
        link = links[reading]
        stuck = pool.submit(hang)
        begun.wait()
        give_up(link, stuck)
        assert isinstance(stuck.exception(), DatabaseGone)
        assert orders_in(link) == 0


def test_a_transaction_that_is_aborted_between_two_statements_is_not_committed(
    kept_url: str,
) -> None:
    def write(link: Link) -> None:
        with link.transaction(writing=True) as connection:
            add_order(connection)
            link.abort()

    with links_to(kept_url) as (writer, _):
        with pytest.raises(DatabaseGone):
            write(writer)
        assert orders_in(writer) == 0


def test_a_thread_that_waits_for_a_frozen_server_can_be_freed(shared_url: str) -> None:
    with (
        links_to(shared_url) as (writer, _),
        ThreadPoolExecutor() as pool,
    ):
        with frozen(writer):
            stuck = pool.submit(orders_in, writer)
            give_up(writer, stuck)
            assert isinstance(stuck.exception(), DatabaseGone)
        assert orders_in(writer) == 0


def test_giving_up_where_nothing_runs_changes_nothing(kept_url: str) -> None:
    with links_to(kept_url) as (writer, reader):
        for link in (writer, reader):
            link.abort()
            assert orders_in(link) == 0
            link.abort()
            assert orders_in(link) == 0
            assert link.generation == 1
    writer.abort()


SECRET = "s3cret"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_ledger_without_a_file_is_in_memory(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(url)
    store.commit(unit_each(Tickets().delivered("a")))
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///cafe.db").close()
    assert (tmp_path / "cafe.db").exists()


@pytest.mark.parametrize("name", ["two words.db", "100%.db", "café#1.db", "file:x"])
def test_a_file_may_be_called_what_it_likes(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{name}"
    store = open_store(url)
    store.commit(unit_each(Tickets().delivered("a")))
    store.close()
    store = open_store(url)
    assert last_position(store) == 4
    store.close()
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cafe.db",
        "sqlite:/cafe.db",
        "sqlite://cafe.db",
        "sqlite:///cafe.db?mode=ro",
        "postgres://cafe@localhost/cafe",
        "postgresql://cafe:s3cret@localhost/cafe",
        "postgresql+asyncpg://cafe:s3cret@localhost/cafe",
        "mysql://cafe:s3cret@localhost/cafe",
        "postgresql+psycopg://cafe:x@localhost:s3cret/cafe",
        "://:s3cret@",
    ],
)
def test_a_url_that_names_no_ledger_is_refused_with_what_would_without_its_password(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for opening in (open_store, upgrade):
        with pytest.raises(LedgerError, match=r"^[^\n]*sqlite:///FILE[^\n]*\.$") as caught:
            opening(url)
        assert SECRET not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_a_database_gone_without_a_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://cafe:{SECRET}@/cafe?host={tmp_path}&password={SECRET}"
    with pytest.raises(
        DatabaseGone, match=r"^The database cannot be used now: [^\n]*\.$"
    ) as caught:
        open_store(url)
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.__cause__)


def test_upgrading_a_file_makes_it_and_lets_it_go(file: Path) -> None:
    upgrade(f"sqlite:///{file}")
    upgrade(f"sqlite:///{file}")
    open_store(f"sqlite:///{file}").close()


# A folder in the place of a file: that stops root as well, which no permission stops.


def test_a_lock_that_cannot_be_written_is_named(file: Path) -> None:
    lock = file.with_name("cafe.db.lock")
    lock.mkdir()
    with pytest.raises(LedgerError, match=rf"^Cannot write {lock}: Is a directory\.$"):
        open_store(f"sqlite:///{file}")


def test_a_file_whose_log_cannot_be_written_is_a_database_gone(file: Path) -> None:
    open_store(f"sqlite:///{file}").close()
    file.with_name("cafe.db-wal").mkdir()
    with pytest.raises(DatabaseGone, match="unable to open"):
        open_store(f"sqlite:///{file}")
    file.with_name("cafe.db-wal").rmdir()
    open_store(f"sqlite:///{file}").close()
