"""A copy holds what the ledger holds, is whole or not there, and never takes another's place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from cafe.ledger.backup import BackupError, back_up
from cafe.ledger.checking import open_reader
from cafe.ledger.errors import LedgerError, NotALedger
from cafe.ledger.store import open_store
from cafe.ledger.tables import metadata
from tests.cafe.ledger.lives import Writer, load, unit
from tests.cafe.ledger.postgres import PASSWORD, PostgresServer, programs

Rows = dict[str, list[tuple[object, ...]]]


def rows_of(url: str) -> Rows:
    with open_reader(url) as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for name, table in metadata.tables.items()
        }


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def fill(url: str) -> Rows:
    writer = Writer()
    with closing(open_store(url)) as store:
        store.commit(writer.life("first"))
        store.commit([unit(writer.place("second", key="again"))])
    return rows_of(url)


def test_a_copy_of_a_file_is_a_ledger_that_a_shop_can_open(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, copy = new_url("file"), tmp_path / "copy.db"
    held = fill(url)
    assert back_up(url, copy) == copy.stat().st_size
    assert rows_of(f"sqlite:///{copy}") == held
    with closing(open_store(f"sqlite:///{copy}")) as store:
        assert load(store).last_number == 2


def test_a_file_is_copied_while_its_shop_runs(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_url("file")
    with closing(open_store(url)) as store:
        store.commit(Writer().life("first"))
        back_up(url, tmp_path / "copy.db")
        store.commit(Writer(1).life("second"))
    copied = rows_of(f"sqlite:///{tmp_path}/copy.db")
    assert [row[0] for row in copied["orders"]] == ["first"]


def test_a_copy_is_for_its_owner_only_and_nothing_lies_beside_it(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, folder = new_url("file"), tmp_path / "copies"
    folder.mkdir()
    fill(url)
    back_up(url, folder / "copy.db")
    assert names_in(folder) == ["copy.db"]
    assert (folder / "copy.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("link", [False, True])
def test_what_is_there_is_never_overwritten(
    new_url: Callable[[str], str], tmp_path: Path, *, link: bool
) -> None:
    url, there = new_url("file"), tmp_path / "there"
    fill(url)
    if link:
        there.symlink_to(tmp_path / "nowhere")
    else:
        there.write_text("mine", "utf-8")
    with pytest.raises(BackupError, match="is there already"):
        back_up(url, there)
    assert there.is_symlink() if link else there.read_text("utf-8") == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_place_that_cannot_be_written_is_one_line(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_url("file")
    fill(url)
    with pytest.raises(BackupError, match=r"copy cannot be written: No such file or directory\.$"):
        back_up(url, tmp_path / "none" / "copy")


def test_what_is_no_ledger_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("americano", "utf-8")
    with pytest.raises(NotALedger):
        back_up(f"sqlite:///{tmp_path}/text", tmp_path / "copy")
    assert names_in(tmp_path) == ["text"]


@pytest.fixture
def pg_dump(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """Put the programs that came with the server first; give the server."""
    monkeypatch.setenv("PATH", f"{programs()}:{os.environ['PATH']}")
    return postgres


def test_an_archive_of_a_server_s_ledger_restores_it(
    new_url: Callable[[str], str], pg_dump: PostgresServer, tmp_path: Path
) -> None:
    url, archive = new_url("postgresql"), tmp_path / "archive"
    held = fill(url)
    assert back_up(url, archive) == archive.stat().st_size
    other = pg_dump.url(pg_dump.new_database())
    restore(archive, other)
    assert rows_of(other) == held


def restore(archive: Path, url: str) -> None:
    folder = programs()
    assert folder is not None
    address = url.replace("+psycopg", "")
    subprocess.run([folder / "pg_restore", f"--dbname={address}", archive], check=True)


@pytest.mark.usefixtures("pg_dump")
def test_pg_dump_says_in_one_line_why_it_failed(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_url("postgresql")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        connection.execute(text("GRANT SELECT ON alembic_version TO guarded"))
        connection.commit()
    # Let in, but not allowed to read the orders.
    address = url.replace("//cafe@", f"//guarded:{PASSWORD}@")
    with pytest.raises(BackupError, match=r"^pg_dump failed: .*permission denied for ") as wrong:
        back_up(address, tmp_path / "archive")
    assert PASSWORD not in str(wrong.value)
    assert "\n" not in str(wrong.value)
    assert names_in(tmp_path) == []


def test_pg_dump_gets_the_password_where_nobody_else_on_the_machine_sees_it(
    new_url: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    fake = tmp_path / "pg_dump"
    fake.write_text(f'#!/bin/sh\necho "$@" >{seen}\necho "$PGPASSWORD" >>{seen}\nexit 1\n', "utf-8")
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    address = new_url("postgresql").replace("//cafe@", f"//cafe:{PASSWORD}@")
    with pytest.raises(BackupError, match=r"^pg_dump failed: it does not say why$"):
        back_up(address, tmp_path / "archive")
    arguments, password = seen.read_text("utf-8").splitlines()
    assert "user=cafe" in arguments
    assert PASSWORD not in arguments
    assert password == PASSWORD


def test_without_pg_dump_it_is_said_where_to_get_it(
    new_url: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_url("postgresql")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LedgerError, match=r"pg_dump is not here; .* postgresql-client"):
        back_up(url, tmp_path / "archive")
    assert names_in(tmp_path) == []
