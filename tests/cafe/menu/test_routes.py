"""The routes of the menu: what they read from the board, and which message a manager sends."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Scope

from actors.testing import Probe
from cafe.http.app import create_app
from cafe.http.authentication import Caller, Role
from cafe.http.plain_routes import PlainRoutes
from cafe.menu.catalogue import ProductWish, VariationWish
from cafe.menu.customer_api import menu_routes
from cafe.menu.keeper import MenuKeeper
from cafe.menu.messages import AddProduct, ChangeProduct, DeleteProduct, ReplaceMenu
from cafe.menu.product import Board, Menu, json_of, members_of
from cafe.menu.refusals import NameTaken, NotAMenu, UnknownProduct
from cafe.menu.staff_api import manager_routes
from tests.cafe.menu.menus import first_catalogue

MENU = first_catalogue().menu
LATTE = MENU.by_id["latte"]
TEA: dict[str, Any] = {"name": "Tea", "base_price_cents": 200}
WISH = ProductWish(None, "Tea", "", "", None, 200, sold_out=False, variations=())
CALLERS = {
    "manager": Caller(Role.MANAGER, "1", "ada"),
    "barista": Caller(Role.BARISTA, "2", "bo"),
    "customer": Caller(Role.CUSTOMER, "3", "cy"),
}


async def authenticate(scope: Scope) -> Caller | None:
    """Say who makes a request: its header names one of CALLERS."""
    name = dict(scope["headers"]).get(b"authorization", b"").decode()
    return CALLERS.get(name)


@asynccontextmanager
async def visiting(
    keeper: Probe[MenuKeeper] | None = None, board: Board | None = None, by: str = "manager"
) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a client of an app with all routes of the menu."""
    board = board or Board(MENU)
    routers = [menu_routes(board), manager_routes(keeper or Probe(MenuKeeper), board)]
    app = create_app(
        routers, title="t", description="d", version="1", prefix="/api", authenticate=authenticate
    )
    transport = httpx.ASGITransport(PlainRoutes(app))
    headers = {"Authorization": by}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://cafe", headers=headers
    ) as client:
        yield client


# For all


