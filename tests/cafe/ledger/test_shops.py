"""Several shops in one database of PostgreSQL: none sees another's ledger, or owns it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cafe.ledger.backup import BackupError, RestoreError, back_up, restore
from cafe.ledger.checking import check, open_reader, version_of
from cafe.ledger.database import upgrade
from cafe.ledger.errors import DatabaseInUse, SchemaBehind, WrongDatabaseError
from cafe.ledger.shops import lock_of
from cafe.ledger.store import open_store
from cafe.ledger.tables import newest
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.order_histories import Tickets, find, last_position, unit_each
from tests.cafe.ledger.postgres import PASSWORD, PostgresServer, programs
from tests.cafe.ledger.test_backup import rows_of

Shop = Callable[[str | None], str]
TABLES = "SELECT schemaname, count(*) FROM pg_tables WHERE tablename = 'events' GROUP BY 1"


@pytest.fixture
def empty(postgres: PostgresServer) -> str:
    """Return the name of a database without any tables."""
    return postgres.new_database()


@pytest.fixture
def shop(postgres: PostgresServer, empty: str) -> Shop:
    """Return a function that gives the URL of a shop in one database; None: of the nameless one."""
    url = postgres.url(empty)
    return lambda name: url if name is None else f"{url}&shop={name}"


def write(url: str, subject: str) -> None:
    with closing(open_store(url)) as store:
        store.begin()
        store.commit(unit_each(Tickets(last_position(store)).delivered(subject)))


def test_each_shop_is_migrated_by_itself_into_its_own_schema(
    postgres: PostgresServer, empty: str, shop: Shop
) -> None:
    upgrade(shop("bar"))
    upgrade(shop("bar"))
    assert postgres.execute(TABLES, empty) == [("cafe_bar", 1)]
    for other in ("harbour", None):
        assert version_of(shop(other)) is None
        with pytest.raises(SchemaBehind, match=r"run: cafe db upgrade$"):
            open_store(shop(other))
        with pytest.raises(SchemaBehind), open_reader(shop(other)):
            pass
    upgrade(shop(None))
    upgrade(shop("harbour"))
    assert sorted(postgres.execute(TABLES, empty)) == [
        ("cafe_bar", 1),
        ("cafe_harbour", 1),
        ("public", 1),
    ]
    assert {version_of(shop(name)) for name in ("bar", "harbour", None)} == {newest()}


def test_no_shop_sees_what_another_has_written(shop: Shop) -> None:
    for name in ("bar", "harbour", None):
        upgrade(shop(name))
    write(shop("bar"), "ours")
    for name, found in (("bar", True), ("harbour", False), (None, False)):
        with closing(open_store(shop(name))) as store:
            assert (find(store, "ours") is not None) == found
            assert last_position(store) == (4 if found else 0)
        with open_reader(shop(name)) as connection:
            assert [one for one in check(connection, DEPARTMENTS) if one.findings] == []


def test_each_shop_has_an_owner_of_its_own(shop: Shop) -> None:
    for name in ("bar", "harbour", None):
        upgrade(shop(name))
    with closing(open_store(shop("bar"))), closing(open_store(shop(None))):
        with closing(open_store(shop("harbour"))) as store:
            store.ping()
        for name in ("bar", None):
            with pytest.raises(DatabaseInUse):
                open_store(shop(name))
        with pytest.raises(DatabaseInUse, match=r"shop bar\.$"):
            upgrade(shop("bar"))


def test_the_lock_of_a_shop_is_made_from_its_name_and_never_changes() -> None:
    assert lock_of(None) == (0x63616665, 1)
    assert lock_of("bar") == (0x63616665, -52548818)
    names = [None, *(f"shop_{number}" for number in range(1_000))]
    assert len({lock_of(name) for name in names}) == len(names)


def test_a_role_that_may_make_no_schema_uses_one_that_is_there(
    postgres: PostgresServer, empty: str
) -> None:
    postgres.execute("CREATE SCHEMA cafe_bar AUTHORIZATION guarded", empty)
    url = postgres.url(empty, f"guarded:{PASSWORD}")
    upgrade(f"{url}&shop=bar")
    write(f"{url}&shop=bar", "ours")


@pytest.mark.parametrize("name", ["Bar", "7th", "a-b", "a;b", "a" * 32])
@pytest.mark.parametrize("opening", [open_store, upgrade, version_of])
def test_a_name_that_no_schema_can_have_is_refused(
    shop: Shop, name: str, opening: Callable[[str], object]
) -> None:
    with pytest.raises(WrongDatabaseError, match=r"^A shop's name begins with .*\.$"):
        opening(shop(name))


@pytest.mark.parametrize("url", ["sqlite://?shop=bar", "sqlite:///cafe.db?shop=bar"])
def test_a_shop_with_a_name_has_no_ledger_on_sqlite(url: str) -> None:
    with pytest.raises(WrongDatabaseError, match=r"^A SQLite file holds one shop: .*\.$"):
        open_store(url)


def test_the_commands_take_the_shop_s_name_as_an_option_or_a_variable(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAFE_DATABASE_URL", shop(None))
    assert run_command(["db", "upgrade", "--shop", "bar"]) == 0
    assert run_command(["db", "check"]) == 2
    monkeypatch.setenv("CAFE_SHOP", "bar")
    assert run_command(["db", "check"]) == 0
    assert run_command(["db", "prune", "--shop", "harbour"]) == 2
    assert run_command(["db", "prune"]) == 0
    monkeypatch.setenv("CAFE_DATABASE_URL", "sqlite:///cafe.db")
    capsys.readouterr()
    assert run_command(["db", "upgrade"]) == 2
    assert "A SQLite file holds one shop" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bar", None])
def test_the_commands_that_are_printed_copy_and_put_back_one_shop_only(
    shop: Shop, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{programs()}:{os.environ['PATH']}")
    names = ("bar", "harbour", None)
    for one in names:
        upgrade(shop(one))
        write(shop(one), "before")
    archive = tmp_path / "archive"
    with pytest.raises(BackupError) as dump:
        back_up(shop(name), archive)
    with pytest.raises(RestoreError) as undo:
        restore(shop(name), archive)
    before = rows_of(shop(name))
    run_printed(dump.value)
    for one in names:
        write(shop(one), "after")
    others = {one: rows_of(shop(one)) for one in names if one != name}
    run_printed(undo.value)
    assert rows_of(shop(name)) == before
    assert {one: rows_of(shop(one)) for one in others} == others


def run_printed(error: Exception) -> None:
    """Run the command that an error names."""
    subprocess.run(shlex.split(str(error).partition("run: ")[2]), check=True)
