"""What the counter serves: any product on the menu, by its name or its id."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from cafe.limits.rate_limiter import Limits
from cafe.menu.product import Board, Menu
from tests.cafe.orders.counter import BOARD
from tests.cafe.shop.test_apps import Apps, open_apps

LATER = {"Prefer": "respond-async"}
FIRST = ["Americano", "Latte", "Espresso", "Macchiato", "Iced Coffee", "Donuts"]

pytestmark = pytest.mark.schedules(1)


def visitor(apps: Apps) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(apps.client, client=("192.0.2.1", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://cafe", headers=LATER)


def without(board: Board, product_id: str) -> Menu:
    return Menu(one for one in board.menu.products if one.product_id != product_id)


def sold_out(board: Board, product_id: str) -> Menu:
    return Menu(
        one._replace(sold_out=one.sold_out or one.product_id == product_id)
        for one in board.menu.products
    )


@pytest.mark.parametrize(
    ("body", "drink"),
    [
        (None, "americano"),
        ({}, "americano"),
        ({"drink": "americano"}, "americano"),
        ({"drink": "Americano"}, "americano"),
        ({"drink": "latte"}, "latte"),
        ({"drink": "LATTE"}, "latte"),
        ({"drink": "iced-coffee"}, "iced coffee"),
        ({"drink": "iced  coffee "}, "iced coffee"),
        ({"drink": "donuts"}, "donuts"),
    ],
)
async def test_a_product_is_ordered_by_its_name_in_any_case_or_its_id(
    body: dict[str, str] | None, drink: str
) -> None:
    async with open_apps() as apps, visitor(apps) as customer:
        placed = await customer.post("/order/", json=body)
        assert (placed.status_code, placed.json()["drink"]) == (202, drink)


@pytest.mark.parametrize("drink", ["tea", "latte-vanilla", " ", "\u2615", "x" * 80])
async def test_what_is_not_on_the_menu_is_a_422_that_lists_what_there_is(drink: str) -> None:
    async with open_apps() as apps, visitor(apps) as customer:
        refused = await customer.post("/order/", json={"drink": drink})
        assert (refused.status_code, refused.json()["menu"]) == (422, FIRST)
        assert ", ".join(FIRST) in refused.json()["detail"]
        assert (await apps.desk.count()).waiting == 0


@pytest.mark.parametrize("drink", ["", "x" * 81, "\0", None, 7, True, ["latte"]])
async def test_what_is_no_name_of_a_drink_is_a_422(drink: Any) -> None:
    async with open_apps() as apps, visitor(apps) as customer:
        refused = await customer.post("/order/", json={"drink": drink})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["loc"] == ["body", "drink"]


async def test_a_surrogate_is_no_drink() -> None:
    async with open_apps() as apps, visitor(apps) as customer:
        headers = {"Content-Type": "application/json"}
        body = rb'{"drink": "\ud800"}'
        assert (await customer.post("/order/", content=body, headers=headers)).status_code == 422


async def test_what_is_sold_out_is_not_served_and_not_listed() -> None:
    board = Board(sold_out(BOARD, "latte"))
    async with open_apps(board=board) as apps, visitor(apps) as customer:
        refused = await customer.post("/order/", json={"drink": "latte"})
        assert (refused.status_code, "Latte" in refused.json()["menu"]) == (422, False)
        board.show(BOARD.menu)
        assert (await customer.post("/order/", json={"drink": "latte"})).status_code == 202


async def test_without_an_americano_an_order_names_its_drink() -> None:
    board = Board(without(BOARD, "americano"))
    async with open_apps(board=board) as apps, visitor(apps) as customer:
        refused = await customer.post("/order/")
        assert (refused.status_code, refused.json()["menu"]) == (422, FIRST[1:])
        board.show(Menu())
        assert (await customer.post("/order/")).json()["menu"] == []


@pytest.mark.parametrize("drink", ["latte", "Latte"])
@pytest.mark.parametrize("changed", [sold_out, without])
async def test_a_key_leads_to_its_order_also_when_the_drink_has_sold_out_since(
    drink: str, changed: Any
) -> None:
    board = Board(BOARD.menu)
    async with open_apps(board=board) as apps, visitor(apps) as customer:
        body, key = {"drink": drink}, {"Idempotency-Key": "k"}
        placed = await customer.post("/order/", json=body, headers=key)
        board.show(changed(BOARD, "latte"))
        again = await customer.post("/order/", json=body, headers=key)
        assert again.status_code == 202
        assert again.json()["order_id"] == placed.json()["order_id"]
        refused = await customer.post("/order/", json=body, headers={"Idempotency-Key": "new"})
        assert (refused.status_code, "Latte" in refused.json()["menu"]) == (422, False)
        assert (await apps.desk.count()).waiting == 1


async def test_a_refused_drink_counts_as_a_request_and_as_nothing_else() -> None:
    async with open_apps(Limits(requests=3)) as apps, visitor(apps) as customer:
        statuses = [
            (await customer.post("/order/", json={"drink": "tea"})).status_code for _ in range(4)
        ]
        assert statuses == [422, 422, 422, 429]


async def test_old_orders_show_the_drink_as_sold() -> None:
    board = Board(BOARD.menu)
    async with open_apps(board=board) as apps, visitor(apps) as customer:
        placed = await customer.post("/order/", json={"drink": "latte"})
        board.show(without(BOARD, "latte"))
        shown = await customer.get(placed.headers["location"])
        assert json.loads(shown.text)["drink"] == "latte"