async def test_the_menu_is_what_the_board_shows_and_may_be_kept_with_its_tag() -> None:
    async with visiting(by="") as client:
        shown = await client.get("/menu")
        assert (shown.status_code, shown.content) == (200, json_of(MENU))
        assert shown.headers["cache-control"] == "no-cache"
        assert shown.headers["content-type"] == "application/json"
        again = await client.get("/menu", headers={"If-None-Match": shown.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == shown.headers["etag"]
        assert again.headers["cache-control"] == "no-cache"
        head = await client.head("/menu")
        assert head.headers["etag"] == shown.headers["etag"]


async def test_another_menu_has_another_tag_and_the_same_one_the_same() -> None:
    board = Board(MENU)
    async with visiting(board=board) as client:
        first = await client.get("/menu")
        board.show(Menu(MENU.products[:2]))
        headers = {"If-None-Match": first.headers["etag"]}
        second = await client.get("/menu", headers=headers)
        assert (second.status_code, len(second.json()["products"])) == (200, 2)
        board.show(Menu(MENU.products))
        assert (await client.get("/menu", headers=headers)).status_code == 304


@pytest.mark.parametrize("value", ["*", 'W/{}, "a"', '"a", {}', "W/{}"])
async def test_a_client_that_has_the_menu_gets_no_body(value: str) -> None:
    async with visiting() as client:
        tag = (await client.get("/menu")).headers["etag"]
        answer = await client.get("/menu", headers={"If-None-Match": value.format(tag)})
        assert answer.status_code == 304


# For managers


async def test_a_manager_lists_the_products() -> None:
    async with visiting() as client:
        listed = await client.get("/admin/products")
    assert listed.json() == json.loads(json_of(MENU))


async def test_adding_is_one_message_with_an_id_of_its_own() -> None:
    keeper = Probe(MenuKeeper)
    keeper.answer(AddProduct, LATTE)
    async with visiting(keeper) as client:
        added = await client.post("/admin/products", json=TEA)
    (message,) = keeper.received
    assert isinstance(message, AddProduct)
    assert len(message.wish.product_id or "") == 16
    assert message == AddProduct(WISH._replace(product_id=message.wish.product_id), "ada")
    assert (added.status_code, added.json()) == (201, members_of(LATTE))


async def test_a_change_names_what_changes_and_nothing_else() -> None:
    keeper = Probe(MenuKeeper)
    variation = {"id": "a", "name": "A", "price_change_cents": -1}
    changes: list[tuple[dict[str, Any], ProductWish]] = [
        ({}, ProductWish()),
        ({"sold_out": True}, ProductWish(sold_out=True)),
        ({"name": None, "base_price_cents": 0}, ProductWish(base_price_cents=0)),
        ({"variations": []}, ProductWish(variations=())),
        ({"variations": [variation]}, ProductWish(variations=(VariationWish("a", "A", -1),))),
    ]
    for body, wish in changes:
        keeper.answer(ChangeProduct, LATTE)
        async with visiting(keeper) as client:
            changed = await client.patch("/admin/products/latte", json=body)
        assert keeper.received[-1] == ChangeProduct("latte", wish, "ada")
        assert (changed.status_code, changed.json()) == (200, members_of(LATTE))


async def test_deleting_has_no_body() -> None:
    keeper = Probe(MenuKeeper)
    keeper.answer(DeleteProduct, None)
    async with visiting(keeper) as client:
        deleted = await client.delete("/admin/products/latte")
    assert keeper.received == (DeleteProduct("latte", "ada"),)
    assert (deleted.status_code, deleted.content) == (204, b"")


async def test_the_menu_that_is_shown_can_be_sent_back() -> None:
    keeper = Probe(MenuKeeper)
    keeper.answer(ReplaceMenu, MENU.products)
    async with visiting(keeper) as client:
        replaced = await client.put("/admin/menu", content=json_of(MENU), headers=JSON)
    (message,) = keeper.received
    assert isinstance(message, ReplaceMenu)
    after, changes = first_catalogue().replace(message.wishes, lambda: "none")
    assert (after.menu.products, changes) == (MENU.products, [])
    assert (replaced.status_code, replaced.content) == (200, json_of(MENU))


JSON = {"Content-Type": "application/json"}
PLACE = ("variations", 0, "name")


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(NameTaken("No.", ("name",)), 409), (NotAMenu("No.", PLACE), 422), (UnknownProduct(), 404)],
)
async def test_a_refusal_is_a_problem(
    refusal: NameTaken | NotAMenu | UnknownProduct, status: int
) -> None:
    keeper = Probe(MenuKeeper)
    keeper.answer(ChangeProduct, refusal)
    async with visiting(keeper) as client:
        refused = await client.patch("/admin/products/latte", json={})
    assert (refused.status_code, refused.json()["detail"]) == (status, str(refusal))
    if status == 422:
        (error,) = refused.json()["errors"]
        assert error == {"loc": ["body", *PLACE], "type": "menu", "message": "No."}


def variation(**members: object) -> dict[str, Any]:
    return {**TEA, "variations": [{"name": "A", "price_change_cents": 0, **members}]}


