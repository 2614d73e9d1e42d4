"""The list of orders in pages: complete, no order twice, and a page costs what it shows."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from actors.testing import Probe
from cafe.http.app import create_app
from cafe.http.authentication import Caller, Role
from cafe.http.pages import written_cursor
from cafe.http.plain_routes import PlainRoutes
from cafe.limits.rate_limiter import RateLimiter
from cafe.orders.order import Order, Status
from cafe.orders.queue import OrderBook
from cafe.orders.staff_api import barista_routes
from tests.cafe.http.layers import with_outer_layer
from tests.cafe.orders.counter import Counter, open_counter
from tests.cafe.orders.test_queue import a_book, place

DEEDS = ("place", "start", "finish", "release", "cancel")
BARISTAS = (None, "Bo", "Kim")
Deed = tuple[str, str | None, int]
deeds = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.sampled_from(BARISTAS), st.integers(0, 30)), max_size=25
)


def do(book: OrderBook, deed: Deed) -> None:
    """Do something to one of the orders that allow it, if there is one."""
    what, barista, which = deed
    waiting = [order for order in book.live() if order.status is Status.WAITING]
    brewing = [order for order in book.live() if order.status is Status.PREPARATION]
    if what == "place":
        place(book, f"order-{sum(book.by_status.values())}")
    elif what == "start" and waiting:
        book.start(barista, 0.0)
    elif what == "cancel" and waiting:
        book.cancel(waiting[which % len(waiting)].order_id, 0.0)
    elif what == "finish" and brewing:
        book.finish(brewing[which % len(brewing)].order_id, 0.0)
    elif what == "release" and brewing:
        book.release(brewing[which % len(brewing)].order_id, 0.0)


def listed(book: OrderBook, barista: str | None) -> set[int]:
    """Return the numbers of all orders of a list, by looking at every order."""
    live = (order for order in book.live() if barista in {None, order.barista})
    return {order.number for order in live}


def page(book: OrderBook, shown: list[int], most: int, barista: str | None) -> list[Order]:
    """Return the page that follows those that were shown."""
    return book.page(shown[-1] if shown else 0, most, barista)


@given(
    before=deeds,
    between=st.lists(deeds, max_size=12),
    most=st.integers(1, 4),
    barista=st.sampled_from(BARISTAS),
)
def test_pages_put_together_are_the_whole_list_while_orders_come_and_go(
    before: list[Deed], between: list[list[Deed]], most: int, barista: str | None
) -> None:
    book, shown = a_book(), list[int]()
    for deed in before:
        do(book, deed)
    always, ever = listed(book, barista), listed(book, barista)
    for happening in between:
        shown += [order.number for order in page(book, shown, most, barista)]
        for deed in happening:
            do(book, deed)
            always &= listed(book, barista)
            ever |= listed(book, barista)
    while found := page(book, shown, most, barista):
        assert len(found) <= most
        shown += [order.number for order in found]
    assert shown == sorted(set(shown)), "oldest first, and nothing twice"
    assert always <= set(shown) <= ever


def steps(work: Callable[[], object]) -> int:
    """Count the lines that are executed, each time that they are."""
    counted = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal counted
        counted += event == "line"
        return trace

    others = sys.gettrace()
    gc.disable()  # it would call finalizers at any time
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(others)
        gc.enable()
    return counted


@pytest.mark.parametrize("barista", [None, "Bo"])
def test_the_cost_of_a_page_does_not_depend_on_the_number_of_orders(barista: str | None) -> None:
    taken: set[int] = set()
    for orders in (100, 10_000):
        book = a_book()
        for number in range(orders):
            place(book, f"order-{number}")
        for _ in range(orders // 2):
            book.start("Kim", 0.0)
        for _ in range(10):
            book.start("Bo", 0.0)
        found = book.page(20, 10, barista)
        assert len(found) == 10
        taken.add(steps(lambda: [book.standing(one, 1, 0.0) for one in book.page(20, 10, barista)]))  # noqa: B023 - called here
    assert len(taken) == 1


async def as_a_barista(_scope: Scope) -> Caller | None:
    """Take each caller for a barista."""
    return Caller(Role.BARISTA)


@asynccontextmanager
async def open_port() -> AsyncGenerator[tuple[Counter, httpx.AsyncClient]]:
    """Open a counter, and an HTTP client of the baristas' routes."""
    async with open_counter() as counter:
        api = create_app(
            [barista_routes(counter.desk, Probe(RateLimiter))],
            title="t",
            description="d",
            version="1",
            prefix="/api",
            authenticate=as_a_barista,
        )
        transport = httpx.ASGITransport(with_outer_layer(PlainRoutes(api)))
        async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as barista:
            yield counter, barista


