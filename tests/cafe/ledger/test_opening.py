"""URLs that name a ledger, and URLs that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cafe.ledger.database import upgrade
from cafe.ledger.errors import DatabaseGone, LedgerError
from cafe.ledger.store import open_store
from tests.cafe.ledger.lives import Writer, last_position

SECRET = "s3cret"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_ledger_without_a_file_is_in_memory(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(url)
    store.commit(Writer().life("a"))
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
    store.commit(Writer().life("a"))
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
def test_a_url_that_names_no_ledger_is_told_what_would_without_its_password(
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


# A folder in the place of a file: that stops root as well, whom no permission stops.


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
