"""CAFE_CORS_ORIGINS: pages of listed origins use the customers' app, with tokens and no cookies."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest

from tests.system.api import LATER, brew
from tests.system.shop import Shop, open_shop

pytestmark = pytest.mark.once

OURS, THEIRS = "https://shop.example", "https://other.example"
ORIGINS = f"{OURS}, http://localhost:3000, https://tls.example:443"
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")
SETTINGS: dict[str, Any] = {"cors_origins": ORIGINS, "limit_requests": 40, "ban_after": 1_000}


@pytest.fixture(scope="module")
def open_to_pages() -> Generator[Shop]:
    """Yield a shop that lists origins."""
    with open_shop(**SETTINGS) as shop:
        yield shop


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }


def is_open_to(response: httpx.Response, origin: str) -> bool:
    """Return whether a page of `origin` may read a response; check what all have."""
    assert "origin" in response.headers.get("vary", "")
    assert "access-control-allow-credentials" not in response.headers
    assert "set-cookie" not in response.headers
    allowed: str | None = response.headers.get("access-control-allow-origin")
    return allowed == origin


@pytest.mark.parametrize("origin", [OURS, "http://localhost:3000", "https://tls.example"])
@pytest.mark.parametrize("prefix", ["", "/api/v1", "/api/v1/client"])
async def test_a_preflight_of_a_listed_origin_is_answered(
    open_to_pages: Shop, address: str, origin: str, prefix: str
) -> None:
    async with open_to_pages.customers(address) as page:
        asked = await page.options(f"{prefix}/order/", headers=preflight(origin))
    assert (asked.status_code, asked.content) == (204, b"")
    assert is_open_to(asked, origin)
    assert "POST" in asked.headers["access-control-allow-methods"].split(", ")
    allowed = asked.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "prefer"} <= set(allowed)


async def test_a_page_of_a_listed_origin_orders_and_reads_where_its_order_is(
    open_to_pages: Shop, address: str
) -> None:
    async with open_to_pages.customers(address) as page, open_to_pages.baristas() as barista:
        placed = await page.post("/api/v1/order", headers={**LATER, "Origin": OURS})
        assert placed.status_code == 202
        assert is_open_to(placed, OURS)
        assert "Location" in placed.headers["access-control-expose-headers"].split(", ")
        await brew(barista)


async def test_a_page_of_another_origin_gets_no_leave(open_to_pages: Shop, address: str) -> None:
    async with open_to_pages.customers(address) as page:
        for path in ("/queue", "/nothing", "/docs"):
            for origin in (THEIRS, "null"):
                assert not is_open_to(await page.get(path, headers={"Origin": origin}), origin)
        for method in METHODS:
            asked = await page.options("/order/", headers=preflight(THEIRS, method))
            assert not is_open_to(asked, THEIRS)
            assert "access-control-allow-methods" not in asked.headers


async def test_errors_and_refusals_of_the_guard_can_be_read_too(
    open_to_pages: Shop, address: str
) -> None:
    statuses: list[int] = []
    async with open_to_pages.customers(address) as page:
        for number in range(50):
            path, origin = ("/order/", "/nothing", "/order/x")[number % 3], {"Origin": OURS}
            response = await page.post(path, headers=origin, content=b"{")
            assert is_open_to(response, OURS)
            statuses.append(response.status_code)
        asked = await page.get("/queue", headers={"Origin": OURS})
        exposed = asked.headers["access-control-expose-headers"].split(", ")
        assert {"Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-ID"} <= set(exposed)
        asked = await page.options("/order/", headers=preflight(OURS))
        assert asked.status_code == 429  # a preflight counts, as every request does
    assert set(statuses) == {404, 405, 422, 429}


async def test_the_baristas_app_is_open_to_no_page(open_to_pages: Shop) -> None:
    async with open_to_pages.baristas() as page:
        for headers in ({"Origin": OURS}, preflight(OURS)):
            asked = await page.options("/start/", headers=headers)
            assert asked.status_code == 403
            assert not any(name.startswith("access-control-") for name in asked.headers)


async def test_without_the_setting_there_is_nothing_of_it(shop: Shop, address: str) -> None:
    async with shop.customers(address) as page:
        asked = await page.options("/order/", headers=preflight(OURS))
        assert (asked.status_code, asked.headers["allow"]) == (204, "OPTIONS, POST")
        for response in (asked, await page.get("/queue", headers={"Origin": OURS})):
            assert "vary" not in response.headers
            assert not any(name.startswith("access-control-") for name in response.headers)


@pytest.mark.parametrize("app", ["client", "worker"])
async def test_no_route_reads_or_sets_a_cookie(shop: Shop, address: str, app: str) -> None:
    async with shop.customers(address) if app == "client" else shop.baristas() as visitor:
        schema = (await visitor.get("/openapi.json")).json()
    schemes = schema["components"].get("securitySchemes", {}).values()
    assert not any(scheme.get("in") == "cookie" for scheme in schemes)
    for path in schema["paths"].values():
        for operation in path.values():
            assert not any(one["in"] == "cookie" for one in operation.get("parameters", ()))
            for response in operation["responses"].values():
                assert "set-cookie" not in {name.lower() for name in response.get("headers", ())}


async def test_a_cookie_changes_no_response(shop: Shop, address: str) -> None:
    cookies = {"Cookie": "session=1; access_token=Bearer%20x; Authorization=Bearer x"}
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for client, path in ((customer, "/queue"), (barista, "/orders"), (customer, "/order/x")):
            with_cookies = await client.get(path, headers=cookies)
            assert with_cookies.status_code == (await client.get(path)).status_code
            assert "set-cookie" not in with_cookies.headers
