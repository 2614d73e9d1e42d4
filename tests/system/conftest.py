"""One shop for all tests that need no settings of their own, and a database server."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Generator
from itertools import count

import pytest
import trustme

from cafe.ledger.database import upgrade
from tests.cafe.ledger.postgres import PostgresServer, running_server, why_not
from tests.system.shop import COMMAND, TOKEN, Shop, open_shop
from tests.system.tiny_server import Certificate

TEMPLATE = "ledger_template"
"""A database with the ledger's tables: to copy it takes a tenth of what the migrations take."""

_numbers = count(1)


@pytest.fixture(scope="session")
def default_shop() -> Generator[Shop]:
    """Yield a shop with the default settings."""
    with open_shop(program=COMMAND) as shop:
        yield shop


@pytest.fixture
async def shop(default_shop: Shop) -> AsyncGenerator[Shop]:
    """Yield the shop that tests share; the test has to leave its queue empty."""
    yield default_shop
    left = await default_shop.orders()
    async with default_shop.baristas() as barista:
        for order in left:  # so that the next test does not fail too
            await barista.get("/start/")
            await barista.post("/finish/", json={"order_id": order["order_id"]})
    assert left == []


@pytest.fixture(scope="session")
def guarded() -> Generator[Shop]:
    """Yield a shop whose baristas need a token."""
    with open_shop(worker_hosts="", worker_token=TOKEN) as shop:
        yield shop


@pytest.fixture
def address() -> str:
    """Return a loopback address that no other test uses, so that its limits are unused."""
    number = next(_numbers)
    return f"127.1.{number // 250}.{number % 250 + 1}"


@pytest.fixture(scope="session")
def postgresql_server() -> Generator[PostgresServer]:
    """Yield a running PostgreSQL server."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with running_server() as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        upgrade(server.url(TEMPLATE))
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgresServer) -> str:
    """Return the URL of an empty ledger on PostgreSQL."""
    return postgresql_server.url(postgresql_server.new_database(TEMPLATE))


@pytest.fixture
def seed() -> int:
    """Return a seed, which pytest shows if the test fails."""
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 - see above
    return seed


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    return {"certfile": str(folder / "cert.pem"), "keyfile": str(folder / "key.pem")}
