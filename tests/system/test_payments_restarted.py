"""Keys and payments after a kill, and while a shop runs without the settings of its provider."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from tests.system.api import problem
from tests.system.paying import (
    ADA,
    BASKET,
    Providers,
    open_paying_shop,
    open_providers,
    signed_in,
)
from tests.system.shop import Shop
from tests.system.until import until, until_asked

pytestmark = pytest.mark.once

WARNING = "payments wait for a setting"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that outlives its shops."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'cafe.db'}"
    address: str = request.getfixturevalue("postgresql")
    return address


async def post(client: httpx.AsyncClient, key: str) -> httpx.Response:
    return await client.post("/orders", json=BASKET, headers=signed_in(ADA, key))


async def ordered(client: httpx.AsyncClient, key: str, status: int) -> str:
    """Order with a key; return the order's id."""
    response = await post(client, key)
    assert response.status_code == status, response.text
    order_id: str = response.json()["order_id"]
    return order_id


async def is_ordered(client: httpx.AsyncClient, key: str) -> bool:
    return (await post(client, key)).status_code == 200


async def is_refunded(client: httpx.AsyncClient, order_id: str) -> bool:
    shown = await client.get(f"/orders/{order_id}", headers=signed_in(ADA))
    return bool(shown.json()["payment"]["status"] == "refunded")


async def leave_one_of_each(shop: Shop, providers: Providers) -> tuple[str, str]:
    """Leave a refused payment, a paid, an asked and one to refund; kill the shop.

    Return the ids of the paid and of the cancelled order.
    """
    async with shop.customers() as client:
        providers.behave(charges="refuse")
        problem(await post(client, "refused"), 402)
        providers.behave(charges="accept", refunds="fail")
        paid, cancelled = await ordered(client, "paid", 201), await ordered(client, "given-up", 201)
        await client.delete(f"/orders/{cancelled}", headers=signed_in(ADA))
        providers.behave(charges="stall")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post, client, "asked")
            await until(lambda: len(providers.done("charges")) == 3)
            nursery.cancel_scope.cancel()
        shop.process.kill()
        await shop.ended()
    return paid, cancelled


async def test_a_key_leads_to_the_same_answer_after_a_kill_and_without_the_provider(
    url: str,
) -> None:
    with open_providers() as providers:
        open_it = partial(open_paying_shop, database_url=url)
        with open_it(providers, exit_code=-signal.SIGKILL) as shop:
            paid, cancelled = await leave_one_of_each(shop, providers)
        with open_it(providers, exit_code=-signal.SIGKILL) as shop:
            async with shop.customers() as client:
                problem(await post(client, "refused"), 402)
            assert shop.log.lines(WARNING) == []
            shop.process.kill()
            await shop.ended()
        with open_it(None) as shop:
            await find_them_waiting(shop, paid, cancelled)
        providers.behave(charges="accept", refunds="accept")
        with open_it(providers) as shop:
            assert shop.log.lines(WARNING) == []
            await find_them_done(shop, paid, cancelled)
        assert len(providers.done("charges")) == 3
        assert len(providers.done("refunds")) == 1


async def find_them_waiting(shop: Shop, paid: str, cancelled: str) -> None:
    """Check what a shop without a provider answers, and what it warns of."""
    async with shop.customers() as client:
        problem(await post(client, "refused"), 402)
        assert await ordered(client, "paid", 200) == paid
        assert await ordered(client, "given-up", 200) == cancelled
        running = await post(client, "asked")
        problem(running, 409)
        assert int(running.headers["retry-after"]) >= 1
    warned = [(one["setting"], one["status"], one["waiting"]) for one in shop.log.lines(WARNING)]
    assert warned == [("CAFE_PAYMENT_URL", "asked", 1), ("CAFE_REFUND_URL", "refund_pending", 1)]
    assert {one["level"] for one in shop.log.lines(WARNING)} == {"warning"}


async def find_them_done(shop: Shop, paid: str, cancelled: str) -> None:
    """Check that each key leads where it led, now that the provider is back."""
    async with shop.customers() as client:
        problem(await post(client, "refused"), 402)
        assert await ordered(client, "paid", 200) == paid
        assert await ordered(client, "given-up", 200) == cancelled
        await until_asked(partial(is_ordered, client, "asked"))
        await until_asked(partial(is_refunded, client, cancelled))
        problem(await post(client, "refused"), 402)
