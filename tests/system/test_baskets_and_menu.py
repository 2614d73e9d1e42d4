"""Baskets on the real shop, with its accounts and its menu: what is sold stays as it was sold."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from cafe.http.authentication import Role
from tests.system.api import finish, problem, start
from tests.system.credentials import credentials
from tests.system.paying import Providers, open_providers
from tests.system.shop import Shop, open_shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once

VANILLA = {"items": [{"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 2}]}
PLAIN = {"items": [{"product_id": "latte", "quantity": 1}]}
AS_SOLD = [
    {
        **VANILLA["items"][0],
        "name": "Latte",
        "variation": "Vanilla",
        "unit_price_cents": 430,
        "total_cents": 860,
    }
]
Order = dict[str, Any]


@dataclass(frozen=True, slots=True)
class People:
    """A customer and a manager of a shop, who have signed in."""

    customer: httpx.AsyncClient
    manager: httpx.AsyncClient

    async def order(self, key: str | None = None, basket: Order = VANILLA) -> Order:
        """Order for the first time."""
        headers = {} if key is None else {"Idempotency-Key": key}
        placed = await self.customer.post("/orders", json=basket, headers=headers)
        assert placed.status_code == 201, placed.text
        order: Order = placed.json()
        return order

    async def listed(self, query: str = "") -> list[str]:
        """Return the ids of the customer's orders, page by page."""
        return await pages(self.customer, f"/orders{query}")

    async def all_listed(self, query: str = "") -> list[str]:
        """Return the ids of all orders, as a manager sees them."""
        return await pages(self.manager, f"/admin/orders{query}")


async def pages(client: httpx.AsyncClient, path: str) -> list[str]:
    seen: list[str] = []
    page: str | None = path
    while page is not None:
        found, page = await one_page(client, page)
        seen += found
    return seen


async def one_page(client: httpx.AsyncClient, path: str) -> tuple[list[str], str | None]:
    """Return the ids on a page, and where the next one is."""
    response = await client.get(path)
    assert response.status_code == 200, response.text
    ids = [one["order_id"] for one in response.json()["orders"]]
    return ids, response.links.get("next", {}).get("url")


@pytest.fixture(scope="module")
def providers() -> Generator[Providers]:
    with open_providers() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, providers: Providers) -> Generator[Shop]:
    settings: dict[str, Any] = {
        name: providers.settings[name] for name in ("payment_url", "refund_url")
    }
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgresql")
    with open_shop(**settings) as opened:
        yield opened


@pytest.fixture
async def people(shop: Shop) -> Any:
    async with AsyncExitStack() as clients:
        signed_in = [
            await clients.enter_async_context(client(headers=await credentials(shop, role)))
            for client, role in ((shop.customers, Role.CUSTOMER), (shop.baristas, Role.MANAGER))
        ]
        yield People(*signed_in)