async def pages(barista: httpx.AsyncClient, url: str) -> list[list[int]]:
    """Follow the links to the last page; return the ticket numbers of each."""
    found: list[list[int]] = []
    while url:
        response = await barista.get(url)
        assert response.status_code == 200, response.text
        found.append([order["number"] for order in response.json()["orders"]])
        url = response.links["next"]["url"] if response.links else ""
    return found


@pytest.mark.schedules(1)
async def test_each_page_but_the_last_links_to_the_next() -> None:
    async with open_port() as (counter, barista):
        assert await pages(barista, "/orders") == [[]]
        for _ in range(6):
            await counter.order(hold=0)
        assert await pages(barista, "/orders") == [[1, 2, 3, 4, 5, 6]]
        assert await pages(barista, "/orders?limit=6") == [[1, 2, 3, 4, 5, 6]]
        assert await pages(barista, "/orders?limit=4") == [[1, 2, 3, 4], [5, 6]]
        assert await pages(barista, "/orders?limit=1") == [[1], [2], [3], [4], [5], [6]]


@pytest.mark.schedules(1)
async def test_baristas_see_the_lines_of_what_waits_and_of_what_they_claim() -> None:
    async with open_port() as (counter, barista):
        await counter.placed()
        await counter.order(hold=0)
        basket, plain = (await barista.get("/orders")).json()["orders"]
        assert [item["name"] for item in basket["items"]] == ["Latte", "Water", "Donuts"]
        assert basket["items"][0] == {
            "product_id": "latte",
            "variation_id": "latte-vanilla",
            "name": "Latte",
            "variation": "Vanilla",
            "quantity": 2,
            "unit_price_cents": 430,
            "total_cents": 860,
        }
        assert plain["items"] == []
        first, second = [(await barista.get("/start/")).json() for _ in range(2)]
        assert (first["items"], second["items"]) == (basket["items"], [])


@pytest.mark.slow
async def test_a_page_has_at_most_five_hundred_orders() -> None:
    async with open_port() as (counter, barista):
        for number in range(501):
            await counter.order(hold=0, address=f"192.0.2.{number % 2}")
        assert [len(one) for one in await pages(barista, "/orders")] == [500, 1]


@pytest.mark.schedules(1)
@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("name", ["Bo", "Zoë & <Kim>; rel=next, Set-Cookie: a"])
async def test_a_link_keeps_the_prefix_the_limit_and_the_barista(prefix: str, name: str) -> None:
    async with open_port() as (counter, barista):
        for _ in range(5):
            await counter.order(hold=0)
        for each in (name, "other", name, name, None):
            await counter.claimed(each)
        asked = {"limit": "2", "barista": name}
        response = await barista.get(f"{prefix}/orders", params=asked)
        expected = {"cache-control", "content-length", "content-type", "link", "x-request-id"}
        assert set(response.headers) == expected
        link = httpx.URL(response.links["next"]["url"])
        assert link.path == f"{prefix}/orders"
        assert dict(link.params) == asked | {"cursor": written_cursor(3)}
        assert await pages(barista, str(link)) == [[4]]


@pytest.mark.schedules(1)
async def test_a_cursor_is_valid_after_its_order_has_left_the_list() -> None:
    async with open_port() as (counter, barista):
        for _ in range(4):
            await counter.order(hold=0)
        first = await barista.get("/orders?limit=2")
        for _ in range(2):
            await counter.finish(await counter.claimed())
        await counter.order(hold=0)
        assert await pages(barista, first.links["next"]["url"]) == [[3, 4], [5]]


@pytest.mark.schedules(1)
@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=few", "limit=", "cursor=", "cursor=17", "cursor=%00"),
        *("cursor=YmVoaW5kIDE3%3D", "cursor=YmVoaW5kIC0x", "cursor=caf%C3%A9"),
        "cursor=" + "A" * 4000,
    ],
)
async def test_a_malformed_limit_or_cursor_is_refused(query: str) -> None:
    async with open_port() as (_, barista):
        response = await barista.get(f"/orders?{query}")
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["loc"] == ["query", query.split("=", maxsplit=1)[0]]
