"""The customers' routes: order and wait, look, cancel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trio

from tests.system.api import brew, finish, look, order, problem, start
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
    """Read a time, which has to be RFC 3339 in UTC."""
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
    """Order, and give where the answer will be."""
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
        for prefix in ("", "/api/v1/client"):
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


async def test_looking_may_wait_until_the_order_is_ready(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        placed = await order(customer)
        url = f"/order/{placed['order_id']}"
        began = trio.current_time()
        response = await customer.get(url, headers={"Prefer": "wait=1"})
        assert trio.current_time() - began >= 1
        assert response.headers["preference-applied"] == "wait=1"
        assert response.json()["status"] == "waiting"
        async with (
            trio.open_nursery() as brewing
        ):  # the barista hears of it later than the customer
            brewing.start_soon(brew, barista)
            response = await customer.get(url, headers={"Prefer": "wait=60"})
        assert response.json()["status"] == "ready"


async def test_a_waiting_order_can_be_cancelled_and_its_customer_is_told(
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


async def test_an_order_that_is_being_brewed_cannot_be_cancelled_any_more(
    shop: Shop, address: str
) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        url = f"/order/{(await order(customer))['order_id']}"
        claim = await start(barista)
        assert problem(await customer.delete(url), 409)["order_status"] == "preparation"
        await finish(barista, claim["order_id"])
        assert problem(await customer.delete(url), 409)["order_status"] == "ready"


async def test_an_order_that_nobody_placed_is_not_found(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer:
        for method in ("GET", "DELETE"):
            problem(await customer.request(method, "/order/nobody-placed-it"), 404)


async def test_the_queue_tells_how_busy_the_shop_is(shop: Shop, address: str) -> None:
    async with shop.customers(address) as customer, shop.baristas() as barista:
        for _ in range(3):
            await order(customer)
        await start(barista)
        busy = (await customer.get("/queue")).json()
        members = ["waiting", "preparing", "baristas", "eta_seconds", "accepting"]
        assert list(busy) == members
        assert [busy[name] for name in members if name != "eta_seconds"] == [2, 1, 1, True]
        await finish(barista, (await shop.orders("preparation"))[0]["order_id"])
        await brew(barista)
        await brew(barista)
        assert (await customer.get("/queue")).json()["eta_seconds"] is not None
