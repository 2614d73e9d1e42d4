"""Paid baskets over real sockets: order, pay, look, list, move, cancel, and what is refused."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import httpx
import pytest
import trio

from tests.system.api import brew, problem
from tests.system.paying import (
    ADA,
    BARISTA,
    BASKET,
    BO,
    LATTE,
    MANAGER,
    Providers,
    open_paying_shop,
    open_providers,
    signed_in,
)
from tests.system.shop import Shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def all_providers() -> Generator[Providers]:
    with open_providers() as running:
        yield running


@pytest.fixture
def providers(all_providers: Providers) -> Generator[Providers]:
    all_providers.behave(charges="accept", refunds="accept")
    yield all_providers
    all_providers.behave(charges="accept", refunds="accept")


@pytest.fixture(scope="module")
def paying_shop(all_providers: Providers) -> Generator[Shop]:
    with open_paying_shop(all_providers) as shop:
        yield shop


@pytest.fixture
async def client(paying_shop: Shop) -> Any:
    async with paying_shop.customers() as customer:
        yield customer
    async with paying_shop.baristas() as barista:
        while (await barista.get("/start/")).status_code == 200:
            pass


async def ordered(client: httpx.AsyncClient, token: str = ADA, **headers: str) -> dict[str, Any]:
    response = await client.post("/orders", json=BASKET, headers={**signed_in(token), **headers})
    assert response.status_code == 201, response.text
    order: dict[str, Any] = response.json()
    return order


async def payment_of(client: httpx.AsyncClient, order_id: str, token: str = ADA) -> str:
    response = await client.get(f"/orders/{order_id}", headers=signed_in(token))
    status: str = response.json()["payment"]["status"]
    return status


async def test_a_basket_is_charged_and_answered_whole(
    client: httpx.AsyncClient, providers: Providers
) -> None:
    before = len(providers.done("charges"))
    basket = {**BASKET, "metadata": {"table": 4}, "fulfilment": {"type": "counter"}}
    response = await client.post("/orders", json=basket, headers=signed_in(ADA))
    assert response.status_code == 201
    order = response.json()
    assert response.headers["location"] == f"/orders/{order['order_id']}"
    assert order["total_cents"] == 860
    assert order["payment"] == {"status": "placed"}
    assert order["fulfilment"] == {"type": "counter"}
    assert order["metadata"] == {"table": 4}
    assert order["items"] == [
        {
            **LATTE,
            "name": "Latte",
            "variation": "Vanilla",
            "unit_price_cents": 430,
            "total_cents": 860,
        }
    ]
    charge = providers.done("charges")[before:][0]
    assert charge["body"] == {"value": 860}
    assert charge["asked"] == 1
    look = await client.get(f"/orders/{order['order_id']}", headers=signed_in(ADA))
    assert look.json()["payment"] == {"status": "placed"}


async def test_the_location_is_under_the_prefix_that_was_used(client: httpx.AsyncClient) -> None:
    path = "/api/v1/client/orders"
    response = await client.post(path, json=BASKET, headers=signed_in(ADA))
    assert response.headers["location"].startswith(f"{path}/")


async def test_fifty_at_once_with_one_key_are_charged_once(
    client: httpx.AsyncClient, providers: Providers
) -> None:
    before = len(providers.done("charges"))
    answers: list[httpx.Response] = []

    async def order() -> None:
        headers = signed_in(ADA, "fifty")
        answers.append(await client.post("/orders", json=BASKET, headers=headers))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(order)
    assert {one.status_code for one in answers} <= {200, 201, 409}
    assert [one.status_code for one in answers].count(201) == 1
    assert all("retry-after" in one.headers for one in answers if one.status_code == 409)
    again = await client.post("/orders", json=BASKET, headers=signed_in(ADA, "fifty"))
    assert again.status_code == 200
    orders = {one.json()["order_id"] for one in answers if one.status_code != 409}
    assert orders == {again.json()["order_id"]}
    assert len(providers.done("charges")) == before + 1


async def test_a_key_belongs_to_one_account_and_one_body(client: httpx.AsyncClient) -> None:
    post = partial(client.post, "/orders")
    first = await post(json=BASKET, headers=signed_in(ADA, "mine"))
    other = await post(json=BASKET, headers=signed_in(BO, "mine"))
    assert (first.status_code, other.status_code) == (201, 201)
    problem(await post(json={"items": [LATTE] * 2}, headers=signed_in(ADA, "mine")), 422)
    problem(await post(json=BASKET, headers=signed_in(ADA, "not one\x7f")), 400)


async def test_a_refused_payment_is_final_for_its_key(
    client: httpx.AsyncClient, providers: Providers
) -> None:
    providers.behave(charges="refuse")
    headers = signed_in(ADA, "poor")
    problem(await client.post("/orders", json=BASKET, headers=headers), 402)
    providers.behave(charges="accept")
    problem(await client.post("/orders", json=BASKET, headers=headers), 402)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([LATTE, {"product_id": "cake", "quantity": 1}], "items[1]: there is no such product"),
        ([{"product_id": "tea", "quantity": 1}], "items[0]: Tea is sold out"),
        ([{**LATTE, "variation_id": "x"}], "items[0]: Latte has no such variation"),
        ([{**LATTE, "quantity": 0}], "items.0.quantity"),
        ([{**LATTE, "quantity": 101}], "items.0.quantity"),
        ([], "items"),
        ([LATTE] * 101, "items"),
    ],
)
async def test_what_cannot_be_sold_is_named_before_anything_is_charged(
    client: httpx.AsyncClient, providers: Providers, items: list[Any], said: str
) -> None:
    before = providers.done("charges")
    response = await client.post("/orders", json={"items": items}, headers=signed_in(ADA))
    assert said in problem(response, 422)["detail"]
    assert providers.done("charges") == before


async def test_another_total_is_told_with_the_right_one(client: httpx.AsyncClient) -> None:
    basket = {**BASKET, "total_cents": 1}
    headers = signed_in(ADA, "cheap")
    body = problem(await client.post("/orders", json=basket, headers=headers), 409)
    assert body["total_cents"] == 860
    right = {**BASKET, "total_cents": 860}
    assert (await client.post("/orders", json=right, headers=headers)).status_code == 201


async def test_only_customers_order_and_a_strangers_order_is_unknown(
    client: httpx.AsyncClient,
) -> None:
    problem(await client.post("/orders", json=BASKET), 401)
    problem(await client.post("/orders", json=BASKET, headers=signed_in(BARISTA)), 403)
    order_id = (await ordered(client))["order_id"]
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        response = await client.request(method, f"/orders/{order_id}{path}", headers=signed_in(BO))
        problem(response, 404)
    seen = await client.get(f"/orders/{order_id}", headers=signed_in(BARISTA))
    assert seen.json()["order_id"] == order_id


async def test_a_cancelled_order_is_refunded_once(
    client: httpx.AsyncClient, providers: Providers
) -> None:
    before = len(providers.done("refunds"))
    order_id = (await ordered(client))["order_id"]
    for _ in range(2):
        response = await client.delete(f"/orders/{order_id}", headers=signed_in(ADA))
        assert response.json()["status"] == "cancelled"
        assert response.json()["payment"]["status"] in {"refund_pending", "refunded"}

    async def is_refunded() -> bool:
        return await payment_of(client, order_id) == "refunded"

    await until_asked(is_refunded)
    (refund,) = providers.done("refunds")[before:]
    charge = providers.done("charges")[-1]
    assert refund["body"] == {
        "value": 860,
        "charge_id": charge["id"],
        "charge_key": charge["key"],
    }


async def test_a_manager_cancels_any_order_and_a_barista_none(
    client: httpx.AsyncClient, paying_shop: Shop
) -> None:
    path = f"/orders/{(await ordered(client))['order_id']}"
    async with paying_shop.baristas() as manager:
        problem(await manager.delete(path, headers=signed_in(BARISTA)), 403)
        response = await manager.delete(path, headers=signed_in(MANAGER))
        assert response.json()["status"] == "cancelled"
        assert response.json()["payment"]["status"] in {"refund_pending", "refunded"}


async def test_an_order_that_is_prepared_cannot_be_cancelled(
    client: httpx.AsyncClient, paying_shop: Shop
) -> None:
    order_id = (await ordered(client))["order_id"]
    async with paying_shop.baristas() as barista:
        while (await barista.get("/start/")).json()["order_id"] != order_id:
            pass
    response = await client.delete(f"/orders/{order_id}", headers=signed_in(ADA))
    assert problem(response, 409)["order_status"] == "preparation"


async def test_staff_move_an_order_one_status_on_and_no_other_way(
    client: httpx.AsyncClient, paying_shop: Shop
) -> None:
    order_id = (await ordered(client))["order_id"]
    path = f"/orders/{order_id}/status"
    async with paying_shop.baristas() as barista:
        for wrong in ("ready", "cancelled", "waiting", "drunk"):
            response = await barista.patch(path, json={"status": wrong}, headers=signed_in(BARISTA))
            body = problem(response, 400)
            assert (body["order_status"], body["allowed"]) == ("waiting", ["preparation"])
            assert body["detail"] == "The next status of this order is preparation."
        for status in ("preparation", "ready", "delivered"):
            response = await barista.patch(
                path, json={"status": status}, headers=signed_in(BARISTA)
            )
            assert (response.status_code, response.json()["status"]) == (200, status)
        response = await barista.patch(path, json={"status": "ready"}, headers=signed_in(BARISTA))
        body = problem(response, 400)
        assert (body["order_status"], body["allowed"]) == ("delivered", [])
        assert body["detail"] == "This order is delivered: there is no next status."
    response = await client.get(f"/orders/{order_id}/events", headers=signed_in(ADA))
    events = response.json()["events"]
    assert [one["status"] for one in events] == ["waiting", "preparation", "ready", "delivered"]
    after = await client.get(
        f"/orders/{order_id}/events?after={events[1]['position']}", headers=signed_in(ADA)
    )
    assert after.json()["events"] == events[2:]


async def test_prefer_wait_answers_when_it_is_ready(
    client: httpx.AsyncClient, paying_shop: Shop
) -> None:
    async def order(got: list[httpx.Response]) -> None:
        headers = signed_in(ADA, prefer="wait=20")
        got.append(await client.post("/orders", json=BASKET, headers=headers))

    got: list[httpx.Response] = []
    async with paying_shop.baristas() as barista, trio.open_nursery() as nursery:
        while (await barista.get("/start/")).status_code == 200:
            pass
        nursery.start_soon(order, got)
        await paying_shop.has_waiting(1)
        await brew(barista)
    (response,) = got
    assert (response.status_code, response.json()["status"]) == (201, "ready")
    assert response.headers["preference-applied"] == "wait=20"


async def test_lists_are_pages_and_never_stale(
    client: httpx.AsyncClient, paying_shop: Shop
) -> None:
    token = "customer:lister"
    ids = [(await ordered(client, token))["order_id"] for _ in range(5)][::-1]
    seen: list[str] = []
    page: str | None = "/orders?limit=2"
    while page is not None:
        response = await client.get(page, headers=signed_in(token))
        seen += [one["order_id"] for one in response.json()["orders"]]
        page = response.links.get("next", {}).get("url")
    assert seen == ids
    await client.delete(f"/orders/{ids[0]}", headers=signed_in(token))
    waiting = await client.get("/orders?status=waiting", headers=signed_in(token))
    assert [one["order_id"] for one in waiting.json()["orders"]] == ids[1:]
    async with paying_shop.baristas() as manager:
        for query, expected in (
            ("payment=placed&status=waiting", set(ids[1:])),
            ("status=cancelled", {ids[0]}),
        ):
            response = await manager.get(f"/admin/orders?{query}", headers=signed_in(MANAGER))
            found = {one["order_id"] for one in response.json()["orders"]}
            assert found & set(ids) == expected
        pages = await manager.get(
            "/admin/orders?payment=placed&limit=1", headers=signed_in(MANAGER)
        )
        assert "next" in pages.links
        problem(await manager.get("/admin/orders", headers=signed_in(BARISTA)), 403)


async def test_an_unreachable_provider_charges_nothing_and_leaves_the_key_free() -> None:
    with open_providers() as gone:
        pass
    with open_paying_shop(gone) as shop:
        async with shop.customers() as client:
            for _ in range(7):
                response = await client.post("/orders", json=BASKET, headers=signed_in(ADA, "k"))
                assert problem(response, 503)["reason"] == "payment"
                assert int(response.headers["retry-after"]) >= 1
        assert await shop.metric('cafe_provider_breaker{call="charge",state="open"}') == 1


async def test_without_a_provider_it_is_paid_at_the_counter() -> None:
    with open_paying_shop(None) as shop:
        async with shop.customers() as client, shop.baristas() as manager:
            post = partial(client.post, "/orders", headers=signed_in(ADA, "k"))
            first, again = await post(json=BASKET), await post(json=BASKET)
            assert (first.status_code, again.status_code) == (201, 200)
            assert first.json()["payment"] == {"status": "at_counter"}
            assert again.json()["order_id"] == first.json()["order_id"]
            water = {"items": [{"product_id": "water", "quantity": 1}]}
            free = await client.post("/orders", json=water, headers=signed_in(ADA))
            assert free.json()["payment"] == {"status": "not_required"}
            listed = await manager.get(
                "/admin/orders?payment=not_required", headers=signed_in(MANAGER)
            )
            (one,) = listed.json()["orders"]
            assert one["order_id"] == free.json()["order_id"]
