"""The guard in front of an ASGI app that answers with what the guard has put into its scope."""

from collections.abc import AsyncIterator, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from actors import Ref, open_system
from cafe.limits.address import parse_networks
from cafe.limits.gateway import SAMPLE, GatewayWatch
from cafe.limits.guard import Guard
from cafe.limits.rate_limiter import (
    CountLimits,
    Limits,
    RateLimiter,
    RecordRefusals,
    Window,
)
from tests.cafe.http.layers import with_outer_layer

OFFICE = "192.0.2.7"
PROXY = "10.0.0.1"
GATEWAY = "172.17.0.1"
LIMITS = Limits(requests=2, worker_requests=3, window_seconds=10.0, waiting=4)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the address and, if the RateLimiter was asked, the orders that may wait."""
    allowance = scope["state"].get("allowance")
    state = {"address": scope["state"]["address"], "waiting": allowance and allowance.waiting}
    await JSONResponse(state)(scope, receive, send)


@pytest.fixture
async def limiter() -> AsyncIterator[Ref[RateLimiter]]:
    async with open_system() as system:
        yield await system.start(partial(RateLimiter, LIMITS, lambda: 0.0))


@pytest.fixture
def guard(limiter: Ref[RateLimiter]) -> Guard:
    return Guard(echo, limiter, parse_networks("10.0.0.0/8"))


def client_at(host: str, guard: Guard) -> httpx.AsyncClient:
    """Return a client that connects from `host`; the app is served under a prefix, too."""
    app = with_outer_layer(guard, "/api/v1", "/api/v1/client")
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(host, 4711)), base_url="http://cafe"
    )


async def test_the_app_gets_the_address_and_its_allowance(guard: Guard) -> None:
    async with client_at("::ffff:192.0.2.7", guard) as client:
        response = await client.post("/order/")
    assert response.json() == {"address": OFFICE, "waiting": 4}


async def test_an_admitted_request_gets_no_limit_headers(guard: Guard) -> None:
    async with client_at(OFFICE, guard) as client:
        response = await client.get("/queue")
    assert not {"retry-after", "ratelimit", "ratelimit-policy"} & set(response.headers)


async def test_a_request_over_the_limit_gets_a_problem_that_says_when_to_retry(
    guard: Guard,
) -> None:
    async with client_at(OFFICE, guard) as client:
        for _ in range(LIMITS.requests):
            assert (await client.get("/queue")).status_code == 200
        response = await client.get("/queue")
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "15"
    assert response.headers["ratelimit-policy"] == '"requests";q=2;w=10'
    assert response.headers["ratelimit"] == '"requests";r=0;t=15'
    body = response.json()
    assert (body["status"], body["limit"]) == (429, "requests")
    assert body["detail"] == "Your address may make 2 requests in 10 s and has made them."


@pytest.mark.parametrize("path", ["/livez", "/api/v1/client/livez", "/api/v1/livez", "/readyz"])
async def test_health_routes_are_never_counted(
    guard: Guard, limiter: Ref[RateLimiter], path: str
) -> None:
    async with client_at(OFFICE, guard) as client:
        answers = [(await client.get(path)).json() for _ in range(2 * LIMITS.requests)]
    assert answers == [{"address": OFFICE, "waiting": None}] * 4
    assert (await limiter.ask(CountLimits())).addresses == 0


@pytest.mark.parametrize("path", ["/livez/../order/", "/order/livez", "/livezz", "/api/livez"])
async def test_a_path_that_only_looks_like_a_health_route_is_counted(
    guard: Guard, limiter: Ref[RateLimiter], path: str
) -> None:
    async with client_at(OFFICE, guard) as client:
        await client.get(path)
    assert (await limiter.ask(CountLimits())).addresses == 1


async def test_clients_behind_a_trusted_proxy_are_counted_separately(guard: Guard) -> None:
    async with client_at(PROXY, guard) as client:
        statuses = [
            (
                await client.get("/queue", headers={"X-Forwarded-For": f"{spoofed}, {real}"})
            ).status_code
            for spoofed, real in zip(
                ("1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.1"),
                ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"),
                strict=True,
            )
        ]
    assert statuses == [200, 200, 429, 200]


async def test_forwarding_headers_of_other_peers_are_ignored(guard: Guard) -> None:
    async with client_at(OFFICE, guard) as client:
        response = await client.get("/queue", headers={"X-Forwarded-For": "192.0.2.99"})
    assert response.json()["address"] == OFFICE


def baristas_at(
    host: str, limiter: Ref[RateLimiter], window: Window | None = "baristas"
) -> httpx.AsyncClient:
    """Return a client at a guard of the baristas' port."""
    return client_at(host, Guard(echo, limiter, parse_networks("10.0.0.0/8"), window=window))


