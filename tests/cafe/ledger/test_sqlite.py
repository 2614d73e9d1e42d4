"""Trouble with a SQLite file: nothing is half written, and when it has passed, work goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cafe.ledger.database import Link
from cafe.ledger.errors import DatabaseGone, LedgerError, NotALedger, RowRefused
from cafe.ledger.sqlite import FileDatabase
from cafe.ledger.store import Store, open_store
from tests.cafe.ledger.order_histories import Tickets, find, last_position, unit, unit_each
from tests.cafe.ledger.owner import ROOT


@pytest.fixture
def quick_store(file: Path) -> Generator[Store]:
    store = open_store(f"sqlite:///{file}", busy_seconds=0.02)
    yield store
    store.close()


@contextmanager
def locked(file: Path) -> Generator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_lock_held_for_too_long_is_a_database_gone_and_passes(
    quick_store: Store, file: Path
) -> None:
    tickets = Tickets()
    quick_store.commit(unit_each(tickets.delivered("a")))
    units = unit_each(tickets.delivered("b"))
    with locked(file):
        with pytest.raises(DatabaseGone, match=r"^The database cannot .*: database is locked\.$"):
            quick_store.commit(units)
        with pytest.raises(DatabaseGone):
            quick_store.ping()
    quick_store.ping()
    quick_store.commit(units)
    assert last_position(quick_store) == 8


def test_a_locked_database_can_still_be_read(quick_store: Store, file: Path) -> None:
    changes = Tickets().delivered("a")
    quick_store.commit([unit(*changes)])
    with locked(file):
        assert find(quick_store, "a") == changes[-1].order
        assert last_position(quick_store) == 4


def test_a_file_that_is_locked_at_the_start_is_a_database_gone(file: Path) -> None:
    open_store(f"sqlite:///{file}").close()
    with locked(file), pytest.raises(DatabaseGone):
        open_store(f"sqlite:///{file}", busy_seconds=0.02)
    open_store(f"sqlite:///{file}").close()


def test_a_full_disk_takes_nothing_back_and_work_goes_on_when_there_is_room(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.cafe.ledger.full_disk", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The database cannot be used now: ")


def test_a_full_database_is_a_database_gone_and_passes(quick_store: Store) -> None:
    link = quick_store._writer  # pyright: ignore[reportPrivateUsage] - the pragma is a connection's
    tickets = Tickets()
    with link.transaction(writing=False) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no fewer than there are
    units = [one for number in range(99) for one in unit_each(tickets.delivered(f"order {number}"))]
    with pytest.raises(DatabaseGone, match="full"):
        quick_store.commit(units)
    assert find(quick_store, "order 0") is None
    with link.transaction(writing=False) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    quick_store.commit(units)
    assert last_position(quick_store) == len(units)


def test_a_commit_that_fails_at_its_very_end_leaves_no_transaction_open(quick_store: Store) -> None:
    link = quick_store._writer  # pyright: ignore[reportPrivateUsage] - the store commits no such
    stray = "INSERT INTO idempotency_keys VALUES ('192.0.2.1', 'k', 'nobody', 0)"

    def write() -> None:
        with link.transaction(writing=True) as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            connection.exec_driver_sql(stray)

    with pytest.raises(RowRefused):
        write()
    quick_store.commit(unit_each(Tickets().delivered("a")))
    assert last_position(quick_store) == 4


def test_a_file_is_written_so_that_a_commit_is_on_the_disk(quick_store: Store) -> None:
    link = quick_store._writer  # pyright: ignore[reportPrivateUsage] - pragmas are a connection's
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with link.transaction(writing=False) as connection:
        assert wanted == {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted
        }


def test_a_new_ledger_is_for_its_owner_only_and_an_old_one_stays_as_it_is(file: Path) -> None:
    def modes() -> set[int]:
        return {one.stat().st_mode & 0o777 for one in file.parent.glob("cafe.db*") if one != lock}

    lock = file.with_name(file.name + ".lock")
    before = os.umask(0)
    try:
        with closing(open_store(f"sqlite:///{file}")) as store:
            store.commit(unit_each(Tickets().delivered("a")))
            assert file.with_name(file.name + "-wal").exists()
            assert modes() == {0o600}
        file.chmod(0o640)
        with closing(open_store(f"sqlite:///{file}")) as store:
            assert last_position(store) == 4
            assert modes() == {0o640}
    finally:
        os.umask(before)


def test_a_file_that_was_moved_away_takes_no_more_promises(quick_store: Store, file: Path) -> None:
    tickets = Tickets()
    quick_store.commit(unit_each(tickets.delivered("a")))
    units, aside = unit_each(tickets.delivered("b")), file.with_name("aside.db")
    file.rename(aside)
    for again in (False, True):
        if again:
            quick_store._writer._disconnect()  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(DatabaseGone):
            quick_store.commit(units)
        assert not file.exists()
    aside.rename(file)
    quick_store.commit(units)
    assert last_position(quick_store) == 8


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_a_file_that_was_cut_short_takes_no_more_promises(
    quick_store: Store, file: Path, left: int
) -> None:
    tickets = Tickets()
    quick_store.commit(unit_each(tickets.delivered("a")))
    os.truncate(file, left)
    units = unit_each(tickets.delivered("b"))
    for _ in range(2):
        with pytest.raises(DatabaseGone, match=r"cafe\.db was truncated\.$"):
            quick_store.commit(units)
    # Disconnecting moves the log into the file, which makes it long again, and no better.
    quick_store._writer._disconnect()  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        with pytest.raises((DatabaseGone, NotALedger)):
            quick_store.commit(units)


@pytest.mark.parametrize("then", ["nothing", "another file"])
def test_what_was_in_a_log_that_was_removed_is_saved_and_the_shop_ends(
    quick_store: Store, file: Path, then: str
) -> None:
    tickets, log = Tickets(), file.with_name("cafe.db-wal")
    quick_store.commit(unit_each(tickets.delivered("a")))
    last = quick_store.commit(unit_each(tickets.delivered("b"))).logged[-1].position
    if then == "another file":
        log.rename(file.with_name("elsewhere"))
        log.touch()
    else:
        log.unlink()
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"cafe\.db-wal was removed .* nothing is lost"):
            quick_store.commit(unit_each(tickets.delivered("c")))
    # As a kill would leave it: the connections are not closed.
    copy = file.with_name("copy.db")
    copy.write_bytes(file.read_bytes())
    with closing(open_store(f"sqlite:///{copy}")) as again:
        assert last_position(again) == last
        assert find(again, "b") is not None


def test_a_file_that_was_vacuumed_beside_the_shop_is_smaller_and_whole(
    quick_store: Store, file: Path
) -> None:
    tickets = Tickets()
    for number in range(200):
        quick_store.commit(unit_each(tickets.delivered(f"order {number}")))
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        quick_store.ping()
        before = file.stat().st_size
        # No order is lost by it: what it frees was an index's.
        other.execute("DROP INDEX ix_events_subject")
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert file.stat().st_size < before
    quick_store.commit(unit_each(tickets.delivered("last")))
    assert find(quick_store, "last") is not None


def test_a_log_that_grew_beside_a_long_reader_is_cut_short_after_it(file: Path) -> None:
    # A wait for the reader would last for a minute.
    database = FileDatabase(file, busy_seconds=60.0, largest_wal=200_000)
    reader, log = Link(database, reading=True), file.with_name("cafe.db-wal")
    with closing(Link(database, tidy_seconds=0.0)) as writer, closing(reader):
        with reader.transaction(writing=False) as reading:
            reading.exec_driver_sql("SELECT * FROM alembic_version").all()
            for _ in range(100):
                touch(writer)
            assert log.stat().st_size > 200_000
        touch(writer)
        assert log.stat().st_size == 0
        touch(writer)
        assert 0 < log.stat().st_size < 200_000


def test_a_log_that_grew_beside_a_long_reader_is_cut_short_where_nothing_is_written(
    file: Path,
) -> None:
    database = FileDatabase(file, busy_seconds=60.0, largest_wal=200_000)
    reader, log = Link(database, reading=True), file.with_name("cafe.db-wal")
    with closing(Link(database, tidy_seconds=0.0)) as writer, closing(reader):
        writer.tidy()
        with reader.transaction(writing=False) as reading:
            reading.exec_driver_sql("SELECT * FROM alembic_version").all()
            for _ in range(100):
                touch(writer)
            writer.tidy()
            assert log.stat().st_size > 200_000
        writer.tidy()
        assert log.stat().st_size == 0


def touch(link: Link) -> None:
    with link.transaction(writing=True) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
