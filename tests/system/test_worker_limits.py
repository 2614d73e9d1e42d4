"""The limits of the baristas' port over real connections: who is cut off there, and from what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
import trio

from tests.system.api import brew, crowd, order, problem
from tests.system.raw_client import read_to_end
from tests.system.shop import Shop, open_shop, until_asked

TOKEN = "open-sesame-4711"
REQUESTS, BAN_AFTER, BAN_SECONDS = 40, 15, 3
CUT_OFF_SECONDS = 0.5
"""A banned address cannot connect and gets no answer: its packets are dropped."""
LIMITS: dict[str, Any] = {
    "limit_window_seconds": 2,
    "ban_after": BAN_AFTER,
    "ban_seconds": BAN_SECONDS,
}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def strict() -> Generator[Shop]:
    """Yield a shop without a token and with low limits."""
    with open_shop(worker_limit_requests=REQUESTS, limit_requests=REQUESTS, **LIMITS) as shop:
        yield shop


@pytest.fixture(scope="module")
def guarded() -> Generator[Shop]:
    """Yield a shop whose baristas need a token."""
    with open_shop(worker_token=TOKEN, worker_limit_requests=1, **LIMITS) as shop:
        yield shop


async def gets_an_answer(client: httpx.AsyncClient, path: str) -> bool:
    """Return whether a new connection is answered."""
    with trio.move_on_after(CUT_OFF_SECONDS), suppress(httpx.TransportError):
        async with client:
            return (await client.get(path)).status_code > 0
    return False


async def ask_until_cut_off(ask: Callable[[], Awaitable[httpx.Response]]) -> list[int]:
    """Ask until there is no answer any more; give the statuses of those that there were."""
    statuses: list[int] = []
    with suppress(httpx.TransportError, trio.TooSlowError):
        while len(statuses) < 10 * REQUESTS:
            with trio.fail_after(CUT_OFF_SECONDS):
                statuses.append((await ask()).status_code)
        pytest.fail("never cut off")
    return statuses


async def returns(shop: Shop, address: str) -> None:
    """Wait until an address is served again, on both ports."""
    for client, path in ((shop.customers, "/queue"), (shop.baristas, "/livez")):
        await until_asked(lambda: gets_an_answer(client(address), path))  # noqa: B023 - at once


async def test_an_address_that_guesses_tokens_is_banned_from_both_ports_until_the_ban_ends(
    guarded: Shop, address: str
) -> None:
    async with (
        guarded.baristas(address, headers={"Authorization": "Bearer guess"}) as guesser,
        crowd(guarded, [address]) as parked,
        guarded.customers("127.7.0.1") as customer,
        guarded.baristas("127.7.0.1", headers=BEARER) as barista,
    ):
        placed = await order(customer)
        statuses = await ask_until_cut_off(partial(guesser.get, "/orders"))
        assert set(statuses) == {401}
        assert len(statuses) >= BAN_AFTER - 1  # the last one is lost with its connection
        await guarded.log.line("banned", address=address)
        assert not await gets_an_answer(guarded.baristas(address), "/livez")
        assert not await gets_an_answer(guarded.customers(address), "/livez")
        assert [await read_to_end(stream) for stream in parked] == [b""]
        assert (await brew(barista))["order_id"] == placed["order_id"]
        text = (await barista.get("/metrics")).text
        assert f'cafe_refusals_total{{limit="credentials"}} {BAN_AFTER}.0' in text
    await returns(guarded, address)


async def test_an_address_that_guesses_orders_is_banned_although_it_has_the_token(
    guarded: Shop, address: str
) -> None:
    async with guarded.baristas(address, headers=BEARER) as guesser:
        statuses = await ask_until_cut_off(partial(guesser.post, "/finish/no-such-order"))
        assert set(statuses) == {404}
    assert not await gets_an_answer(guarded.customers(address), "/livez")
    await returns(guarded, address)


async def test_a_client_with_the_token_is_never_limited(guarded: Shop, address: str) -> None:
    async with guarded.baristas(address, headers=BEARER) as barista:
        for _ in range(5 * REQUESTS):
            assert (await barista.get("/start/")).status_code == 204


async def test_without_a_token_an_address_that_asks_too_often_is_refused_and_then_banned(
    strict: Shop, address: str
) -> None:
    async with strict.baristas(address) as barista:
        for _ in range(REQUESTS):
            assert (await barista.get("/start/")).status_code == 204
        refused = await barista.get("/start/")
        assert problem(refused, 429)["limit"] == "requests"
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["ratelimit-policy"] == f'"requests";q={REQUESTS};w=2'
        for path in ("/livez", "/readyz", "/api/v1/worker/livez"):
            assert (await barista.get(path)).status_code == 200
        async with strict.baristas("127.7.0.2") as other:
            assert (await other.get("/start/")).status_code == 204
        assert set(await ask_until_cut_off(partial(barista.get, "/start/"))) <= {204, 429}
    assert not await gets_an_answer(strict.baristas(address), "/livez")
    assert not await gets_an_answer(strict.customers(address), "/livez")
    await returns(strict, address)


async def test_malformed_http_on_the_baristas_port_is_counted_too(
    strict: Shop, address: str
) -> None:
    async def is_banned() -> bool:
        with trio.move_on_after(CUT_OFF_SECONDS), suppress(OSError, trio.BrokenResourceError):
            async with await strict.connect(address, strict.worker) as stream:
                await stream.send_all(b"BREW\r\n\r\n")
                await read_to_end(stream)
        return strict.log.lines("banned", address=address) != []

    await until_asked(is_banned)
    await returns(strict, address)


async def test_an_address_that_is_banned_on_the_customers_port_is_banned_on_the_baristas(
    strict: Shop, address: str
) -> None:
    async with strict.customers(address) as customer, strict.baristas(address) as barista:
        assert (await barista.get("/livez")).status_code == 200
        await ask_until_cut_off(partial(customer.get, "/queue"))
        with pytest.raises((httpx.TransportError, trio.TooSlowError)):
            with trio.fail_after(CUT_OFF_SECONDS):
                await barista.get("/livez")
    await returns(strict, address)