async def test_what_is_deleted_from_the_menu_is_shown_made_and_refunded_as_sold(
    people: People, providers: Providers
) -> None:
    customer, manager = people.customer, people.manager
    first, second = await people.order("first"), await people.order("second")
    third = await people.order("third", PLAIN)
    path = "/admin/products/latte"
    assert (await manager.patch(path, json={"variations": []})).status_code == 200
    gone = problem(await customer.post("/orders", json=VANILLA), 422)
    assert gone["detail"].startswith("items[0]: Latte has no such variation")
    assert (await manager.delete(path)).status_code == 204
    gone = problem(await customer.post("/orders", json=PLAIN), 422)
    assert gone["detail"].startswith("items[0]: there is no such product")

    for order, key, basket in (
        (first, "first", VANILLA),
        (second, "second", VANILLA),
        (third, "third", PLAIN),
    ):
        again = await customer.post("/orders", json=basket, headers={"Idempotency-Key": key})
        shown = await customer.get(f"/orders/{order['order_id']}")
        for response in (again, shown):
            assert response.status_code == 200
            body = response.json()
            for member in ("order_id", "items", "total_cents", "drink"):
                assert body[member] == order[member]
    assert first["items"] == second["items"] == AS_SOLD
    listed = (await customer.get("/orders")).json()["orders"]
    assert [one["items"] for one in listed] == [third["items"], AS_SOLD, AS_SOLD]

    claim = await start(manager)
    assert (claim["order_id"], claim["items"]) == (first["order_id"], AS_SOLD)
    assert (await finish(manager, first["order_id"]))["status"] == "ready"
    moved = await manager.patch(f"/orders/{first['order_id']}/status", json={"status": "delivered"})
    assert (moved.status_code, moved.json()["items"]) == (200, AS_SOLD)
    before = len(providers.done("refunds"))
    cancelled = await customer.delete(f"/orders/{second['order_id']}")
    assert (cancelled.status_code, cancelled.json()["items"]) == (200, AS_SOLD)

    async def is_refunded() -> bool:
        shown = await customer.get(f"/orders/{second['order_id']}")
        return bool(shown.json()["payment"]["status"] == "refunded")

    await until_asked(is_refunded)
    (refund,) = providers.done("refunds")[before:]
    assert refund["body"]["value"] == 860
    assert (await start(manager))["order_id"] == third["order_id"]
    await finish(manager, third["order_id"])


async def test_a_list_shows_each_change_as_soon_as_it_is_answered(people: People) -> None:
    for _ in range(5):
        ordered = [await people.order(), await people.order()]
        kept, given_up = (one["order_id"] for one in ordered)
        assert (await people.listed())[:2] == [given_up, kept]
        assert await people.listed("?status=waiting") == [given_up, kept]
        assert (await people.all_listed("?payment=placed"))[:2] == [given_up, kept]

        assert (await people.customer.delete(f"/orders/{given_up}")).status_code == 200
        assert await people.listed("?status=waiting") == [kept]
        assert (await people.listed("?status=cancelled"))[0] == given_up
        assert given_up not in await people.all_listed("?payment=placed")
        by_payment = [
            await people.all_listed(f"?payment={status}")
            for status in ("refund_pending", "refunded")
        ]
        assert any(given_up in ids for ids in by_payment)

        for before, after in (
            ("waiting", "preparation"),
            ("preparation", "ready"),
            ("ready", "delivered"),
        ):
            path = f"/orders/{kept}/status"
            moved = await people.manager.patch(path, json={"status": after})
            assert moved.status_code == 200, moved.text
            assert await people.listed(f"?status={before}") == []
            assert (await people.listed(f"?status={after}"))[0] == kept
            assert kept in await people.all_listed(f"?payment=placed&status={after}")
            assert kept not in await people.all_listed(f"?payment=placed&status={before}")


@pytest.mark.parametrize(
    ("path", "leave"),
    [
        ("/orders?limit=2", ""),
        ("/orders?limit=2&status=waiting", "cancelled and prepared"),
        ("/admin/orders?limit=2&payment=placed", "cancelled"),
        ("/admin/orders?limit=2&payment=placed&status=waiting", "cancelled and prepared"),
    ],
)
async def test_pages_neither_repeat_nor_miss_what_was_there_while_orders_change(
    people: People, path: str, leave: str
) -> None:
    there = [(await people.order())["order_id"] for _ in range(12)][::-1]
    cancelled, prepared = [there[1], there[4], there[7]], there[-1]
    client = people.manager if path.startswith("/admin") else people.customer
    seen, page = await one_page(client, path)
    for order_id in cancelled:
        assert page is not None
        await people.order()
        await people.customer.delete(f"/orders/{order_id}")
        found, page = await one_page(client, page)
        seen += found
    assert (await start(people.manager))["order_id"] == prepared  # it is on the last page
    assert page is not None
    seen += await pages(client, page)
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(there)
    left = [
        *(cancelled if "cancelled" in leave else ()),
        *([prepared] if "prepared" in leave else ()),
    ]
    assert [one for one in seen if one not in left] == [one for one in there if one not in left]
