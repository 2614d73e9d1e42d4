"""The migrations make the tables that `schema` draws, no more and no less."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, inspect

from cafe.ledger.migrating import make_tables, migrate, newest
from cafe.ledger.opening import open_store, upgrade
from cafe.ledger.schema import STATUSES, metadata, orders
from cafe.ledger.statements import live_orders
from cafe.migrations import VERSIONS
from tests.cafe.ledger.owner import ROOT
from tests.cafe.ledger.postgres import PostgresServer


@contextmanager
def connected(url: str) -> Generator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def definitions(connection: Connection) -> set[str]:
    """Give how SQLite spells what is in it; the order within a table's brackets does not matter."""
    rows = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {
        "\n".join(sorted(part.strip(", \t") for part in re.split(r"\n", sql))) for (sql,) in rows
    }


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


def test_on_sqlite_the_migrations_spell_the_same_tables_as_the_schema(file: Path) -> None:
    open_store(f"sqlite:///{file}").close()
    with connected(f"sqlite:///{file}") as drawn, connected("sqlite://") as migrated:
        migrate(migrated)
        assert definitions(migrated) == definitions(drawn)
        for connection in (migrated, drawn):
            assert version_in(connection) == newest()


def version_in(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())


def test_alembic_finds_no_difference_between_the_migrations_and_the_schema(
    postgres: PostgresServer,
) -> None:
    with connected("sqlite://") as connection:
        migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    url = postgres.url(postgres.new_database())
    upgrade(url)
    with connected(url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_on_postgresql_the_checks_are_those_of_the_schema(postgres: PostgresServer) -> None:
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
    config.set_main_option("script_location", str(ROOT / "cafe" / "ledger" / "migrations"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [newest()]
    assert [script.revision for script in scripts.walk_revisions()] == [*reversed(VERSIONS)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{folder}/cafe.db"])
def test_a_shop_that_has_nothing_to_migrate_imports_no_alembic_and_no_other_driver(
    url: str, tmp_path: Path
) -> None:
    script = (
        "import sys; import cafe.ledger.backup; from cafe.ledger.opening import open_store;"
        "store = open_store(sys.argv[1]); store.load(); store.close();"
        "print({name.split('.')[0] for name in sys.modules} & {'alembic', 'psycopg', 'mako'})"
    )
    address = url.format(folder=tmp_path)
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script, address],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "set()\n"


def test_a_file_of_an_older_version_is_migrated_when_it_is_opened(
    file: Path,
) -> None:
    """As long as there is one version only, the oldest is the empty one."""
    open_store(f"sqlite:///{file}").close()
    with connected(f"sqlite:///{file}") as connection:
        for table in reversed(metadata.sorted_tables):
            connection.exec_driver_sql(f"DROP TABLE {table.name}")
        connection.exec_driver_sql("DELETE FROM alembic_version")
        connection.commit()
    open_store(f"sqlite:///{file}").close()
    with connected(f"sqlite:///{file}") as connection:
        assert version_in(connection) == newest()
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing() -> None:
    with connected("sqlite://") as connection:
        migrate(connection)
        before = definitions(connection)
        migrate(connection)
        assert definitions(connection) == before


def test_a_ledger_that_was_made_by_half_is_not_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_half(connection: Connection) -> None:
        make_tables(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr("cafe.ledger.memory.make_tables", make_half)
    with pytest.raises(KeyboardInterrupt):
        open_store(f"sqlite:///{file}")
    assert not file.exists()
    monkeypatch.undo()
    open_store(f"sqlite:///{file}").close()


def test_the_live_orders_are_found_by_their_own_index(durable_url: str) -> None:
    open_store(durable_url).close()
    with connected(durable_url) as connection:
        sql = live_orders.compile(connection, compile_kwargs={"render_postcompile": True})
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        plan = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{plan} {sql}").all()
    assert "ix_orders_live" in str(rows)


def test_every_status_fits_its_column() -> None:
    assert max(map(len, STATUSES)) <= getattr(orders.c.status.type, "length", 0)


def test_the_wheel_holds_the_migrations(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in ZipFile(wheel).namelist() if "/migrations/" in name}
    folder = ROOT / "cafe" / "ledger" / "migrations"
    assert packed == {str(path.relative_to(ROOT)) for path in folder.rglob("*.py")}
