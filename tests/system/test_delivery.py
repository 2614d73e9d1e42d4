"""Delivery over real sockets: publish and finish, the way of a basket, couriers on the street."""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import httpx
import pytest
import trio
import trio.lowlevel

from cafe.http.authentication import Role
from tests.system.api import problem
from tests.system.credentials import credentials
from tests.system.shop import Shop, open_shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once

_numbers = count(1)


@pytest.fixture(scope="module")
def open_port() -> Generator[Shop]:
    """Yield a shop of its own: other tests leave no couriers in it."""
    with open_shop(limit_requests=10**6, ban_after=10**6) as shop:
        yield shop


@dataclass
class Town:
    """A shop, with who uses it, and a district that no other test has."""

    shop: Shop
    manager: httpx.AsyncClient
    staff: httpx.AsyncClient
    street: httpx.AsyncClient
    """A courier's, on the customers' port."""
    customer: httpx.AsyncClient
    district: str = ""
    couriers: list[str] = field(default_factory=list[str])

    async def add_courier(self, name: str = "Ada", **members: Any) -> dict[str, Any]:
        wish = {"name": name, "districts": [self.district.upper()], **members}
        response = await self.manager.post("/couriers", json=wish)
        assert response.status_code == 201, response.text
        added: dict[str, Any] = response.json()
        self.couriers.append(added["courier_id"])
        return added

    async def publish(self, status: int = 201, **members: Any) -> dict[str, Any]:
        wish = {"name": "Box", "district": self.district, **members}
        response = await self.staff.post("/deliveries", json=wish)
        if status >= 400:
            return problem(response, status)
        assert response.status_code == status, response.text
        published: dict[str, Any] = response.json()
        return published

    async def step(
        self, order_id: str, step: str, status: int = 200, **members: Any
    ) -> dict[str, Any]:
        response = await self.staff.post(f"/deliveries/{order_id}/{step}", json=members or None)
        if status >= 400:
            return problem(response, status)
        assert response.status_code == status, response.text
        taken: dict[str, Any] = response.json()
        return taken

    async def courier(self, courier_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.manager.get(f"/couriers/{courier_id}")).json()
        return found


@asynccontextmanager
async def open_town(shop: Shop, *, is_killed: bool = False) -> AsyncGenerator[Town]:
    """Open a district, and retire its couriers afterwards, unless the shop is killed."""
    as_role = {role: await credentials(shop, role) for role in Role}
    async with (
        shop.baristas(headers=as_role[Role.MANAGER]) as manager,
        shop.baristas() as staff,
        shop.customers(headers=as_role[Role.COURIER]) as street,
        shop.customers(headers=as_role[Role.CUSTOMER]) as customer,
    ):
        town = Town(shop, manager, staff, street, customer, f"North {next(_numbers)}")
        response = await manager.post("/districts", json={"name": town.district})
        assert response.status_code == 201, response.text
        yield town
        if is_killed:
            return
        for status in ("assigned", "picked_up", "waiting", "failed"):
            for one in (await staff.get("/deliveries", params={"status": status})).json()[
                "deliveries"
            ]:
                await town.step(one["order_id"], "cancel")
        for courier_id in town.couriers:
            gone = await manager.patch(f"/couriers/{courier_id}", json={"retired": True})
            assert gone.status_code == 200, gone.text


@pytest.fixture
async def town(open_port: Shop) -> AsyncGenerator[Town]:
    async with open_town(open_port) as town:
        yield town


async def test_publish_and_finish_are_two_calls(town: Town) -> None:
    ada = await town.add_courier()
    published = await town.publish(address="Main St 1")
    assert (published["courier_id"], published["status"]) == (ada["courier_id"], "assigned")
    assert (await town.courier(ada["courier_id"]))["active_order"] == published["order_id"]
    order = (await town.customer.get(f"/order/{published['order_id']}")).json()
    assert (order["status"], order["drink"]) == ("ready", "Box")
    done = await town.step(published["order_id"], "finish")
    assert (done["status"], done["next"]) == ("delivered", None)
    order = (await town.customer.get(f"/order/{published['order_id']}")).json()
    assert order["status"] == "delivered"
    again = await town.step(published["order_id"], "finish", 409)
    assert again["delivery_status"] == "delivered"
    courier = await town.courier(ada["courier_id"])
    assert (courier["active_order"], courier["completed"]) == (None, 1)
    ended, began = (datetime.fromisoformat(done[one]) for one in ("ended_at", "assigned_at"))
    seconds = (ended - began).total_seconds()
    assert courier["avg_order_complete_time"] == pytest.approx(seconds, abs=0.002)
    assert courier["avg_day_orders"] == 1.0


