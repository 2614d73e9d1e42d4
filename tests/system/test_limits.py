"""The limits of an address on both ports, in shops where they are low and bans are short."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import httpx
import pytest
import trio

from tests.system.api import LATER, brew, crowd, order, park, problem
from tests.system.raw_client import Client, read_to_end
from tests.system.shop import TOKEN, Line, Shop, open_shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once

PROXY = "127.0.0.99"
REQUESTS, WAITING, CONNECTIONS, BAN_AFTER, BAN_SECONDS, QUEUE = 20, 3, 8, 15, 5, 7


@pytest.fixture(scope="module")
def strict() -> Generator[Shop]:
    """Yield a shop with low limits and a trusted proxy."""
    with open_shop(
        limit_requests=REQUESTS,
        limit_window_seconds=2,
        limit_waiting=WAITING,
        limit_connections=CONNECTIONS,
        ban_after=BAN_AFTER,
        ban_seconds=BAN_SECONDS,
        max_waiting=QUEUE,
        trusted_proxies=f"{PROXY}/32, 10.0.0.0/8",
    ) as shop:
        yield shop


def limited(response: httpx.Response, limit: str) -> Line:
    """Return the body of a 429 of this limit, after a look at its header fields."""
    body = problem(response, 429)
    assert body["limit"] == limit
    seconds = int(response.headers["retry-after"])
    policy = "waiting" if limit == "waiting" else "requests"
    rule = 'q=3;qu="concurrent-requests"' if limit == "waiting" else "q=20;w=2"
    assert seconds >= 1
    assert response.headers["ratelimit-policy"] == f'"{policy}";{rule}'
    assert response.headers["ratelimit"] == f'"{policy}";r=0;t={seconds}'
    return body


async def ask_until(customer: httpx.AsyncClient, limit: str) -> list[httpx.Response]:
    """Ask until this limit refuses, and give all answers; as time passes there is a little room."""
    answers = [await customer.get("/queue")]
    while answers[-1].status_code == 200 or answers[-1].json()["limit"] != limit:
        answers.append(await customer.get("/queue"))
        assert len(answers) < 10 * REQUESTS
    return answers


async def test_too_many_requests_are_refused_but_not_those_of_others(
    strict: Shop, address: str
) -> None:
    async with strict.customers(address) as customer:
        *served, refused = await ask_until(customer, "requests")
        assert len(served) >= REQUESTS
        assert {one.status_code for one in served} == {200}
        limited(refused, "requests")
    async with strict.customers("127.6.0.1") as other:
        assert (await other.get("/queue")).status_code == 200


async def test_every_route_counts_except_health_routes(strict: Shop, address: str) -> None:
    health = ("/livez", "/readyz", "/api/v1/client/livez", "/api/v1/client/readyz")
    async with strict.customers(address) as customer:
        for path in health * REQUESTS:
            assert (await customer.get(path)).status_code == 200
        for n in range(REQUESTS):
            path = ("/queue", "/no/such/path", "/order/no-such-order", "/docs")[n % 4]
            assert (await customer.get(path)).status_code in {200, 404}
        await ask_until(customer, "requests")
        for path in health:
            assert (await customer.get(path)).status_code == 200


async def test_the_customers_limit_does_not_limit_baristas_at_the_same_address(
    strict: Shop, address: str
) -> None:
    async with strict.customers(address) as customer, strict.baristas(address) as barista:
        await ask_until(customer, "requests")
        for _ in range(3 * REQUESTS):
            assert (await barista.get("/start/")).status_code == 204


async def test_too_many_waiting_orders_are_refused_until_one_is_ready(
    strict: Shop, address: str
) -> None:
    async with strict.customers(address) as customer, strict.baristas() as barista:
        for _ in range(WAITING):
            await order(customer)
        before = await strict.metric('cafe_refusals_total{limit="waiting"}')
        body = limited(await customer.post("/order/"), "waiting")
        assert body["detail"] == "Your address has 3 orders waiting, as many as it may."
        assert await strict.metric('cafe_refusals_total{limit="waiting"}') == before + 1
        async with strict.customers("127.6.0.2") as other:
            await order(other)
        await brew(barista)
        await order(customer)
        for _ in range(WAITING + 1):
            await brew(barista)


async def test_a_full_queue_refuses_every_order(strict: Shop) -> None:
    async with AsyncExitStack() as stack, strict.baristas() as barista:
        for n in range(QUEUE):
            customer = await stack.enter_async_context(strict.customers(f"127.6.1.{n + 1}"))
            await order(customer)
        customer = await stack.enter_async_context(strict.customers("127.6.1.99"))
        response = await customer.post("/order/", headers=LATER)
        assert problem(response, 503)["reason"] == "queue_full"
        assert int(response.headers["retry-after"]) >= 1
        assert (await customer.get("/queue")).json()["accepting"] is False
        for _ in range(QUEUE):
            await brew(barista)
        assert (await customer.get("/queue")).json()["accepting"] is True


CUT_OFF_SECONDS = 0.5
"""A banned address cannot connect and gets no answer: its packets are dropped."""


async def is_served(shop: Shop, address: str) -> bool:
    """Return whether a new connection from this address gets an answer, a 200."""
    with trio.move_on_after(CUT_OFF_SECONDS):
        try:
            async with shop.customers(address) as customer:
                return (await customer.get("/queue")).status_code == 200
        except httpx.TransportError:
            return False
    return False


async def ask_until_cut_off(ask: Callable[[], Awaitable[httpx.Response]]) -> list[int]:
    """Ask until there is no response; return the statuses of those that there were."""
    statuses: list[int] = []
    with suppress(httpx.TransportError, trio.TooSlowError):
        while len(statuses) < 10 * WORKER_REQUESTS:
            with trio.fail_after(CUT_OFF_SECONDS):
                statuses.append((await ask()).status_code)
        pytest.fail("the address was never banned")
    return statuses


async def test_too_many_connections_are_refused_until_one_closes(
    strict: Shop, address: str
) -> None:
    refused = 'cafe_connections_refused_total{app="client"}'
    before = await strict.metric(refused)
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            stream = await stack.enter_async_context(await strict.connect(address))
            await Client(stream).ask(b"GET /livez HTTP/1.1\r\nHost: cafe\r\n\r\n")
        assert not await is_served(strict, address)
        assert await strict.metric(refused) == before + 1
        assert await is_served(strict, "127.6.0.3")
    await until_asked(lambda: is_served(strict, address))


async def are_over(shop: Shop) -> bool:
    """Return whether no address is banned."""
    return await shop.metric("cafe_bans_now") == 0


async def test_an_address_that_is_refused_too_often_is_banned_until_the_ban_ends(
    strict: Shop, address: str
) -> None:
    bans = await strict.metric("cafe_bans_total")
    async with (
        crowd(strict, [address] * 2) as parked,
        strict.customers("127.6.0.4") as other,
        strict.customers(address) as customer,
    ):
        await strict.has_waiting(2)
        regular = await order(other)
        await ask_until_cut_off(partial(customer.get, "/queue"))
        ban = await strict.log.line("banned", address=address)
        assert not await is_served(strict, address)
        assert await strict.metric("cafe_bans_now") == 1
        assert ban["seconds"] == BAN_SECONDS
        assert ban["orders"] <= 2  # an order that its connection cancelled first is not counted
        assert [await read_to_end(stream) for stream in parked] == [b"", b""]
        assert [one["order_id"] for one in await strict.orders()] == [regular["order_id"]]
        assert await strict.metric("cafe_bans_total") == bans + 1
        assert await is_served(strict, "127.6.0.5")
    async with strict.baristas() as barista:
        await brew(barista)
    await until_asked(partial(are_over, strict))  # who connects meanwhile earns the next ban
    await until_asked(lambda: is_served(strict, address))


async def test_an_address_that_sends_no_http_too_often_is_banned(
    strict: Shop, address: str
) -> None:
    answers: list[bytes] = []

    async def is_banned() -> bool:
        # A banned address gets no response.
        with trio.move_on_after(1), suppress(OSError, trio.BrokenResourceError):
            async with await strict.connect(address) as stream:
                await stream.send_all(b"BREW\r\n\r\n")
                answers.append(await read_to_end(stream))
        return strict.log.lines("banned", address=address) != []

    await until_asked(is_banned)
    assert len(answers) >= BAN_AFTER
    assert answers[0].startswith(b"HTTP/1.1 400")
    await until_asked(partial(are_over, strict))


def behind_the_proxy(shop: Shop, host: str) -> httpx.AsyncClient:
    """Return a client behind the trusted proxy, which forges the leftmost address."""
    return shop.customers(PROXY, headers={"X-Forwarded-For": f"192.0.2.99, {host}, 10.0.0.1"})


async def test_customers_behind_a_trusted_proxy_are_counted_separately(strict: Shop) -> None:
    hosts = [f"198.51.100.{n}" for n in range(1, 11)]
    async with AsyncExitStack() as stack:  # more connections than one address may have
        customers = [
            await stack.enter_async_context(behind_the_proxy(strict, host)) for host in hosts
        ]
        for _ in range(REQUESTS):
            answers = [await customer.get("/queue") for customer in customers]
            assert [one.status_code for one in answers] == [200] * len(hosts)
        limited((await ask_until(customers[0], "requests"))[-1], "requests")
        fresh = await stack.enter_async_context(behind_the_proxy(strict, "198.51.100.99"))
        assert (await fresh.get("/queue")).status_code == 200
    assert await strict.log.line("request", address=hosts[0], status=429)


async def test_a_ban_behind_a_trusted_proxy_does_not_affect_others_there(strict: Shop) -> None:
    host = "198.51.100.200"
    parked = f"POST /order/ HTTP/1.1\r\nHost: cafe\r\nX-Forwarded-For: {host}\r\n\r\n".encode()
    async with (
        await park(strict, PROXY, parked) as stream,
        behind_the_proxy(strict, host) as customer,
        behind_the_proxy(strict, "198.51.100.201") as other,
    ):
        await strict.has_waiting(1)
        limited((await ask_until(customer, "banned"))[-1], "banned")
        response = await Client(stream).read("POST")
        headers = [(name, value) for name, value in response.headers.items()]
        limited(httpx.Response(response.status, headers=headers, content=response.body), "banned")
        await strict.has_waiting(0)
        assert (await other.get("/queue")).status_code == 200


WORKER_REQUESTS = 40
LIMITS: dict[str, Any] = {
    "limit_window_seconds": 2,
    "ban_after": BAN_AFTER,
    "ban_seconds": 3,
}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def strict_worker() -> Generator[Shop]:
    """Yield a shop without a token and with low limits."""
    with open_shop(
        worker_limit_requests=WORKER_REQUESTS, limit_requests=WORKER_REQUESTS, **LIMITS
    ) as shop:
        yield shop


@pytest.fixture(scope="module")
def limited_with_token() -> Generator[Shop]:
    """Yield a shop whose baristas need a token."""
    with open_shop(worker_token=TOKEN, worker_limit_requests=1, **LIMITS) as shop:
        yield shop


async def gets_an_answer(client: httpx.AsyncClient, path: str) -> bool:
    """Return whether a new connection is answered."""
    with trio.move_on_after(CUT_OFF_SECONDS), suppress(httpx.TransportError):
        async with client:
            return (await client.get(path)).status_code > 0
    return False


async def returns(shop: Shop, address: str) -> None:
    """Wait until an address is served again, on both ports."""
    for client, path in ((shop.customers, "/queue"), (shop.baristas, "/livez")):
        await until_asked(lambda: gets_an_answer(client(address), path))  # noqa: B023 - at once


async def test_an_address_that_guesses_tokens_is_banned_from_both_ports_until_the_ban_ends(
    limited_with_token: Shop, address: str
) -> None:
    async with (
        limited_with_token.baristas(address, headers={"Authorization": "Bearer guess"}) as guesser,
        crowd(limited_with_token, [address]) as parked,
        limited_with_token.customers("127.7.0.1") as customer,
        limited_with_token.baristas("127.7.0.1", headers=BEARER) as barista,
    ):
        placed = await order(customer)
        refused = partial(
            limited_with_token.metric, 'cafe_refusals_total{limit="credentials"}', BEARER
        )
        before = await refused()
        statuses = await ask_until_cut_off(partial(guesser.get, "/orders"))
        assert set(statuses) == {401}
        assert len(statuses) >= BAN_AFTER - 1  # the last one is lost with its connection
        await limited_with_token.log.line("banned", address=address)
        assert not await gets_an_answer(limited_with_token.baristas(address), "/livez")
        assert not await gets_an_answer(limited_with_token.customers(address), "/livez")
        assert [await read_to_end(stream) for stream in parked] == [b""]
        assert (await brew(barista))["order_id"] == placed["order_id"]
        # The answer to the last may be lost with its connection.
        made = await refused() - before
        assert made >= BAN_AFTER
        assert made in {len(statuses), len(statuses) + 1}
    await returns(limited_with_token, address)


async def test_an_address_that_guesses_orders_is_banned_although_it_has_the_token(
    limited_with_token: Shop, address: str
) -> None:
    async with limited_with_token.baristas(address, headers=BEARER) as guesser:
        statuses = await ask_until_cut_off(partial(guesser.post, "/finish/no-such-order"))
        assert set(statuses) == {404}
    assert not await gets_an_answer(limited_with_token.customers(address), "/livez")
    await returns(limited_with_token, address)


async def test_a_client_with_the_token_is_never_limited(
    limited_with_token: Shop, address: str
) -> None:
    async with limited_with_token.baristas(address, headers=BEARER) as barista:
        for _ in range(5 * WORKER_REQUESTS):
            assert (await barista.get("/start/")).status_code == 204


async def test_without_a_token_an_address_that_asks_too_often_is_refused_and_then_banned(
    strict_worker: Shop, address: str
) -> None:
    async with strict_worker.baristas(address) as barista:
        for _ in range(WORKER_REQUESTS):
            assert (await barista.get("/start/")).status_code == 204
        refused = await barista.get("/start/")
        assert problem(refused, 429)["limit"] == "requests"
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["ratelimit-policy"] == f'"requests";q={WORKER_REQUESTS};w=2'
        for path in ("/livez", "/readyz", "/api/v1/worker/livez"):
            assert (await barista.get(path)).status_code == 200
        async with strict_worker.baristas("127.7.0.2") as other:
            assert (await other.get("/start/")).status_code == 204
        assert set(await ask_until_cut_off(partial(barista.get, "/start/"))) <= {204, 429}
    assert not await gets_an_answer(strict_worker.baristas(address), "/livez")
    assert not await gets_an_answer(strict_worker.customers(address), "/livez")
    await returns(strict_worker, address)


async def test_malformed_http_on_the_baristas_port_is_counted_too(
    strict_worker: Shop, address: str
) -> None:
    async def is_banned() -> bool:
        with trio.move_on_after(CUT_OFF_SECONDS), suppress(OSError, trio.BrokenResourceError):
            async with await strict_worker.connect(address, strict_worker.worker) as stream:
                await stream.send_all(b"BREW\r\n\r\n")
                await read_to_end(stream)
        return strict_worker.log.lines("banned", address=address) != []

    await until_asked(is_banned)
    await returns(strict_worker, address)


async def test_an_address_that_is_banned_on_the_customers_port_is_banned_on_the_baristas(
    strict_worker: Shop, address: str
) -> None:
    async with (
        strict_worker.customers(address) as customer,
        strict_worker.baristas(address) as barista,
    ):
        assert (await barista.get("/livez")).status_code == 200
        await ask_until_cut_off(partial(customer.get, "/queue"))
        with pytest.raises((httpx.TransportError, trio.TooSlowError)):
            with trio.fail_after(CUT_OFF_SECONDS):
                await barista.get("/livez")
    await returns(strict_worker, address)
