"""coffee-shop's documented calls over real sockets, on both databases, and what wrong ones get."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

import httpx
import pytest
import trio

from cafe.compat.coffee_shop import CoffeeOrderOut
from cafe.http.authentication import Role
from tests.system.api import problem
from tests.system.credentials import Fields, bearer, credentials
from tests.system.paying import Providers, open_providers
from tests.system.shop import Shop, environment
from tests.system.until import TIMEOUT, until_asked

pytestmark = pytest.mark.once

ROOT = "/compat/coffee-shop"
BASE = f"{ROOT}/api/v1"
CUSTOMER = {"username": "customer@example.com", "password": "customer123"}
MANAGER = {"username": "manager@example.com", "password": "manager123"}
STRANGER = {"username": "bo@example.com", "password": "correct horse"}
LATTE = {"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 2}
BASKET = {"items": [LATTE], "metadata": {"table": 4}}
Body = dict[str, Any]
_numbers = count(1)


@pytest.fixture(scope="module")
def all_providers() -> Generator[Providers]:
    with open_providers() as running:
        yield running


@pytest.fixture(scope="module")
def more_settings(all_providers: Providers) -> Mapping[str, Any]:
    """Return the settings of a shop that charges."""
    return {name: all_providers.settings[name] for name in ("payment_url", "refund_url")}


@pytest.fixture
def providers(all_providers: Providers) -> Generator[Providers]:
    all_providers.behave(charges="accept", refunds="accept")
    yield all_providers
    all_providers.behave(charges="accept", refunds="accept")


@dataclass(frozen=True, slots=True)
class People:
    """Callers of coffee-shop's API: its two documented users, a stranger, and no one."""

    customer: httpx.AsyncClient
    manager: httpx.AsyncClient
    stranger: httpx.AsyncClient
    nobody: httpx.AsyncClient

    async def order(self, basket: Body = BASKET) -> Body:
        """Order for the first time."""
        placed = await self.customer.post("/orders", json=basket)
        assert placed.status_code == 201, placed.text
        return whole(placed)

    async def add(self, **members: object) -> Body:
        """Put a product on the menu that costs 3.20, if nothing else is said."""
        wish = {"name": f"Cortado {next(_numbers)}", "base_price_cents": 320, **members}
        added = await self.manager.post("/admin/products", json=wish)
        assert added.status_code == 201, added.text
        product: Body = added.json()
        assert product["name"] == wish["name"]
        assert product["base_price_cents"] == wish["base_price_cents"]
        return product


def whole(response: httpx.Response) -> Body:
    """Return an order, which has all members of ours and all of that system's."""
    body: Body = response.json()
    check_order(body)
    return body


def check_order(order: Body) -> None:
    assert order.keys() == CoffeeOrderOut.model_fields.keys()
    shown = CoffeeOrderOut.model_validate(order)
    assert (shown.id, shown.created_at) == (shown.order_id, shown.placed_at)
    for line in order["items"]:
        assert line["line_total_cents"] == line["total_cents"]
        assert line["line_total_cents"] == line["quantity"] * line["unit_price_cents"]
    assert order["payment"].keys() == {"status", "response_status_code"}


def orders_on(response: httpx.Response) -> list[Body]:
    """Return the orders of a page."""
    assert response.status_code == 200, response.text
    orders: list[Body] = response.json()["orders"]
    for one in orders:
        check_order(one)
    return orders


