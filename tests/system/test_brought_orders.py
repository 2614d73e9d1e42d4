"""Baskets that a courier brings, over real sockets: ordered, shown, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import httpx
import pytest

from tests.system.api import problem
from tests.system.paying import (
    ADA,
    BASKET,
    BO,
    MANAGER,
    Providers,
    open_paying_shop,
    open_providers,
    signed_in,
)
from tests.system.shop import Shop

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def providers() -> Generator[Providers]:
    with open_providers() as running:
        yield running


@pytest.fixture(scope="module")
def paying_shop(providers: Providers) -> Generator[Shop]:
    with open_paying_shop(providers) as shop:
        yield shop


@pytest.fixture
async def client(paying_shop: Shop) -> AsyncGenerator[httpx.AsyncClient]:
    async with paying_shop.customers() as customer:
        yield customer


async def test_a_basket_for_a_courier_is_delivered_by_no_one_at_the_counter(
    client: httpx.AsyncClient, paying_shop: Shop
) -> None:
    to = {"type": "delivery", "district": "HARBOUR", "address": "1 Quay Street"}
    response = await client.post(
        "/orders", json={**BASKET, "fulfilment": to}, headers=signed_in(ADA, "harbour")
    )
    assert response.status_code == 201, response.text
    order = response.json()
    brought = {**to, "district": "Harbour", "district_id": "harbour"}
    assert order["fulfilment"] == brought
    again = await client.post(
        "/orders", json={**BASKET, "fulfilment": to}, headers=signed_in(ADA, "harbour")
    )
    assert (again.status_code, again.json()["order_id"]) == (200, order["order_id"])
    problem(await client.post("/orders", json=BASKET, headers=signed_in(ADA, "harbour")), 422)
    async with paying_shop.baristas() as staff:
        path = f"/orders/{order['order_id']}/status"
        for status in ("preparation", "ready"):
            moved = await staff.patch(path, json={"status": status}, headers=signed_in(MANAGER))
            assert (moved.status_code, moved.json()["fulfilment"]) == (200, brought)
        refused = await staff.patch(path, json={"status": "delivered"}, headers=signed_in(MANAGER))
        assert problem(refused, 409)["order_status"] == "ready"
    path = f"/orders/{order['order_id']}"
    looked = await client.get(path, headers=signed_in(ADA, prefer="wait=1"))
    assert (looked.json()["status"], looked.json()["fulfilment"]) == ("ready", brought)
    problem(await client.get(path, headers=signed_in(BO)), 404)
    problem(await client.get(f"/order/{order['order_id']}"), 404)


async def test_where_no_courier_serves_a_basket_is_refused_before_it_is_charged(
    client: httpx.AsyncClient, providers: Providers
) -> None:
    before = len(providers.done("charges"))
    for district in ("Hills", "hills", "nowhere"):
        to = {"type": "delivery", "district": district, "address": "1"}
        response = await client.post(
            "/orders", json={**BASKET, "fulfilment": to}, headers=signed_in(ADA)
        )
        refused = problem(response, 422)
        assert refused["districts"] == ["Harbour"]
        assert [one["item"] for one in refused["errors"]] == ["fulfilment.district"]
    assert len(providers.done("charges")) == before


@pytest.mark.parametrize(
    "fulfilment",
    [
        {"type": "delivery", "district": "Harbour"},
        {"type": "delivery", "address": "1"},
        {"type": "delivery", "district": "Harbour", "address": ""},
        {"type": "delivery", "district": "Harbour", "address": " \u00a0 "},
        {"type": "delivery", "district": "Harbour", "address": "x" * 501},
        {"type": "delivery", "district": "Harbour", "address": "1\n2"},
        {"type": "delivery", "district": "Harbour", "address": "1", "more": 1},
        {"type": "counter", "address": "1"},
        {"type": "pigeon"},
        {},
        "delivery",
    ],
)
async def test_half_a_fulfilment_is_none(client: httpx.AsyncClient, fulfilment: object) -> None:
    response = await client.post(
        "/orders", json={**BASKET, "fulfilment": fulfilment}, headers=signed_in(ADA)
    )
    assert "fulfilment" in problem(response, 422)["detail"]
