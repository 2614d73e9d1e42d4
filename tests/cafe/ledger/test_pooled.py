"""A connection pooler before PostgreSQL, and what its ways of pooling mean for the owner's lock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from cafe.ledger.database import upgrade
from cafe.ledger.errors import WrongDatabaseError
from cafe.ledger.store import open_store
from tests.cafe.ledger.conftest import TEMPLATE
from tests.cafe.ledger.lives import Writer
from tests.cafe.ledger.pgbouncer import PORT, program, running_pooler
from tests.cafe.ledger.postgres import PostgresServer, missing

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
        store.commit(Writer().life("a"))
        assert pooled_server.execute(LOCKS) == [(1,)]
