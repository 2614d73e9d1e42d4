"""One shop for all the tests that need no settings of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from itertools import count

import pytest

from tests.system.shop import Shop, open_shop

_numbers = count(1)


@pytest.fixture(scope="session")
def open_all_day() -> Generator[Shop]:
    """Give a shop with the settings that it has by default."""
    with open_shop() as shop:
        yield shop


@pytest.fixture
async def shop(open_all_day: Shop) -> AsyncGenerator[Shop]:
    """Give the shop that all share, whose queue the test has to leave empty."""
    yield open_all_day
    left = await open_all_day.orders()
    async with open_all_day.baristas() as barista:
        for order in left:  # the next test must not suffer
            await barista.get("/start/")
            await barista.post("/finish/", json={"order_id": order["order_id"]})
    assert left == []


@pytest.fixture
def address() -> str:
    """Give a loopback address of the test's own, with limits of its own."""
    number = next(_numbers)
    return f"127.1.{number // 250}.{number % 250 + 1}"
