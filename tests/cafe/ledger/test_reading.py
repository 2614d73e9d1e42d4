"""What looks into a ledger sees one moment, changes nothing, and says in one line why it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import DBAPIError

from cafe.ledger.checking import open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.errors import (
    DatabaseGone,
    LedgerError,
    NotALedger,
    SchemaBehind,
    WrongDatabaseError,
)
from cafe.ledger.store import open_store
from cafe.ledger.tables import newest
from cafe.orders.tables import keys, orders
from tests.cafe.ledger.lives import Writer
from tests.cafe.ledger.postgres import PASSWORD, PostgresServer


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(orders)).scalar_one()


def test_a_reader_sees_one_moment_while_the_shop_goes_on(durable_url: str) -> None:
    writer = Writer()
    with closing(open_store(durable_url)) as store:
        store.commit(writer.life("first"))
        with open_reader(durable_url) as connection:
            assert count(connection) == 1
            store.commit(writer.life("second"))
            assert count(connection) == 1
        with open_reader(durable_url) as connection:
            assert count(connection) == 2


def test_a_reader_cannot_write(durable_url: str) -> None:
    upgrade(durable_url)
    key = {"address": "x", "key": "y", "order_id": "z", "placed_at": 1.0}
    with (
        pytest.raises((DBAPIError, LedgerError), match=r"read-?only"),
        open_reader(durable_url) as connection,
    ):
        connection.execute(insert(keys).values(**key))


def test_a_reader_leaves_a_file_as_it_was_with_nothing_beside_it(
    file: Path,
) -> None:
    url = f"sqlite:///{file}"
    upgrade(url)
    before, names = file.read_bytes(), set(file.parent.iterdir())
    with open_reader(url) as connection:
        assert count(connection) == 0
    assert file.read_bytes() == before
    assert set(file.parent.iterdir()) == names


def test_the_version_is_the_newest_once_the_tables_are_upgraded(durable_url: str) -> None:
    upgrade(durable_url)
    assert version_of(durable_url) == newest()


def read(url: str) -> None:
    with open_reader(url):
        pass


@pytest.mark.parametrize("look", [version_of, read])
@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("none.db", WrongDatabaseError, "none.db cannot be read: No such file or directory."),
        (".", WrongDatabaseError, " cannot be read: Is a directory."),
        ("text", NotALedger, "text is no SQLite database."),
        ("empty", NotALedger, "empty is no SQLite database."),
        ("other.db", NotALedger, "other.db is a database of another program."),
        ("torn.db", NotALedger, "damaged"),
    ],
)
def test_a_file_that_is_no_ledger_is_named_and_left_alone(
    tmp_path: Path, name: str, error: type[LedgerError], said: str, look: Callable[[str], object]
) -> None:
    (tmp_path / "text").write_text("americano, please\n", "utf-8")
    (tmp_path / "empty").touch()
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE tea (leaves INTEGER)")
    (tmp_path / "torn.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 4000)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(error) as wrong:
        look(f"sqlite:///{tmp_path}/{name}")
    assert said in str(wrong.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "url",
    [
        "cafe.db",
        "",
        "mysql://bar:s3cret@here/cafe",
        "postgresql://bar:s3cret@here/cafe",
        "postgresql+psycopg://bar:s3cret@here:many/cafe",
        "sqlite://s3cret/cafe.db",
        "sqlite:///cafe.db?mode=s3cret",
    ],
)
def test_what_is_no_address_of_a_ledger_is_not_repeated(url: str) -> None:
    with pytest.raises(WrongDatabaseError, match=r"a database is|it is sqlite") as wrong:
        version_of(url)
    assert "s3cret" not in str(wrong.value)


def test_memory_is_its_own_shop_s_only() -> None:
    with pytest.raises(WrongDatabaseError, match="in memory"):
        version_of("sqlite://")


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    url = "postgresql+psycopg://cafe:s3cret@127.0.0.1:1/cafe"
    with pytest.raises(DatabaseGone, match="Connection refused") as gone:
        version_of(url)
    assert "s3cret" not in str(gone.value)
    assert "\n" not in str(gone.value)


@pytest.mark.parametrize("query", [False, True])
def test_a_wrong_password_is_not_repeated(postgres: PostgresServer, *, query: bool) -> None:
    url = postgres.url(postgres.new_database(), "guarded" if query else f"guarded:not-{PASSWORD}")
    with pytest.raises(DatabaseGone, match="password authentication failed") as gone:
        version_of(f"{url}&password=not-{PASSWORD}" if query else url)
    assert PASSWORD not in str(gone.value)


def test_a_database_without_tables_has_no_version_and_cannot_be_read(
    postgres: PostgresServer,
) -> None:
    url = postgres.url(postgres.new_database())
    assert version_of(url) is None
    with pytest.raises(SchemaBehind, match="cafe db upgrade"), open_reader(url):
        pass


def test_a_database_of_something_else_is_refused(postgres: PostgresServer) -> None:
    name = postgres.new_database()
    postgres.execute("CREATE TABLE tea (leaves integer)", name)
    with pytest.raises(NotALedger, match="another program"):
        version_of(postgres.url(name))


def test_a_role_that_may_not_read_is_told_so(new_url: Callable[[str], str]) -> None:
    url = new_url("postgresql").replace("//cafe@", f"//guarded:{PASSWORD}@")
    with pytest.raises(
        LedgerError, match=r"^The database cannot be used now: permission denied for table "
    ):
        read(url)
