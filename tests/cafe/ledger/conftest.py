"""The three kinds of ledger; what holds for one holds for all."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest

from cafe.ledger.database import upgrade
from cafe.ledger.store import Store, open_store
from cafe.ledger.tables import events, prunings
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.ledger.house_owner import make_shelves
from tests.cafe.ledger.postgres import PostgresServer, running_server, why_not
from tests.cafe.ledger.waiting import Waiting

DURABLE = ("file", "postgresql")
KINDS = ("memory", *DURABLE)
TEMPLATE = "ledger_template"
SHARED = "ledger_shared"
"""Emptied for each test of the store, in less time than a database of its own would take."""
TABLES = (events, prunings, *(table for one in DEPARTMENTS for table in one.tables))


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """Yield a server that runs; a test that stops it starts it again."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with running_server() as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        upgrade(server.url(TEMPLATE))
        server.execute(f"CREATE DATABASE {SHARED} TEMPLATE {TEMPLATE}")
        yield server


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Return a function that gives the URL of a new, empty ledger of a kind."""

    numbers = count(1)

    def give(kind: str) -> str:
        if kind == "memory":
            return "sqlite://"
        if kind == "file":
            return f"sqlite:///{tmp_path}/cafe{next(numbers)}.db"
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.url(server.new_database(TEMPLATE))

    return give


@pytest.fixture
def shared_url(postgres: PostgresServer) -> str:
    """Return the URL of an empty ledger on PostgreSQL, for tests as those of `url`."""
    postgres.execute(f"TRUNCATE {', '.join(table.name for table in TABLES)}", SHARED)
    return postgres.url(SHARED)


def url_of(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    if request.param != "postgresql":
        return new_url(request.param)
    return str(request.getfixturevalue("shared_url"))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    """Return the URL of an empty ledger, for tests that leave its tables and rights as they are."""
    return url_of(request, new_url)


@pytest.fixture(params=DURABLE)
def kept_url(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    """Return the URL of such a ledger that outlives its connections."""
    return url_of(request, new_url)


@pytest.fixture(params=DURABLE)
def durable_url(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    return new_url(request.param)


@pytest.fixture
def store(url: str) -> Generator[Store]:
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cafe.db"


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """Return the name of a database with an empty ledger."""
    return postgres.new_database(TEMPLATE)


@pytest.fixture
def address(postgres: PostgresServer, database: str) -> str:
    """Return its URL; it has the tables of the shelves, too."""
    url = postgres.url(database)
    make_shelves(url)
    return url


@pytest.fixture
def stand_by() -> Generator[Callable[[str], Waiting]]:
    """Return a function that starts a standby; at the end each is cancelled, or closed."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(Waiting(url)))
