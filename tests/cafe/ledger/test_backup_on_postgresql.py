"""A ledger on PostgreSQL is copied and put back by PostgreSQL's own programs, as is printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import pytest

from cafe.ledger.backup import BackupError, RestoreError, back_up, restore
from cafe.ledger.store import open_store
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.order_histories import Tickets, unit_each
from tests.cafe.ledger.owner import ROOT
from tests.cafe.ledger.postgres import PASSWORD, PostgresServer, programs
from tests.cafe.ledger.test_backup import Rows, fill, rows_of

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
IN_DOCS = re.compile(r"^pg_(?:dump|restore) .*$", re.MULTILINE)


@pytest.fixture(autouse=True)
def server(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """Return the server, with its programs first on PATH."""
    monkeypatch.setenv("PATH", f"{programs()}:{os.environ['PATH']}")
    return postgres


def write_more(url: str) -> None:
    with closing(open_store(url)) as store:
        store.begin()
        store.commit(unit_each(Tickets(2).delivered("later")))


def copied_and_put_back(url: str, commands: list[str], folder: Path) -> tuple[Rows, Rows]:
    """Return a ledger's rows, and those after a copy, more commits and a restore of the copy."""
    dump, put_back = (shlex.split(command, comments=True) for command in commands)
    filled = fill(url)
    subprocess.run(dump, check=True, cwd=folder)
    write_more(url)
    subprocess.run(put_back, check=True, cwd=folder)
    return filled, rows_of(url)


def printed(error: BackupError | RestoreError) -> str:
    return str(error).partition("run: ")[2]


def test_the_commands_that_are_printed_copy_a_ledger_and_put_it_back(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, archive = new_url("postgresql"), tmp_path / "two words"
    with pytest.raises(BackupError, match=r"^The shop may run; run: pg_dump [^\n]*$") as dump:
        back_up(url, archive)
    with pytest.raises(RestoreError, match=r"^Stop the shop, and run: pg_restore [^\n]*$") as undo:
        restore(url, archive)
    commands = [printed(dump.value), printed(undo.value)]
    filled, restored = copied_and_put_back(url, commands, tmp_path)
    assert restored == filled


@pytest.fixture
def cafe(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """Yield the URL of a ledger in a database `cafe`, where PostgreSQL's programs look first."""
    monkeypatch.setenv("PGHOST", str(server.folder))
    monkeypatch.setenv("PGUSER", "cafe")
    server.execute(f"CREATE DATABASE cafe TEMPLATE {TEMPLATE}")
    yield server.url("cafe")
    server.execute("DROP DATABASE cafe")


def test_the_commands_in_the_docs_copy_a_ledger_and_put_it_back(cafe: str, tmp_path: Path) -> None:
    commands = [line for page in PAGES for line in IN_DOCS.findall(page.read_text("utf-8"))]
    filled, restored = copied_and_put_back(cafe, commands, tmp_path)
    assert restored == filled


def test_the_commands_that_are_printed_hold_no_password(server: PostgresServer) -> None:
    database = server.new_database(TEMPLATE)
    url = server.url(database, f"cafe:{PASSWORD}") + f"&sslpassword={PASSWORD}"
    for command in (back_up, restore):
        with pytest.raises((BackupError, RestoreError)) as wrong:
            command(f"{url}&password={PASSWORD}", Path("archive"))
        assert PASSWORD not in str(wrong.value)
