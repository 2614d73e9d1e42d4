"""Opening a ledger on PostgreSQL: its tables, roles, settings; a connection pooler before it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import pytest

from cafe.ledger.database import upgrade
from cafe.ledger.errors import (
    LedgerError,
    LoginRefused,
    NotALedger,
    SchemaBehind,
    WrongDatabaseError,
)
from cafe.ledger.store import Store, open_store
from tests.cafe.cli.running import run_command
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.order_histories import Tickets, find, unit, unit_each
from tests.cafe.ledger.pgbouncer import PORT, program, running_pooler
from tests.cafe.ledger.postgres import PASSWORD, PostgresServer, missing


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database(TEMPLATE)


@pytest.fixture
def store(postgres: PostgresServer, database: str) -> Generator[Store]:
    store = open_store(postgres.url(database), busy_seconds=0.1)
    yield store
    store.close()


def test_a_commit_waits_for_the_disk_whatever_the_server_s_default(
    postgres: PostgresServer, database: str
) -> None:
    postgres.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    store = open_store(postgres.url(database), busy_seconds=0.07)
    link = store._writer  # pyright: ignore[reportPrivateUsage] - the setting is a connection's
    with link.transaction(writing=False) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "70ms"
    store.close()


def test_a_look_up_is_one_round_trip_for_it_begins_and_ends_no_transaction(
    postgres: PostgresServer, store: Store, database: str
) -> None:
    find(store, "a")
    sessions = postgres.execute("SELECT datname, state, query FROM pg_stat_activity")
    # In a transaction the last statement would be its end.
    ours = [(state, query) for name, state, query in sessions if name == database]
    assert [state for state, query in ours if "FROM orders" in query] == ["idle"]


def test_an_empty_database_is_refused_with_what_to_do_and_then_upgraded(
    postgres: PostgresServer,
) -> None:
    url = postgres.url(postgres.new_database())
    with pytest.raises(SchemaBehind, match=r"^[^\n]*run: cafe db upgrade$"):
        open_store(url)
    upgrade(url)
    upgrade(url)
    store = open_store(url)
    store.commit(unit_each(Tickets().delivered("a")))
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '9999'",
        "INSERT INTO alembic_version VALUES ('9999')",
        "DROP TABLE alembic_version",
    ],
)
def test_tables_of_a_newer_or_another_program_are_refused(
    postgres: PostgresServer, database: str, statement: str
) -> None:
    postgres.execute(statement, database)
    for opening in (open_store, upgrade):
        with pytest.raises(NotALedger, match=r"^[^\n]+\.$"):
            opening(postgres.url(database))


def test_other_tables_beside_the_ledger_are_ignored(postgres: PostgresServer) -> None:
    database = postgres.new_database()
    postgres.execute("CREATE TABLE songs (title TEXT)", database)
    upgrade(postgres.url(database))
    open_store(postgres.url(database)).close()
    assert postgres.execute("SELECT count(*) FROM songs", database) == [(0,)]


@pytest.mark.parametrize("wrong", ["wr0ng-word", "p%40ss%2Fword"])
def test_no_error_holds_the_password(postgres: PostgresServer, wrong: str) -> None:
    url = postgres.url(TEMPLATE, login=f"guarded:{wrong}")
    with pytest.raises(LoginRefused, match="password authentication failed") as caught:
        open_store(url)
    assert wrong not in str(caught.value)
    assert "p@ss/word" not in repr(caught.value) + repr(caught.value.__cause__)


def test_the_right_password_is_let_in(postgres: PostgresServer) -> None:
    database = postgres.new_database()
    postgres.execute("GRANT ALL ON SCHEMA public TO guarded", database)
    url = postgres.url(database, login=f"guarded:{PASSWORD}")
    upgrade(url)
    open_store(url).close()


def test_a_role_that_may_not_write_is_refused(postgres: PostgresServer, database: str) -> None:
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guarded", database)
    with pytest.raises(LedgerError, match="permission denied"):
        open_store(postgres.url(database, login=f"guarded:{PASSWORD}"))


def test_a_database_that_is_not_there_is_named(postgres: PostgresServer) -> None:
    with pytest.raises(LoginRefused, match='database "nowhere" does not exist'):
        open_store(postgres.url("nowhere"))


def test_a_customer_s_name_with_a_character_that_the_server_refuses_is_a_row_refused(
    store: Store,
) -> None:
    placed = Tickets().place("a")
    bad = placed._replace(order=placed.order._replace(name="\0"))
    refusal = store.commit([unit(bad)]).refused[0]
    assert refusal is not None
    assert "NUL" in str(refusal)
    assert refusal.reason == "invalid"


def encoded(postgres: PostgresServer, encoding: str) -> str:
    options = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    return postgres.url(postgres.new_database("template0", options))


@pytest.mark.parametrize("opening", [open_store, upgrade])
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_could_not_keep_every_name_is_refused(
    postgres: PostgresServer, encoding: str, opening: Callable[[str], object]
) -> None:
    with pytest.raises(WrongDatabaseError, match=rf"^The database .* keeps text as {encoding}"):
        opening(encoded(postgres, encoding))


def test_an_upgrade_of_such_a_database_says_in_one_line_how_to_make_another(
    postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = encoded(postgres, "LATIN1")
    assert run_command(["db", "upgrade", "--database-url", url]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("createdb --template=template0 --encoding=UTF8")


def test_names_come_back_as_they_went_in_whatever_encoding_the_role_asks_for(
    postgres: PostgresServer, database: str
) -> None:
    postgres.execute(f"ALTER DATABASE {database} SET client_encoding = 'LATIN1'")
    with closing(open_store(postgres.url(database))) as store:
        placed = Tickets().place("a")
        named = placed._replace(order=placed.order._replace(name="咖啡"))
        store.commit([unit(named)])
        assert find(store, "a") == named.order


LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.fixture
def pooled_server(postgres: PostgresServer) -> PostgresServer:
    if program() is None:
        pytest.skip(missing("no PgBouncer here (on Debian: apt install pgbouncer)"))
    return postgres


@pytest.mark.parametrize("round_robin", [False, True])
@pytest.mark.parametrize("opening", [open_store, upgrade])
def test_a_pooler_that_pools_transactions_is_refused_in_one_line(
    pooled_server: PostgresServer, opening: Callable[[str], object], *, round_robin: bool
) -> None:
    name = pooled_server.new_database(TEMPLATE)
    with running_pooler(pooled_server, "transaction", round_robin=round_robin):
        with pytest.raises(WrongDatabaseError, match=r"^A connection pooler [^\n]*\.$"):
            opening(f"{pooled_server.url(name)}&port={PORT}")
        assert pooled_server.execute(LOCKS) == [(0,)]


def test_a_pooler_that_pools_sessions_is_none_of_the_ledger_s_business(
    pooled_server: PostgresServer,
) -> None:
    name = pooled_server.new_database(TEMPLATE)
    with (
        running_pooler(pooled_server, "session"),
        closing(open_store(f"{pooled_server.url(name)}&port={PORT}")) as store,
    ):
        store.commit(unit_each(Tickets().delivered("a")))
        assert pooled_server.execute(LOCKS) == [(1,)]
