"""An Idempotency-Key never orders twice, and finds its order again."""

from __future__ import annotations

import httpx
import pytest
import trio

from tests.system.api import LATER, brew, finish, look, park, problem, start
from tests.system.shop import Line, Shop

OTHER_ADDRESS = "127.9.9.9"


async def order(
    customer: httpx.AsyncClient, key: str, status: int = 202, body: object = None
) -> Line:
    """Order with a key, without waiting."""
    headers = {**LATER, "Idempotency-Key": key}
    response = await customer.post("/order/", headers=headers, json=body)
    assert response.status_code == status, response.text
    placed: Line = response.json()
    return placed


async def test_the_same_key_finds_the_same_order_at_every_status(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer, "k1")
        assert (await order(customer, "k1"))["position"] == placed["position"] == 1
        await start(barista)
        assert (await order(customer, "k1"))["status"] == "preparation"
        await finish(barista, placed["order_id"])
        ready, delivered = await order(customer, "k1", 200), await order(customer, "k1", 200)
    assert (ready["status"], delivered["status"]) == ("ready", "delivered")
    assert ready["order_id"] == delivered["order_id"] == placed["order_id"]


async def test_a_key_belongs_to_one_address(shop: Shop, address: str) -> None:
    async with (
        shop.customers(address) as customer,
        shop.customers(OTHER_ADDRESS) as other,
        shop.baristas() as barista,
    ):
        first, second = await order(customer, "shared"), await order(other, "shared")
        assert first["order_id"] != second["order_id"]
        await brew(barista)
        await brew(barista)


async def test_a_key_is_not_good_for_another_order(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        await order(customer, "k", body={"name": "Ada"})
        await order(customer, "k", body={"name": "Ada", "drink": "americano"})
        headers = {"Idempotency-Key": "k"}
        for other in ({"name": "Bob"}, {}, None):
            problem(await customer.post("/order/", headers=headers, json=other), 422)
        await brew(barista)


@pytest.mark.parametrize("key", [b"", b"two words", b"k\tk", b"caf\xc3\xa9", b"x" * 256], ids=repr)
async def test_a_malformed_key_orders_nothing(shop: Shop, address: str, key: bytes) -> None:
    async with shop.customers(address) as customer:
        headers = [(b"Idempotency-Key", key)]
        problem(await customer.post("/order/", headers=headers), 400)


@pytest.mark.parametrize("key", ["k", "!" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"'])
async def test_a_key_has_up_to_255_visible_characters(shop: Shop, address: str, key: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer, key)
        assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_a_key_of_a_cancelled_order_may_order_again(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer, "k")
        await customer.delete(f"/order/{placed['order_id']}")
        again = await order(customer, "k")
        assert again["order_id"] != placed["order_id"]
        await brew(barista)


async def test_racing_requests_with_one_key_get_one_order_and_all_get_the_coffee(
    shop: Shop, address: str, nursery: trio.Nursery
) -> None:
    send, answers = trio.open_memory_channel[httpx.Response](10)

    async def race(customer: httpx.AsyncClient) -> None:
        await send.send(await customer.post("/order/", headers={"Idempotency-Key": "race"}))

    async with shop.customers(address) as customer, shop.baristas() as barista:
        for _ in range(10):
            nursery.start_soon(race, customer)
        claim = await start(barista, wait=20)
        assert (await barista.get("/start/", params={"wait": 0})).status_code == 204
        await finish(barista, claim["order_id"])
        responses = [await answers.receive() for _ in range(10)]
    assert [one.status_code for one in responses] == [200] * 10
    assert {one.json()["order_id"] for one in responses} == {claim["order_id"]}


async def test_an_order_with_a_key_outlives_its_connection(shop: Shop, address: str) -> None:
    request = b"POST /order/ HTTP/1.1\r\nHost: cafe\r\nIdempotency-Key: k\r\n\r\n"
    async with await park(shop, address, request):
        await shop.has_waiting(1)
    await shop.log.line("request", address=address, status=499)
    async with shop.customers(address) as customer, shop.baristas() as barista:
        finished = await brew(barista)
        assert finished["collected"] is True
        again = await order(customer, "k", 200)
        assert (again["order_id"], again["status"]) == (finished["order_id"], "ready")
        assert (await look(customer, again["order_id"]))["status"] == "delivered"
