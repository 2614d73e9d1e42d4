"""Trouble with a SQLite file: nothing is half written, and when it has passed, work goes on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cafe.ledger.errors import DatabaseGone, RowRefused
from cafe.ledger.opening import open_store
from cafe.ledger.store import Store
from tests.cafe.ledger.lives import Writer
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
    writer, epoch = Writer(), quick_store.load().epoch
    quick_store.commit(epoch, writer.life("a"))
    records = writer.life("b")
    with locked(file):
        with pytest.raises(DatabaseGone, match=r"^The database cannot .*: database is locked\.$"):
            quick_store.commit(epoch, records)
        with pytest.raises(DatabaseGone):
            quick_store.ping()
    quick_store.ping()
    quick_store.commit(epoch, records)
    assert quick_store.load().last_sequence == 8


def test_a_locked_database_can_still_be_read(quick_store: Store, file: Path) -> None:
    records = Writer().life("a")
    quick_store.commit(quick_store.load().epoch, records)
    with locked(file):
        assert quick_store.find("a") == records[-1].order
        assert quick_store.load().last_sequence == 4


def test_a_file_that_is_locked_at_the_start_is_a_database_gone(file: Path) -> None:
    open_store(f"sqlite:///{file}").close()
    with locked(file), pytest.raises(DatabaseGone):
        open_store(f"sqlite:///{file}", busy_seconds=0.02)
    open_store(f"sqlite:///{file}").close()


def test_a_full_disk_takes_nothing_back_and_work_goes_on_when_there_is_room(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.cafe.ledger.cramped", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The database cannot be used now: ")


def test_a_full_database_is_a_database_gone_and_passes(quick_store: Store) -> None:
    link = quick_store._link  # pyright: ignore[reportPrivateUsage] - the pragma is a connection's
    writer, epoch = Writer(), quick_store.load().epoch
    with link.transaction(writing=False) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no fewer than there are
    records = [record for number in range(99) for record in writer.life(f"order {number}")]
    with pytest.raises(DatabaseGone, match="full"):
        quick_store.commit(epoch, records)
    assert quick_store.find("order 0") is None
    with link.transaction(writing=False) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    quick_store.commit(epoch, records)
    assert quick_store.load().last_sequence == len(records)


def test_a_commit_that_fails_at_its_very_end_leaves_no_transaction_open(quick_store: Store) -> None:
    link = quick_store._link  # pyright: ignore[reportPrivateUsage] - the store commits no such
    stray = "INSERT INTO order_events VALUES (1, 'nobody', 'place', NULL, 'waiting', 0, NULL, NULL)"

    def write() -> None:
        with link.transaction(writing=True) as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            connection.exec_driver_sql(stray)

    with pytest.raises(RowRefused):
        write()
    quick_store.commit(quick_store.load().epoch, Writer().life("a"))
    assert quick_store.load().last_sequence == 4


def test_a_file_is_written_so_that_a_commit_is_on_the_disk(quick_store: Store) -> None:
    link = quick_store._link  # pyright: ignore[reportPrivateUsage] - pragmas are a connection's
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with link.transaction(writing=False) as connection:
        assert wanted == {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in wanted
        }


def test_a_file_that_was_moved_away_takes_no_more_promises(quick_store: Store, file: Path) -> None:
    writer, epoch = Writer(), quick_store.load().epoch
    quick_store.commit(epoch, writer.life("a"))
    records, aside = writer.life("b"), file.with_name("aside.db")
    file.rename(aside)
    for anew in (False, True):
        if anew:
            quick_store._link._disconnect()  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(DatabaseGone):
            quick_store.commit(epoch, records)
        assert not file.exists()
    aside.rename(file)
    quick_store.commit(epoch, records)
    assert quick_store.load().last_sequence == 8
