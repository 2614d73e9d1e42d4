"""The shop that the clients of another system have moved to, on each database."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from cafe.ledger.database import upgrade
from tests.cafe.ledger.postgres import PostgresServer
from tests.system.shop import Shop, open_shop


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def moved(request: pytest.FixtureRequest) -> Generator[Shop]:
    """Yield a shop that the tests of one module share; its staff sign in."""
    settings: dict[str, Any] = {"worker_auth": "accounts", "limit_requests": 10**6}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgresql_server")
        url = server.url(server.new_database())
        upgrade(url)
        settings["database_url"] = url
    with open_shop(**settings) as shop:
        yield shop
