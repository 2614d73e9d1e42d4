"""`cafe db upgrade` on a server, where no shop does it by itself."""

from __future__ import annotations

from contextlib import closing

import pytest

from cafe.cli.commands import run_command
from cafe.ledger.store import open_store
from cafe.ledger.tables import newest
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.lives import load
from tests.cafe.ledger.postgres import PostgresServer


def test_an_upgrade_says_from_what_to_what(
    postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.url(postgres.new_database())
    assert run_command(["db", "upgrade", "--database-url", url]) == 0
    said = f"The tables had no version, and have version {newest()}.\n"
    assert capsys.readouterr() == (said, "")
    with closing(open_store(url)) as store:
        assert load(store).last_number == 0


def test_an_upgrade_beside_a_shop_is_refused_in_one_line(
    postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    name = postgres.new_database(TEMPLATE)
    url = postgres.url(name)
    with closing(open_store(url)) as store:
        store.ping()
        postgres.execute("DELETE FROM alembic_version", name)
        assert run_command(["db", "upgrade", "--database-url", url]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("cafe: Another shop uses ")
    assert len(printed.err.splitlines()) == 1