NO_PRODUCTS: list[Any] = [
    *({}, [], None, {"name": "Tea"}, {"base_price_cents": 1}, {**TEA, "sugar": 1}),
    *({**TEA, "name": ""}, {**TEA, "name": " \xa0"}, {**TEA, "name": 1}),
    *({**TEA, "name": "x" * 81}, {**TEA, "name": "\u0958" * 80}, {**TEA, "name": "a\0"}),
    *({**TEA, "name": "a\n"}, {**TEA, "description": "x" * 1001}, {**TEA, "category": "x" * 81}),
    *({**TEA, "category": "\x7f"}, {**TEA, "description": "\x85"}),
    *({**TEA, "base_price_cents": cents} for cents in (-1, 2.0, "2", True, 10**8 + 1, 10**30)),
    *({**TEA, "position": position} for position in (-1, 1.0, "1", True, 10**6 + 1)),
    *({**TEA, "sold_out": 1}, {**TEA, "sold_out": "true"}, {**TEA, "sold_out": []}),
    *({**TEA, "variations": {}}, {**TEA, "variations": [1]}, {**TEA, "variations": [{}]}),
    {**TEA, "variations": [{"name": f"{n}", "price_change_cents": 0} for n in range(101)]},
    *(variation(price_change_cents=cents) for cents in (10**8 + 1, -(10**8) - 1, 0.5, "1", None)),
    *(variation(name=name) for name in ("", "x" * 81, "a\x1f", None, 1)),
    *(variation(id=name) for name in ("", "a/b", "x" * 65, "a\n", "\u00e9", 1)),
    variation(milk=True),
]


@pytest.mark.parametrize("body", NO_PRODUCTS)
async def test_a_body_that_is_no_product_does_not_reach_the_actor(body: Any) -> None:
    keeper = Probe(MenuKeeper)
    async with visiting(keeper) as client:
        refused = await client.post("/admin/products", json=body)
        in_a_menu = await client.put("/admin/menu", json={"products": [body]})
    assert (refused.status_code, in_a_menu.status_code, keeper.received) == (422, 422, ())


async def test_a_new_product_and_its_variations_have_no_ids_of_the_manager_s() -> None:
    async with visiting() as client:
        for body in ({**TEA, "id": "tea"}, variation(id="a")):
            refused = await client.post("/admin/products", json=body)
            assert refused.json()["errors"][0]["type"] == "extra_forbidden"


@pytest.mark.parametrize(
    "body", [b'{"name": "\\ud800", "base_price_cents": 1}', b'{"name": "a", "name": "b"}', b"{"]
)
async def test_a_body_that_is_no_text_does_not_reach_the_actor(body: bytes) -> None:
    keeper = Probe(MenuKeeper)
    async with visiting(keeper) as client:
        refused = await client.post("/admin/products", content=body, headers=JSON)
    assert refused.status_code in {400, 422}
    assert keeper.received == ()


@pytest.mark.parametrize("body", [{}, {"products": None}, {"products": [TEA] * 501}, [TEA]])
async def test_a_body_that_is_no_menu_does_not_reach_the_actor(body: Any) -> None:
    keeper = Probe(MenuKeeper)
    async with visiting(keeper) as client:
        refused = await client.put("/admin/menu", json=body)
    assert (refused.status_code, keeper.received) == (422, ())


@pytest.mark.parametrize(("by", "status"), [("", 401), ("barista", 403), ("customer", 403)])
async def test_only_managers_reach_the_actor(by: str, status: int) -> None:
    keeper = Probe(MenuKeeper)
    async with visiting(keeper, by=by) as client:
        answers = [
            await client.get("/admin/products"),
            await client.post("/admin/products", json=TEA),
            await client.patch("/admin/products/latte", json={}),
            await client.delete("/admin/products/latte"),
            await client.put("/admin/menu", json={"products": []}),
        ]
        assert (await client.get("/menu")).status_code == 200
    assert [one.status_code for one in answers] == [status] * 5
    assert keeper.received == ()


async def test_a_name_is_tidied_before_it_is_kept() -> None:
    keeper = Probe(MenuKeeper)
    keeper.answer(AddProduct, LATTE)
    async with visiting(keeper) as client:
        await client.post("/admin/products", json={**TEA, "name": "  Cafe\u0301  au lait "})
    (message,) = keeper.received
    assert isinstance(message, AddProduct)
    assert message.wish.name == "Caf\u00e9 au lait"
