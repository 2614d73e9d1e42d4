"""Migrations make the tables of the metadata, no others; `cafe db upgrade` runs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, event, inspect

from cafe.ledger.database import upgrade
from cafe.ledger.store import open_store
from cafe.ledger.tables import make_tables, metadata, migrate, newest, version_in
from cafe.migrations import VERSIONS
from cafe.orders.order import Status
from cafe.orders.queries import find_by_key, find_order, load_orders
from cafe.orders.tables import orders
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.order_histories import load
from tests.cafe.ledger.owner import ROOT
from tests.cafe.ledger.postgres import PostgresServer
from tests.cafe.ledger.test_first_version import make_first_version


@contextmanager
def connected(url: str) -> Generator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def definitions(connection: Connection) -> dict[str, list[str]]:
    """Return SQLite's SQL of each table and index, by name, with each bracket's parts sorted."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    )
    return {name: sorted(parts_of(" ".join(sql.split()))) for name, sql in rows}


def parts_of(sql: str) -> list[str]:
    """Split a definition at the commas that are within its outer brackets only."""
    head, _, rest = sql.partition("(")
    depth, parts = 0, [""]
    for letter in rest.rstrip().removesuffix(")"):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [head.strip(), *(part.strip() for part in parts)]


def constraints(connection: Connection) -> dict[str, list[str]]:
    """Name the checks of each table, which alembic does not compare."""
    inspector = inspect(connection)
    return {
        table: sorted(
            str(check["name"]) + str(check["sqltext"]).lower()
            for check in inspector.get_check_constraints(table)
        )
        for table in metadata.tables
    }


def test_on_sqlite_the_migrations_spell_the_same_tables_as_the_metadata(file: Path) -> None:
    open_store(f"sqlite:///{file}").close()  # made from the metadata, which is faster
    with connected(f"sqlite:///{file}") as drawn, connected("sqlite://") as migrated:
        migrate(migrated)
        assert definitions(migrated) == definitions(drawn)
        assert version_in(migrated) == version_in(drawn) == newest()


def test_alembic_finds_no_difference_between_the_migrations_and_the_metadata(
    postgres: PostgresServer,
) -> None:
    url = postgres.url(postgres.new_database())
    upgrade(url)
    for where in ("sqlite://", url):
        with connected(where) as connection:
            migrate(connection)
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_on_postgresql_the_checks_are_those_of_the_metadata(postgres: PostgresServer) -> None:
    first, second = (postgres.url(postgres.new_database()) for _ in range(2))
    upgrade(first)
    with connected(first) as migrated, connected(second) as drawn:
        metadata.create_all(drawn)
        assert constraints(migrated) == constraints(drawn)
        assert len(constraints(migrated)["orders"]) == 1


def test_a_difference_would_be_found() -> None:
    with connected("sqlite://") as connection:
        metadata.create_all(connection)
        connection.exec_driver_sql("DROP INDEX ix_orders_placed_at")
        assert compare_metadata(MigrationContext.configure(connection), metadata) != []


def test_the_versions_that_are_written_down_are_alembic_s() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "cafe" / "migrations"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [newest()]
    assert [script.revision for script in scripts.walk_revisions()] == [*reversed(VERSIONS)]


IMPORTED = """
import sys
from cafe.ledger import backup
from cafe.ledger.store import open_store

store = open_store(sys.argv[1])
store.begin()
store.ping()
store.close()
print(sorted({name.split(".")[0] for name in sys.modules} & {"alembic", "mako", "psycopg"}))
"""


def imported_with(url: str) -> str:
    """Return which of the heavy modules a process has imported that has opened a ledger."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, url], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_shop_that_has_nothing_to_migrate_imports_no_alembic_and_no_other_driver(
    new_url: Callable[[str], str], kind: str
) -> None:
    url = new_url(kind)
    for _ in range(2):  # made, and opened again
        assert imported_with(url) == "[]"


def test_a_shop_on_a_server_imports_its_driver_and_no_alembic(
    new_url: Callable[[str], str],
) -> None:
    assert imported_with(new_url("postgresql")) == "['psycopg']"


def test_an_older_file_is_migrated_when_it_is_opened(file: Path) -> None:
    url = f"sqlite:///{file}"
    with connected(url) as connection:
        make_first_version(connection)
        connection.commit()
        assert version_in(connection) == VERSIONS[0] != newest()
    assert imported_with(url) == "['alembic', 'mako']"
    with connected(url) as connection:
        assert version_in(connection) == newest()
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert imported_with(url) == "[]"


def test_migrating_again_changes_nothing() -> None:
    with connected("sqlite://") as connection:
        migrate(connection)
        before = definitions(connection)
        migrate(connection)
        assert definitions(connection) == before


def test_a_migration_that_fails_leaves_a_file_as_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_half(connection: Connection) -> None:
        make_tables(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr("cafe.ledger.sqlite.make_tables", make_half)
    with pytest.raises(KeyboardInterrupt):
        open_store(f"sqlite:///{file}")
    assert not file.exists()
    monkeypatch.undo()
    open_store(f"sqlite:///{file}").close()


def test_what_a_dispatcher_starts_from_is_found_by_indexes(durable_url: str) -> None:
    open_store(durable_url).close()
    with connected(durable_url) as connection:
        plans = plans_of(connection, lambda: load_orders(connection))
    indexes = ("ix_orders_ended_at", "ix_orders_live", "uq_orders_number", "pk_order_pauses")
    for plan, index in zip(plans, indexes, strict=True):
        # SQLite has no names for what a constraint makes.
        kind, _, table = index.partition("_")
        unnamed = f"sqlite_autoindex_{table.removesuffix('_number')}"
        assert index in plan or (kind in {"pk", "uq"} and unnamed in plan)


def test_an_order_is_found_by_indexes_by_its_id_and_by_its_key(durable_url: str) -> None:
    open_store(durable_url).close()
    with connected(durable_url) as connection:
        (plan,) = plans_of(connection, lambda: find_order(connection, "a"))
        assert "pk_orders" in plan or "sqlite_autoindex_orders" in plan
        (plan,) = plans_of(connection, lambda: find_by_key(connection, "192.0.2.1", "k", 0.0))
        assert "SCAN" not in plan
        assert "Seq Scan" not in plan


def plans_of(connection: Connection, read: Callable[[], object]) -> list[str]:
    """Return how the database would run each statement that a function runs."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET enable_seqscan = off")
    seen = list[tuple[str, Any]]()

    def see(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", see)
    read()
    event.remove(connection, "before_cursor_execute", see)
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return [
        str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
        for statement, parameters in seen
    ]


def test_every_status_fits_its_column() -> None:
    assert max(map(len, Status)) <= getattr(orders.c.status.type, "length", 0)


def test_the_wheel_holds_the_migrations(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in ZipFile(wheel).namelist() if "/migrations/" in name}
    folder = ROOT / "cafe" / "migrations"
    assert packed == {str(path.relative_to(ROOT)) for path in folder.rglob("*.py")}


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