async def test_no_free_courier_keeps_nothing_and_a_queue_waits(town: Town) -> None:
    refused = await town.publish(409)
    assert refused["reason"] == "no_free_courier"
    first = await town.publish(202, queue=True)
    second = await town.publish(202, queue=True)
    assert (first["courier_id"], first["status"]) == (None, "waiting")
    ada = await town.add_courier()
    assert ada["next"]["order_id"] == ada["active_order"] == first["order_id"]
    done = await town.step(first["order_id"], "finish")
    assert done["next"]["order_id"] == second["order_id"]
    listed = (await town.staff.get("/deliveries", params={"status": "assigned"})).json()
    assert [one["order_id"] for one in listed["deliveries"]] == [second["order_id"]]
    failed = await town.step(second["order_id"], "fail", reason="closed")
    assert (failed["status"], failed["attempts"]) == ("failed", 1)
    again = await town.step(second["order_id"], "retry")
    assert (again["status"], again["courier_id"]) == ("assigned", ada["courier_id"])
    gone = await town.step(second["order_id"], "cancel", reason="no one is there")
    assert (gone["status"], gone["reason"]) == ("cancelled", "no one is there")
    order = (await town.customer.get(f"/order/{second['order_id']}")).json()
    assert order["status"] == "cancelled"


async def test_deliveries_and_couriers_are_listed_in_pages(town: Town) -> None:
    for name in ("Ada", "Bo", "Cleo"):
        await town.add_courier(name)
    ids = [(await town.publish())["order_id"] for _ in range(3)]
    found: list[str] = []
    page: str | None = "/deliveries?status=assigned&limit=2"
    while page is not None:
        response = await town.staff.get(page)
        found += [one["order_id"] for one in response.json()["deliveries"]]
        page = response.links.get("next", {}).get("url")
    assert found == ids[::-1]
    for path in ("couriers", "districts"):
        whole = (await town.manager.get(f"/{path}")).json()[path]
        first = await town.manager.get(f"/{path}", params={"limit": len(whole) - 1 or 1})
        more: list[Any] = []
        if "next" in first.links:
            more = (await town.manager.get(first.links["next"]["url"])).json()[path]
        assert [*first.json()[path], *more] == whole


async def test_a_courier_works_on_the_customers_port(town: Town) -> None:
    me = await town.street.get("/courier/me")
    assert me.status_code == 404  # no courier has this account yet
    users = (await town.manager.get("/admin/users", params={"role": "courier"})).json()["users"]
    account = users[0]["user_id"]
    ada = await town.add_courier(account=account, on_duty=False)
    taken = {"name": "Eve", "districts": [town.district], "account": account}
    problem(await town.manager.post("/couriers", json=taken), 409)
    await town.add_courier("Bo")
    others = await town.publish(address="Secret St 5")
    waiting = await town.publish(202, queue=True, address="Main St 1")
    come = (await town.street.patch("/courier/me", json={"on_duty": True})).json()
    assert (come["courier_id"], come["next"]["address"]) == (ada["courier_id"], "Main St 1")
    order = (await town.street.get("/courier/me/order")).json()["order"]
    assert order["order_id"] == waiting["order_id"]
    for step in ("pickup", "finish"):
        foreign = await town.street.post(f"/deliveries/{others['order_id']}/{step}")
        assert "Secret" not in foreign.text
        problem(foreign, 403)
    problem(await town.street.post("/deliveries/unknown/finish"), 404)
    mine = f"/deliveries/{waiting['order_id']}"
    picked = (await town.street.post(f"{mine}/pickup")).json()
    assert (picked["status"], picked["lease_expires_at"]) == ("picked_up", None)
    done = (await town.street.post(f"{mine}/finish")).json()
    assert (done["status"], done["address"], done["next"]) == ("delivered", None, None)
    assert (await town.street.get("/courier/me/order")).json() == {"order": None}
    off = (await town.street.patch("/courier/me", json={"on_duty": False})).json()
    assert (off["on_duty"], off["completed"]) == (False, 1)
    problem(await town.customer.get("/courier/me"), 403)


