"""Files that are damaged or another program's are refused, and stay as they are to the byte."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cafe.ledger.errors import LedgerError, NotALedger
from cafe.ledger.store import open_store
from tests.cafe.ledger.order_histories import Tickets, last_position, unit_each


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def make_ledger(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    tickets = Tickets()
    for number in range(200):
        store.commit(unit_each(tickets.delivered(f"order {number}")))
    store.close()


def make_text(file: Path) -> None:
    file.write_text("Dear diary, " * 1000)


def make_short_text(file: Path) -> None:
    file.write_bytes(b"1")


def make_foreign(file: Path) -> None:
    execute(file, "CREATE TABLE songs (title TEXT)", "INSERT INTO songs VALUES ('Black Coffee')")


def make_foreign_with_a_log(file: Path) -> None:
    execute(file, "PRAGMA journal_mode=WAL", "CREATE TABLE songs (title TEXT)")


def make_foreign_under_our_names(file: Path) -> None:
    execute(file, "CREATE TABLE orders (pizza TEXT)")


def make_foreign_migrated_by_alembic(file: Path) -> None:
    execute(
        file,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('ae1027a6acf')",
    )


def make_newer(file: Path) -> None:
    make_ledger(file)
    execute(file, "UPDATE alembic_version SET version_num = '9999'")


def make_damaged_in_the_middle(file: Path) -> None:
    make_ledger(file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9000] = b"\x5a" * 9000
    file.write_bytes(content)


def make_cut_short(file: Path) -> None:
    make_ledger(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def make_damaged_at_the_top(file: Path) -> None:
    make_ledger(file)
    file.write_bytes(b"\0" * 100 + file.read_bytes()[100:])


def make_damaged_schema(file: Path) -> None:
    make_ledger(file)
    content = bytearray(file.read_bytes())
    content[100:4096] = b"\xff" * 3996
    file.write_bytes(content)


def make_damaged_with_a_log(file: Path) -> None:
    """Make a ledger whose process was killed, so that its log is full, and then damage it."""
    make_ledger(file)
    store = open_store(f"sqlite:///{file}")
    store.begin()
    store.commit(unit_each(Tickets(200).delivered("last")))
    content = bytearray(file.read_bytes())
    log = file.with_name("cafe.db-wal").read_bytes()
    store.close()
    content[len(content) // 2 : len(content) // 2 + 9000] = b"\x5a" * 9000
    file.write_bytes(content)
    file.with_name("cafe.db-wal").write_bytes(log)


def make_newer_in_its_log(file: Path) -> None:
    """Make a ledger that a newer program has migrated, and then was killed."""
    store = open_store(f"sqlite:///{file}")
    execute(file, "UPDATE alembic_version SET version_num = '9999'")
    content, log = file.read_bytes(), file.with_name("cafe.db-wal").read_bytes()
    store.close()
    file.write_bytes(content)
    file.with_name("cafe.db-wal").write_bytes(log)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return what is in a folder, and when it was written; the lock of an owner apart."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if path.suffix != ".lock"
    }


FOREIGN = [
    make_text,
    make_short_text,
    make_foreign,
    make_foreign_with_a_log,
    make_foreign_under_our_names,
    make_foreign_migrated_by_alembic,
]
DAMAGED = [
    make_newer,
    make_damaged_in_the_middle,
    make_cut_short,
    make_damaged_at_the_top,
    make_damaged_schema,
    make_damaged_with_a_log,
    make_newer_in_its_log,
]


@pytest.mark.parametrize("make", FOREIGN + DAMAGED)
def test_what_is_no_ledger_is_refused_and_not_touched(
    make: Callable[[Path], None], file: Path
) -> None:
    make(file)
    before = contents(file.parent)
    for _ in range(2):
        with pytest.raises(NotALedger, match=r"^[^\n]+\.$"):
            open_store(f"sqlite:///{file}")
    assert contents(file.parent) == before


@pytest.mark.parametrize("make", FOREIGN)
def test_no_lock_is_left_beside_another_program_s_file(
    make: Callable[[Path], None], file: Path
) -> None:
    make(file)
    with pytest.raises(NotALedger):
        open_store(f"sqlite:///{file}")
    assert [path.name for path in file.parent.iterdir()] == ["cafe.db"]


@pytest.mark.parametrize("make", DAMAGED)
def test_a_damaged_ledger_that_came_without_its_lock_is_not_touched(
    make: Callable[[Path], None], file: Path
) -> None:
    make(file)
    file.with_name("cafe.db.lock").unlink()
    before = contents(file.parent)
    with pytest.raises(NotALedger):
        open_store(f"sqlite:///{file}")
    assert contents(file.parent) == before


def test_an_empty_file_becomes_a_ledger(file: Path) -> None:
    file.touch()
    make_ledger(file)
    assert file.stat().st_size > 0


def test_a_ledger_whose_making_was_interrupted_is_made_again(file: Path) -> None:
    file.with_name("cafe.db.new").write_text("half of a ledger")
    file.with_name("cafe.db.new-journal").write_text("half of a journal")
    make_ledger(file)
    assert sorted(path.name for path in file.parent.iterdir()) == ["cafe.db", "cafe.db.lock"]


def test_a_ledger_whose_log_was_not_yet_moved_into_it_is_whole(tmp_path: Path, file: Path) -> None:
    make_ledger(file)
    store = open_store(f"sqlite:///{file}")
    store.begin()
    store.commit(unit_each(Tickets(200).delivered("last")))
    copy = tmp_path / "copy.db"
    copy.write_bytes(file.read_bytes())
    (tmp_path / "copy.db-wal").write_bytes(file.with_name("cafe.db-wal").read_bytes())
    store.close()
    store = open_store(f"sqlite:///{copy}")
    assert last_position(store) == 804
    store.close()


@pytest.mark.parametrize("folder", ["none", "cafe.db"])
def test_a_folder_that_is_not_there_is_named(folder: str, file: Path) -> None:
    file.touch()
    with pytest.raises(LedgerError, match=f"There is no folder .*{folder} to put inner.db in"):
        open_store(f"sqlite:///{file.parent / folder / 'inner.db'}")


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^[^\n]+\.$"):
        open_store(f"sqlite:///{tmp_path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [None, 0])
def test_a_log_without_its_file_is_not_written_into_a_new_ledger(
    file: Path, size: int | None
) -> None:
    store = open_store(f"sqlite:///{file}")
    store.commit(unit_each(Tickets().delivered("a")))
    log = file.with_name("cafe.db-wal").read_bytes()
    store.close()
    file.unlink()
    file.with_name("cafe.db-wal").write_bytes(log)
    if size is not None:
        file.touch()
    before = contents(file.parent)
    with pytest.raises(NotALedger, match=r"cafe\.db-wal is: put the file back, or run: cafe db "):
        open_store(f"sqlite:///{file}")
    assert contents(file.parent) == before
