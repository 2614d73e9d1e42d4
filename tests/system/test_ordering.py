"""The customers' routes: order and wait, look, cancel; and what an Idempotency-Key does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trio

from tests.system.api import LATER, brew, finish, look, order, park, problem, start
from tests.system.raw_client import request
from tests.system.shop import Line, Shop

SHAPE: dict[str, type | tuple[type, ...]] = {
    "order_id": str,
    "number": int,
    "drink": str,
    "name": (str, type(None)),
    "status": str,
    "position": (int, type(None)),
    "eta_seconds": (int, float, type(None)),
    "placed_at": str,
    "started_at": (str, type(None)),
    "ready_at": (str, type(None)),
    "waited_seconds": (int, float),
    "message": str,
}


def has_the_shape_of_an_order(body: Line) -> bool:
    return body.keys() == SHAPE.keys() and all(
        isinstance(body[name], kind) for name, kind in SHAPE.items()
    )


def moment(text: str) -> datetime:
    """Return a time, which has to be RFC 3339 in UTC."""
    time = datetime.fromisoformat(text)
    assert text.endswith("Z")
    assert time.utcoffset() == timedelta(0)
    return time


async def test_an_order_waits_on_its_connection_until_it_is_ready(
    shop: Shop, address: str, nursery: trio.Nursery
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        answers = answer_to_come(nursery, customer, {"drink": "americano", "name": "Ada"})
        claim = await start(barista, wait=20)
        finished = await finish(barista, claim["order_id"])
        response = await answers.receive()
    body = response.json()
    assert (response.status_code, finished["collected"]) == (200, True)
    assert has_the_shape_of_an_order(body)
    assert body["order_id"] == claim["order_id"]
    assert (body["drink"], body["name"], body["status"]) == ("americano", "Ada", "ready")
    assert (body["position"], body["eta_seconds"]) == (None, None)
    assert body["message"] == f"Order {claim['number']} is ready."
    times = [moment(body[name]) for name in ("placed_at", "started_at", "ready_at")]
    assert times == sorted(times)
    assert times[0] <= datetime.now(UTC)
    assert (times[2] - times[0]).total_seconds() == pytest.approx(body["waited_seconds"], abs=0.01)


def answer_to_come(
    nursery: trio.Nursery, customer: httpx.AsyncClient, body: object
) -> trio.MemoryReceiveChannel[httpx.Response]:
    """Order; return a channel on which the answer will be received."""
    send, receive = trio.open_memory_channel[httpx.Response](1)

    async def wait() -> None:
        await send.send(await customer.post("/order/", json=body))

    nursery.start_soon(wait)
    return receive


async def test_an_order_has_the_same_shape_at_every_status(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        first, second = await order(customer), await order(customer)
        seen = [first, await look(customer, second["order_id"])]
        assert [one["position"] for one in seen] == [1, 2]
        assert second["message"] == f"Order {second['number']} is number 2 in the queue."
        await start(barista)
        seen.append(await look(customer, first["order_id"]))
        await finish(barista, first["order_id"])
        seen.append(await look(customer, first["order_id"]))
        await customer.delete(f"/order/{second['order_id']}")
        seen.append(await look(customer, second["order_id"]))
    assert all(map(has_the_shape_of_an_order, seen))
    statuses = ["waiting", "waiting", "preparation", "ready", "cancelled"]
    assert [one["status"] for one in seen] == statuses
    started = [one["started_at"] is not None for one in seen]
    assert started == [False, False, True, True, False]
    assert [one["ready_at"] is not None for one in seen] == [False, False, False, True, False]


async def test_the_answer_to_a_waiting_customer_makes_the_order_delivered(
    shop: Shop, address: str, nursery: trio.Nursery
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        answers = answer_to_come(nursery, customer, {})
        await finish(barista, (await start(barista, wait=20))["order_id"])
        body = (await answers.receive()).json()
        assert body["status"] == "ready"
        assert (await look(customer, body["order_id"]))["status"] == "delivered"


@pytest.mark.parametrize("preference", ["respond-async", "wait=0", "handling=lenient, wait=0"])
async def test_a_customer_may_prefer_not_to_wait(shop: Shop, address: str, preference: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for prefix in ("", "/api/v1/client", "/api/v1"):
            response = await customer.post(f"{prefix}/order/", headers={"Prefer": preference})
            assert response.status_code == 202
            assert response.headers["preference-applied"] == preference.rsplit(maxsplit=1)[-1]
            placed = response.json()
            assert has_the_shape_of_an_order(placed)
            assert response.headers["location"] == f"{prefix}/order/{placed['order_id']}"
            found = (await customer.get(response.headers["location"])).json()
            assert (found["order_id"], found["status"]) == (placed["order_id"], "waiting")
            assert (await brew(barista))["collected"] is True


async def test_a_bounded_wait_ends_with_202_and_the_order_lives_on(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        began = trio.current_time()
        response = await customer.post("/order/", headers={"Prefer": "wait=1"})
        assert trio.current_time() - began >= 1
        assert (response.status_code, response.headers["preference-applied"]) == (202, "wait=1")
        assert response.json()["status"] == "waiting"
        await customer.aclose()
        assert (await brew(barista))["order_id"] == response.json()["order_id"]


async def test_a_bounded_wait_ends_with_200_once_the_order_is_ready(
    shop: Shop, address: str, nursery: trio.Nursery
) -> None:
    async with shop.customers(address, headers={"Prefer": "wait=60"}) as customer:
        answers = answer_to_come(nursery, customer, {})
        async with shop.baristas() as barista:
            await finish(barista, (await start(barista, wait=20))["order_id"])
        response = await answers.receive()
        assert (response.status_code, response.json()["status"]) == (200, "ready")


async def test_a_look_may_wait_until_the_order_is_ready(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer)
        url = f"/order/{placed['order_id']}"
        began = trio.current_time()
        response = await customer.get(url, headers={"Prefer": "wait=1"})
        assert trio.current_time() - began >= 1
        assert response.headers["preference-applied"] == "wait=1"
        assert response.json()["status"] == "waiting"
        # The barista is answered after the customer.
        async with trio.open_nursery() as brewing:
            brewing.start_soon(brew, barista)
            response = await customer.get(url, headers={"Prefer": "wait=60"})
        assert response.json()["status"] == "ready"


async def test_a_waiting_order_can_be_cancelled_and_its_customer_is_answered(
    shop: Shop, address: str, nursery: trio.Nursery
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        answers = answer_to_come(nursery, customer, {})
        await shop.has_waiting(1)
        order_id = (await shop.orders())[0]["order_id"]
        response = await customer.delete(f"/order/{order_id}")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
        assert problem(await answers.receive(), 409)["order_status"] == "cancelled"
        assert (await barista.get("/start/")).status_code == 204


async def test_an_order_that_is_being_brewed_cannot_be_cancelled(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        url = f"/order/{(await order(customer))['order_id']}"
        claim = await start(barista)
        assert problem(await customer.delete(url), 409)["order_status"] == "preparation"
        await finish(barista, claim["order_id"])
        assert problem(await customer.delete(url), 409)["order_status"] == "ready"


async def test_an_unknown_order_is_not_found(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer:
        for method in ("GET", "DELETE"):
            problem(await customer.request(method, "/order/no-such-order"), 404)


async def test_the_queue_shows_how_busy_the_shop_is(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for _ in range(3):
            await order(customer)
        await start(barista)
        busy = (await customer.get("/queue")).json()
        members = ["waiting", "preparing", "baristas", "eta_seconds", "accepting", "paused"]
        assert list(busy) == members
        assert [busy[name] for name in members if name != "eta_seconds"] == [2, 1, 1, True, None]
        await finish(barista, (await shop.orders("preparation"))[0]["order_id"])
        await brew(barista)
        await brew(barista)
        assert (await customer.get("/queue")).json()["eta_seconds"] is not None


OTHER_ADDRESS = "127.9.9.9"


async def order_with_key(
    customer: httpx.AsyncClient, key: str, status: int = 202, body: object = None
) -> Line:
    """Place an order with a key, without waiting; return it."""
    headers = {**LATER, "Idempotency-Key": key}
    response = await customer.post("/order/", headers=headers, json=body)
    assert response.status_code == status, response.text
    placed: Line = response.json()
    return placed


async def test_the_same_key_finds_the_same_order_at_every_status(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order_with_key(customer, "k1")
        assert (await order_with_key(customer, "k1"))["position"] == placed["position"] == 1
        await start(barista)
        assert (await order_with_key(customer, "k1"))["status"] == "preparation"
        await finish(barista, placed["order_id"])
        ready, delivered = (
            await order_with_key(customer, "k1", 200),
            await order_with_key(customer, "k1", 200),
        )
    assert (ready["status"], delivered["status"]) == ("ready", "delivered")
    assert ready["order_id"] == delivered["order_id"] == placed["order_id"]


async def test_a_key_belongs_to_one_address(shop: Shop, address: str) -> None:
    async with (
        shop.customers(address) as customer,
        shop.customers(OTHER_ADDRESS) as other,
        shop.baristas() as barista,
    ):
        first, second = (
            await order_with_key(customer, "shared"),
            await order_with_key(other, "shared"),
        )
        assert first["order_id"] != second["order_id"]
        await brew(barista)
        await brew(barista)


async def test_a_key_cannot_be_reused_for_another_order(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        await order_with_key(customer, "k", body={"name": "Ada"})
        await order_with_key(customer, "k", body={"name": "Ada", "drink": "americano"})
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
        placed = await order_with_key(customer, key)
        assert (await brew(barista))["order_id"] == placed["order_id"]


async def test_a_key_of_a_cancelled_order_may_order_again(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order_with_key(customer, "k")
        await customer.delete(f"/order/{placed['order_id']}")
        again = await order_with_key(customer, "k")
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
    async with await park(shop, address, request("POST", "/order/", "Idempotency-Key: k")):
        await shop.has_waiting(1)
    await shop.log.line("request", address=address, status=499)
    async with shop.customers(address) as customer, shop.baristas() as barista:
        finished = await brew(barista)
        assert finished["collected"] is True
        again = await order_with_key(customer, "k", 200)
        assert (again["order_id"], again["status"]) == (finished["order_id"], "ready")
        assert (await look(customer, again["order_id"]))["status"] == "delivered"