async def test_a_basket_goes_from_the_order_to_the_customers_door(town: Town) -> None:
    way = {"type": "delivery", "district": town.district.upper(), "address": "Main St 7"}
    wish = {"items": [{"product_id": await a_product(town), "quantity": 1}], "fulfilment": way}
    problem(await town.customer.post("/orders", json=wish), 422)  # no courier serves it
    ada = await town.add_courier(on_duty=False)
    response = await town.customer.post("/orders", json=wish)
    assert response.status_code == 201, response.text
    order_id = response.json()["order_id"]
    early = await town.step(order_id, "finish", 409)
    assert early["order_status"] == "waiting"
    for status in ("preparation", "ready"):
        moved = await town.staff.patch(f"/orders/{order_id}/status", json={"status": status})
        assert moved.status_code == 200, moved.text
    delivery = (await town.staff.get(f"/deliveries/{order_id}")).json()
    assert (delivery["status"], delivery["address"]) == ("waiting", "Main St 7")
    refused = await town.staff.patch(f"/orders/{order_id}/status", json={"status": "delivered"})
    problem(refused, 409)
    come = await town.manager.patch(f"/couriers/{ada['courier_id']}", json={"on_duty": True})
    assert come.json()["next"]["order_id"] == order_id
    await town.step(order_id, "finish", 409)  # it was not picked up
    await town.step(order_id, "pickup")
    await town.step(order_id, "finish")
    shown = (await town.customer.get(f"/orders/{order_id}")).json()
    assert (shown["status"], shown["fulfilment"]["type"]) == ("delivered", "delivery")


async def a_product(town: Town) -> str:
    products = (await town.customer.get("/menu")).json()["products"]
    return str(products[0]["id"])


async def test_districts_are_unique_and_retired_when_nothing_waits(town: Town) -> None:
    problem(await town.manager.post("/districts", json={"name": town.district.upper()}), 409)
    districts = (await town.manager.get("/districts")).json()["districts"]
    (ours,) = [one for one in districts if one["name"] == town.district]
    waiting = await town.publish(202, queue=True)
    path = f"/districts/{ours['district_id']}"
    refused = problem(await town.manager.patch(path, json={"retired": True}), 409)
    assert refused["queued"] == 1
    assert refused["detail"] == "Deliveries wait in this district: 1."
    await town.step(waiting["order_id"], "cancel")
    assert (await town.manager.patch(path, json={"retired": True})).json()["retired"]
    unknown = await town.publish(422)
    assert unknown["errors"][0]["loc"] == ["body", "district"]
    wish = {"name": "Ada", "districts": ["Atlantis"]}
    unknown = problem(await town.manager.post("/couriers", json=wish), 422)
    assert "districts[0]" in unknown["detail"]
    assert "Atlantis" not in str(unknown)


async def test_metrics_show_couriers_and_deliveries(town: Town) -> None:
    await town.add_courier()
    await town.add_courier("Bo")
    await town.publish()
    shown = (await town.staff.get("/metrics")).text
    values = dict(re.findall(r"^(cafe_(?:couriers|deliveries)\S*) (\S+)$", shown, re.MULTILINE))
    assert values["cafe_couriers_on_duty"] == "2.0"
    assert values["cafe_couriers_free"] == "1.0"
    assert values['cafe_deliveries{status="assigned"}'] == "1.0"


async def test_a_lease_that_expires_sends_the_order_to_the_next(tmp_path: Any) -> None:
    database = f"sqlite:///{tmp_path / 'cafe.db'}"
    with open_shop(database_url=database, delivery_lease_seconds=1) as shop:
        async with open_town(shop) as town:
            ada, bo = await town.add_courier(), await town.add_courier("Bo")
            order_id = (await town.publish())["order_id"]

            async def is_given_on() -> bool:
                delivery = (await town.staff.get(f"/deliveries/{order_id}")).json()
                return bool(delivery["courier_id"] == bo["courier_id"])

            await until_asked(is_given_on)
            await town.step(order_id, "pickup")
            await trio.lowlevel.checkpoint()
            assert not (await town.courier(ada["courier_id"]))["on_duty"]
            await town.step(order_id, "finish")


async def test_a_kill_loses_no_delivery_and_no_turn(tmp_path: Any) -> None:
    database = f"sqlite:///{tmp_path / 'cafe.db'}"
    with open_shop(database_url=database, exit_code=-signal.SIGKILL) as shop:
        async with open_town(shop, is_killed=True) as town:
            first, second = await town.add_courier(), await town.add_courier("Bo")
            await town.step((await town.publish())["order_id"], "finish")
            order_id = (await town.publish())["order_id"]
            shop.process.kill()
            await shop.ended()
    with open_shop(database_url=database) as shop:
        async with shop.baristas() as staff:
            delivery = (await staff.get(f"/deliveries/{order_id}")).json()
            assert delivery["courier_id"] == second["courier_id"]
            wish = {"name": "Box", "district": town.district}
            published = (await staff.post("/deliveries", json=wish)).json()
            assert published["courier_id"] == first["courier_id"]
            for one in (order_id, published["order_id"]):
                done = await staff.post(f"/deliveries/{one}/finish")
                assert done.status_code == 200, done.text
