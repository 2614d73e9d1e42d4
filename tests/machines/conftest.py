"""Servers, and a site that all tests share: opening one takes longer than most failures."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from pathlib import Path

import pytest
import trio

from tests.cafe.ledger.postgres import PostgresServer, running_server
from tests.cafe.ledger.postgres import why_not as why_no_postgresql
from tests.machines.redis_server import RedisServer, running_redis
from tests.machines.redis_server import why_not as why_no_redis
from tests.machines.rush import Accounts
from tests.machines.site import Site, new_site


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    if (reason := why_no_postgresql()) is not None:
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Generator[RedisServer]:
    if (reason := why_no_redis()) is not None:
        pytest.skip(reason)
    with running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def site(
    postgres: PostgresServer, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Site]:
    """Yield an open site of two houses and two fronts, with links that can be cut."""
    folder: Path = tmp_path_factory.mktemp("site")
    with new_site(postgres, redis, folder, relayed=True) as site:
        trio.run(site.open)
        yield site
        trio.run(site.close)


@pytest.fixture(scope="session")
def accounts() -> Accounts:
    """Return the accounts of the site's database."""
    return Accounts()


@pytest.fixture
def seed() -> int:
    """Return a seed, which pytest shows if the test fails."""
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 - see above
    return seed
