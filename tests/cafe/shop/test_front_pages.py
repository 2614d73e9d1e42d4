"""What one sees first: the page at `/` of each port, and the docs of a port that has a token."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import httpx
import pytest

from cafe.http.front_page import FrontPage
from cafe.operations.operator_api import NotReady
from cafe.shop.apps import CLIENT, WORKER, health_app
from cafe.shop.ports import Access
from tests.cafe.accounts.lobby import open_lobby
from tests.test_roles import open_apps

TOKEN = "open-sesame-4711"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FRONTS = {"client": CLIENT, "worker": WORKER}
PREFIXES = {
    "client": ("", "/api/v1", "/api/v1/client", "/compat/cafe"),
    "worker": ("", "/api/v1/worker", "/compat/cafe"),
}
LINK = re.compile(r'<a href="([^"]*)">([^<]*)</a>')


@asynccontextmanager
async def visiting(port: str, base: str = "") -> AsyncGenerator[httpx.AsyncClient]:
    async with open_apps(Access("open"), base) as house:
        transport = httpx.ASGITransport(house.apps[port], client=("192.0.2.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


def expected(front: FrontPage, prefix: str) -> list[tuple[str, str]]:
    return [(prefix + link.path, link.title) for link in front.links]


@pytest.mark.parametrize("port", PREFIXES)
async def test_the_root_links_to_what_there_is_under_the_prefix_that_was_used(port: str) -> None:
    async with visiting(port) as client:
        for prefix in PREFIXES[port]:
            links = expected(FRONTS[port], prefix)
            for path in (prefix or "/", f"{prefix}/"):
                answer = await client.get(path)
                body: dict[str, Any] = answer.json()
                assert (answer.status_code, body["title"]) == (200, FRONTS[port].title)
                assert [(one["href"], one["title"]) for one in body["links"]] == links
                assert answer.headers["vary"] == "accept"
                page = await client.get(path, headers=BROWSER)
                if port == "client":  # on which one orders
                    assert f'src="{prefix}/screens/order.js"' in page.text
                    assert page.headers["vary"] == "accept, accept-language"
                else:
                    assert shown_in(page) == links
                    assert page.headers["vary"] == "accept"
            for href, _ in links:
                assert (await client.get(href)).status_code == 200, href


def shown_in(page: httpx.Response) -> list[tuple[str, str]]:
    """Return the links of a page, which runs nothing and loads nothing."""
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha")
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    return [(href, unescape(title)) for href, title in LINK.findall(page.text)]


async def test_the_root_does_not_link_to_what_a_shop_has_not() -> None:
    async with open_lobby() as lobby, lobby.visitor() as client:  # accounts alone
        links = (await client.get("/")).json()["links"]
    assert [link["href"] for link in links] == ["/docs", "/openapi.json", "/readyz"]


@pytest.mark.parametrize("access", [Access("token", TOKEN), Access("accounts")])
async def test_the_docs_of_a_port_that_wants_credentials_can_be_opened_and_take_them(
    access: Access,
) -> None:
    async with open_lobby(access=access) as lobby, lobby.staff() as client:
        page = await client.get("/api/v1/worker/docs", headers=BROWSER)
        assert page.status_code == 200
        files = re.findall(r"""(?:href|src|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
        assert "/api/v1/worker/openapi.json" in files
        for file in files:
            assert (await client.get(file)).status_code == 200, file
        schema = (await client.get("/openapi.json")).json()
        assert schema["components"]["securitySchemes"] == {
            "bearer": {"type": "http", "scheme": "bearer"}
        }
        assert (await client.get("/actors")).status_code == 401


@pytest.mark.parametrize("port", FRONTS)
async def test_at_a_front_of_several_shops_all_that_is_shown_of_one_is_below_its_path(
    port: str,
) -> None:
    base = "/shops/north"
    async with visiting(port, base) as client:
        systems = (await client.get(f"{base}/compat/")).json()["systems"]
        pages = [f"{base}/openapi.json", *(f"{one['base_url']}/openapi.json" for one in systems)]
        for page in pages:
            schema = (await client.get(page)).raise_for_status().json()
            assert all(one["url"].startswith(base) for one in schema["servers"]), page
        for one in systems:
            assert (await client.get(one["docs"])).status_code == 200
            assert one["base_url"].startswith(base)
        at_host = (await client.get("/compat/")).json()["systems"]
        assert [base + one["base_url"] for one in at_host] == [one["base_url"] for one in systems]


async def test_a_front_of_several_shops_links_to_each() -> None:
    async def no_house() -> NotReady:
        return NotReady("house", "No house answers.")

    shops = ["/shops/north", "/shops/south"]
    app = health_app("client", no_house, shops)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as client:
        links = (await client.get("/")).json()["links"]
        assert [one["href"] for one in links] == [f"{one}/" for one in shops]
        assert '<a href="/shops/south/">' in (await client.get("/", headers=BROWSER)).text