@pytest.fixture(scope="module")
def signed_in(moved: Shop) -> Sequence[Fields]:
    """Return headers of coffee-shop's two documented users, who are seeded, and of a stranger."""
    done = subprocess.run(
        [sys.executable, "-m", "cafe", "users", "seed", "--url", moved.worker],
        env=environment({"database_url": moved.database_url}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with httpx.Client(base_url=moved.client, timeout=TIMEOUT) as client:
        account = {"email": STRANGER["username"], "password": STRANGER["password"]}
        assert client.post("/auth/register", json=account).status_code == 201
        answers = [
            client.post(f"{BASE}/auth/token", data=form) for form in (CUSTOMER, MANAGER, STRANGER)
        ]
    return [bearer(one.json()["access_token"]) for one in answers]


@pytest.fixture
async def people(moved: Shop, signed_in: Sequence[Fields]) -> AsyncGenerator[People]:
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(moved.customers(headers=headers))
            for headers in (*signed_in, {})
        ]
        for client in clients:
            client.base_url = httpx.URL(f"{moved.client}{BASE}")
        yield People(*clients)


async def test_the_root_says_what_it_is_and_where_it_is_documented(moved: Shop) -> None:
    async with moved.customers() as client:
        for path in (ROOT, f"{ROOT}/"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.json() == {"name": "coffee-shop", "docs": f"{ROOT}/docs"}
            assert (await client.get(answer.json()["docs"])).status_code == 200
        problem(await client.get(f"{ROOT}/menu"), 404)
    async with moved.baristas() as client:
        problem(await client.get(ROOT), 401)


async def test_the_openapi_page_has_the_documented_calls_under_their_paths(moved: Shop) -> None:
    async with moved.customers() as client:
        schema = (await client.get(f"{ROOT}/openapi.json")).json()
    assert [one["url"] for one in schema["servers"]] == [ROOT]
    paths = {path: set(calls) for path, calls in schema["paths"].items()}
    assert paths == {
        "/": {"get"},
        "/api/v1/menu": {"get"},
        "/api/v1/auth/token": {"post"},
        "/api/v1/orders": {"get", "post"},
        "/api/v1/orders/{order_id}": {"get", "delete"},
        "/api/v1/orders/{order_id}/events": {"get"},
        "/api/v1/orders/{order_id}/status": {"patch"},
        "/api/v1/admin/orders": {"get"},
        "/api/v1/admin/products": {"post"},
        "/api/v1/admin/products/{product_id}": {"patch", "delete"},
    }


async def test_the_menu_is_ours(people: People, moved: Shop) -> None:
    menu = await people.nobody.get("/menu")
    async with moved.customers() as client:
        assert menu.json() == (await client.get("/menu")).json()
    assert "latte" in {one["id"] for one in menu.json()["products"]}
    fields = {"If-None-Match": menu.headers["etag"]}
    assert (await people.nobody.get("/menu", headers=fields)).status_code == 304


async def test_the_documented_users_sign_in_by_a_form(people: People) -> None:
    form = {**CUSTOMER, "grant_type": "password", "scope": "", "client_id": "web"}
    answer = await people.nobody.post("/auth/token", data=form)
    assert answer.status_code == 200
    assert answer.json().items() >= {"token_type": "bearer"}.items()
    assert {"access_token", "refresh_token"} <= answer.json().keys()
    wrong = {**CUSTOMER, "password": "customer124"}
    problem(await people.nobody.post("/auth/token", data=wrong), 401)
    problem(await people.nobody.post("/auth/token", json=CUSTOMER), 422)


async def test_an_order_is_charged_and_answered_with_both_systems_names(
    people: People, moved: Shop, providers: Providers
) -> None:
    charged = len(providers.done("charges"))
    placed = await people.customer.post("/orders", json=BASKET)
    assert placed.status_code == 201
    order = whole(placed)
    assert order["items"] == [
        {
            **LATTE,
            "name": "Latte",
            "variation": "Vanilla",
            "unit_price_cents": 430,
            "total_cents": 860,
            "line_total_cents": 860,
        }
    ]
    assert (order["total_cents"], order["metadata"]) == (860, {"table": 4})
    assert (order["status"], order["payment"]["status"]) == ("waiting", "placed")
    assert order["payment"]["response_status_code"] == 200
    assert [one["body"] for one in providers.done("charges")[charged:]] == [{"value": 860}]

    location = f"{BASE}/orders/{order['id']}"
    assert placed.headers["location"] == location
    async with moved.customers(headers=people.customer.headers) as client:
        assert order["customer_id"] == (await client.get("/auth/me")).json()["user_id"]
        ours = (await client.get(f"/orders/{order['id']}")).json()
        assert whole(await client.get(location))["id"] == order["id"]
    assert ours["payment"] == {"status": "placed"}
    assert ours.keys() == order.keys() - {"id", "customer_id", "created_at"}


async def test_where_no_provider_was_asked_there_is_no_status_of_its_answer(
    people: People, providers: Providers
) -> None:
    water = await people.add(base_price_cents=0)
    charged = len(providers.done("charges"))
    order = await people.order({"items": [{"product_id": water["id"], "quantity": 1}]})
    assert order["payment"] == {"status": "not_required", "response_status_code": None}
    assert len(providers.done("charges")) == charged


@pytest.mark.parametrize(
    ("basket", "status"),
    [
        ({"items": []}, 422),
        ({"items": [{"product_id": "beer", "quantity": 1}]}, 422),
        ({"items": [{**LATTE, "quantity": 0}]}, 422),
        ({"items": [{"product_id": "latte", "variation_id": "no", "quantity": 1}]}, 422),
        ({**BASKET, "total_cents": 1}, 409),
    ],
)
async def test_a_wrong_basket_is_refused_and_not_charged(
    people: People, providers: Providers, basket: Body, status: int
) -> None:
    charged = len(providers.done("charges"))
    body = problem(await people.customer.post("/orders", json=basket), status)
    assert body.get("total_cents") == (860 if status == 409 else None)
    assert len(providers.done("charges")) == charged


async def test_only_customers_order(people: People) -> None:
    problem(await people.nobody.post("/orders", json=BASKET), 401)
    problem(await people.manager.post("/orders", json=BASKET), 403)
    problem(await people.customer.post("/orders", content=b"{"), 422)
    fields = {"Content-Type": "application/json"}
    problem(await people.customer.post("/orders", content=b"{", headers=fields), 400)


async def test_a_refused_payment_orders_nothing_and_is_final_for_its_key(
    people: People, providers: Providers
) -> None:
    before = orders_on(await people.customer.get("/orders"))
    providers.behave(charges="refuse")
    headers = {"Idempotency-Key": f"poor-{next(_numbers)}"}
    problem(await people.customer.post("/orders", json=BASKET, headers=headers), 402)
    providers.behave(charges="accept")
    problem(await people.customer.post("/orders", json=BASKET, headers=headers), 402)
    after = orders_on(await people.customer.get("/orders"))
    assert [one["id"] for one in after] == [one["id"] for one in before]


async def test_a_key_that_is_replayed_gives_the_same_order_to_its_own_customer_only(
    people: People, providers: Providers
) -> None:
    charged = len(providers.done("charges"))
    headers = {"Idempotency-Key": f"mine-{next(_numbers)}"}
    first = await people.customer.post("/orders", json=BASKET, headers=headers)
    again = await people.customer.post("/orders", json=BASKET, headers=headers)
    other = await people.stranger.post("/orders", json=BASKET, headers=headers)
    assert [one.status_code for one in (first, again, other)] == [201, 200, 201]
    assert whole(again)["id"] == whole(first)["id"] != whole(other)["id"]
    assert again.json()["payment"] == {"status": "placed", "response_status_code": 200}
    assert other.json()["customer_id"] != first.json()["customer_id"]
    assert len(providers.done("charges")) == charged + 2
    body = {"items": [{**LATTE, "quantity": 3}]}
    problem(await people.customer.post("/orders", json=body, headers=headers), 422)


async def test_parallel_requests_with_one_key_make_one_order(
    people: People, providers: Providers
) -> None:
    charged = len(providers.done("charges"))
    headers = {"Idempotency-Key": f"parallel-{next(_numbers)}"}
    answers: list[httpx.Response] = []

    async def order() -> None:
        answers.append(await people.customer.post("/orders", json=BASKET, headers=headers))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(order)
    statuses = [one.status_code for one in answers]
    assert set(statuses) <= {200, 201, 409}
    assert statuses.count(201) == 1
    assert len({whole(one)["id"] for one in answers if one.status_code != 409}) == 1
    assert len(providers.done("charges")) == charged + 1


async def test_an_order_is_shown_to_its_customer_and_to_staff_only(
    people: People, moved: Shop
) -> None:
    order = await people.order()
    path = f"/orders/{order['id']}"
    barista = await credentials(moved, Role.BARISTA)
    for client, headers in ((people.customer, {}), (people.manager, {}), (people.nobody, barista)):
        shown = await client.get(path, headers=headers)
        assert shown.status_code == 200
        assert whole(shown)["customer_id"] == order["customer_id"]
    for client, status in ((people.stranger, 404), (people.nobody, 401)):
        problem(await client.get(path), status)
    problem(await people.customer.get("/orders/unknown"), 404)
    assert order["id"] in [one["id"] for one in orders_on(await people.customer.get("/orders"))]
    strangers = orders_on(await people.stranger.get("/orders"))
    assert order["id"] not in [one["id"] for one in strangers]


async def test_staff_move_an_order_one_status_on_and_no_other_way(people: People) -> None:
    order = await people.order()
    path = f"/orders/{order['id']}/status"
    problem(await people.nobody.patch(path, json={"status": "preparation"}), 401)
    problem(await people.customer.patch(path, json={"status": "preparation"}), 403)
    steps = ["waiting", "preparation", "ready", "delivered"]
    for before, after in pairwise(steps):
        for wrong in {*steps, "cancelled", "brewing"} - {after}:
            no = problem(await people.manager.patch(path, json={"status": wrong}), 400)
            assert (no["order_status"], no["allowed"]) == (before, [after])
        moved = await people.manager.patch(path, json={"status": after})
        assert (moved.status_code, whole(moved)["status"]) == (200, after)
        assert moved.json()["payment"]["response_status_code"] == 200
    problem(await people.manager.patch(path, json={"status": "waiting"}), 400)
    problem(await people.manager.patch(path, json={}), 422)
    unknown = await people.manager.patch("/orders/unknown/status", json={"status": "ready"})
    problem(unknown, 404)


async def test_a_cancelled_order_is_refunded_and_keeps_the_answer_of_its_charge(
    people: People, providers: Providers
) -> None:
    path = f"/orders/{(await people.order())['id']}"
    problem(await people.stranger.delete(path), 404)
    assert whole(await people.customer.delete(path))["status"] == "cancelled"

    async def is_refunded() -> bool:
        payment: Body = whole(await people.customer.get(path))["payment"]
        assert payment["response_status_code"] == 200
        return bool(payment["status"] == "refunded")

    await until_asked(is_refunded)
    assert providers.done("refunds")


async def test_a_manager_lists_all_orders_page_by_page(people: People, moved: Shop) -> None:
    placed = [(await people.order())["id"] for _ in range(3)]
    for query in ("", "&payment=placed", "&status=waiting"):
        page = await people.manager.get(f"/admin/orders?limit=2{query}")
        first = orders_on(page)
        assert [one["id"] for one in first] == placed[:0:-1]
        assert {one["payment"]["response_status_code"] for one in first} == {200}
        link = page.links["next"]["url"]
        assert link.startswith(f"{BASE}/admin/orders?")
        async with moved.customers(headers=people.manager.headers) as client:
            assert orders_on(await client.get(link))[0]["id"] == placed[0]
    problem(await people.manager.get("/admin/orders?limit=0"), 422)
    problem(await people.nobody.get("/admin/orders"), 401)
    problem(await people.customer.get("/admin/orders"), 403)
    barista = await credentials(moved, Role.BARISTA)
    problem(await people.nobody.get("/admin/orders", headers=barista), 403)


async def test_what_a_manager_changes_is_sold_from_the_next_order_on(people: People) -> None:
    product = await people.add(variations=[{"name": "Oat Milk", "price_change_cents": 40}])
    path = f"/admin/products/{product['id']}"
    item = {
        "product_id": product["id"],
        "variation_id": product["variations"][0]["id"],
        "quantity": 2,
    }
    before = await people.order({"items": [item]})
    changed = await people.manager.patch(path, json={"base_price_cents": 350})
    assert changed.status_code == 200
    assert changed.json() == {**product, "base_price_cents": 350}
    after = await people.order({"items": [item]})
    for order, price in ((before, 360), (after, 390)):
        shown = whole(await people.customer.get(f"/orders/{order['id']}"))
        (line,) = shown["items"]
        assert (line["unit_price_cents"], line["line_total_cents"]) == (price, 2 * price)
    assert (await people.manager.delete(path)).status_code == 204
    problem(await people.customer.post("/orders", json={"items": [item]}), 422)
    assert whole(await people.customer.get(f"/orders/{after['id']}"))["items"] == after["items"]


async def test_a_wrong_change_of_the_menu_is_refused(people: People) -> None:
    product = await people.add()
    path = f"/admin/products/{product['id']}"
    wish = {"name": "Mocha", "base_price_cents": 1}
    for client, status in ((people.nobody, 401), (people.customer, 403)):
        problem(await client.post("/admin/products", json=wish), status)
        problem(await client.patch(path, json=wish), status)
        problem(await client.delete(path), status)
    manager = people.manager
    problem(await manager.post("/admin/products", json={**wish, "name": product["name"]}), 409)
    problem(await manager.post("/admin/products", json={**wish, "base_price_cents": -1}), 422)
    problem(await manager.post("/admin/products", json={"base_price_cents": 1}), 422)
    problem(await manager.patch(path, json={"base_price_cents": "free"}), 422)
    problem(await manager.patch("/admin/products/unknown", json=wish), 404)
    problem(await manager.delete("/admin/products/unknown"), 404)
    menu = (await people.nobody.get("/menu")).json()["products"]
    assert product in menu


async def test_unknown_members_are_ignored_here_and_refused_by_our_own_api(
    people: People, moved: Shop
) -> None:
    basket = {"items": [{**LATTE, "note": "hot"}], "coupon": "X"}
    order = await people.order(basket)
    name = f"Flat White {next(_numbers)}"
    product = await people.add(name=name)
    path = f"/admin/products/{product['id']}"
    status = f"/orders/{order['id']}/status"
    step, price = {"status": "preparation", "by": "di"}, {"base_price_cents": 1, "tax": 7}
    assert (await people.manager.patch(status, json=step)).status_code == 200
    assert (await people.manager.patch(path, json=price)).status_code == 200
    async with moved.customers(headers=people.customer.headers) as customer:
        found = problem(await customer.post("/orders", json=basket), 422)
        assert {one["type"] for one in found["errors"]} == {"extra_forbidden"}
    async with moved.baristas(headers=people.manager.headers) as manager:
        problem(await manager.patch(status, json=step), 422)
        problem(await manager.patch(path, json=price), 422)