async def test_the_baristas_port_counts_in_a_window_of_its_own(
    guard: Guard, limiter: Ref[RateLimiter]
) -> None:
    async with client_at(OFFICE, guard) as customer, baristas_at(OFFICE, limiter) as barista:
        statuses = [(await customer.get("/queue")).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        statuses = [(await barista.get("/start/")).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]


async def test_without_a_window_only_requests_through_a_proxy_are_asked_about(
    limiter: Ref[RateLimiter],
) -> None:
    forwarded = {"X-Forwarded-For": OFFICE}
    async with (
        baristas_at(OFFICE, limiter, None) as barista,
        baristas_at(PROXY, limiter, None) as distant,
    ):
        for _ in range(100):
            response = await barista.get("/start/")
            assert response.json() == {"address": OFFICE, "waiting": None}
            assert (await distant.get("/start/", headers=forwarded)).status_code == 200
        await limiter.ask(RecordRefusals(((OFFICE, LIMITS.ban_after),)))
        refused = await distant.get("/start/", headers=forwarded)
        assert (refused.status_code, refused.json()["limit"]) == (429, "banned")
        # The door closes the connections of who is banned; here there is none.
        assert (await barista.get("/start/")).status_code == 200


def request_scope(**changes: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/queue", "headers": [], **changes}


async def receive_nothing() -> MutableMapping[str, Any]:
    raise AssertionError("the body was read")


async def send_nowhere(_message: MutableMapping[str, Any]) -> None:
    """Take any part of a response."""


async def test_clients_without_an_address_are_counted_as_one(guard: Guard) -> None:
    scope = request_scope(client=None)
    await guard(scope, receive_nothing, send_nowhere)
    assert scope["state"]["address"] == ""


async def test_the_state_of_the_lifespan_is_kept(guard: Guard) -> None:
    scope = request_scope(client=(OFFICE, 1), state={"request_id": "r1"})
    await guard(scope, receive_nothing, send_nowhere)
    assert scope["state"]["request_id"] == "r1"


async def test_what_is_not_http_passes_untouched(limiter: Ref[RateLimiter]) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    await Guard(app, limiter, ())({"type": "lifespan"}, receive_nothing, send_nowhere)
    assert seen == [{"type": "lifespan"}]


async def test_that_all_customers_have_a_gateways_address_is_logged_once() -> None:
    async def no_message() -> Message:
        raise AssertionError

    async def discard(_message: Message) -> None:
        raise AssertionError

    async def passed_on(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    unlimited = Limits(requests=10_000)
    with structlog.testing.capture_logs() as lines:
        async with open_system() as system:
            limiter = await system.start(partial(RateLimiter, unlimited, lambda: 0.0))
            guard = Guard(passed_on, limiter, (), gateway=GatewayWatch())
            for path, port in [("/livez", 1), *[("/order/", n) for n in range(2 * SAMPLE)]]:
                scope = {
                    "type": "http",
                    "path": path,
                    "headers": [],
                    "client": ("172.17.0.1", port),
                }
                await guard(scope, no_message, discard)
    (line,) = lines
    assert line["event"] == "all customers seem to have one address"
    assert (line["address"], line["log_level"]) == (GATEWAY, "warning")
    page, heading = line["see"].split(", ")
    assert f"## {heading}\n" in Path(__file__).parents[3].joinpath(page).read_text("utf-8")
