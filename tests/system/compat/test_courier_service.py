"""Clients of courier-service over real sockets: each documented call, and what a wrong one gets.

Rule: each test has a district of its own, for the tests of one database share a shop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any, Final

import httpx
import pytest
import trio

from cafe.delivery.courier import Courier
from cafe.delivery.districts import DistrictChange, Districts
from cafe.delivery.fleet import AnyChange, Fleet
from cafe.delivery.tables import entry_of
from cafe.http.authentication import Role
from cafe.ledger.store import Unit, open_store
from cafe.shop.departments import DEPARTMENTS
from tests.system.api import problem
from tests.system.compat.answers import ok, pages, refusals
from tests.system.compat.courier_town import PREFIX, Town, moved_client, open_town
from tests.system.credentials import credentials
from tests.system.shop import Shop, open_shop

pytestmark = pytest.mark.once

FREE: Final = 7
AT_ONCE: Final = 20
PAGE: Final = 500


@pytest.fixture
async def town(moved: Shop) -> AsyncGenerator[Town]:
    async with open_town(moved) as town:
        yield town


@pytest.mark.parametrize("port", ["client", "worker"])
async def test_an_order_is_published_looked_at_and_finished_on_either_port(
    moved: Shop, port: str
) -> None:
    async with open_town(moved, port) as town:
        ada = await town.courier()
        published = await town.publish("Box of donuts")
        sid = published["order_sid"]
        assert published == {
            "order_sid": sid,
            "courier_sid": ada,
            "sid": sid,
            "name": "Box of donuts",
            "status": 1,
        }
        assert ok(await town.client.get(f"/order/{sid}")) == {"courier_sid": ada, "status": 1}
        assert ok(await town.client.post(f"/order/{sid}")) == {"sid": sid, "status": 2}
        assert ok(await town.client.get(f"/order/{sid}")) == {"courier_sid": ada, "status": 2}


async def test_a_courier_is_added_by_json_or_by_a_list_beside_a_query(town: Town) -> None:
    other = f"{town.district} B"
    ok(await town.client.post("/courier/create_district", json={"name": other}))
    names = [other.upper(), town.district]
    by_json = ok(
        await town.client.post("/courier", json={"name": "Ada", "districts": names, "age": 36})
    )
    by_query = ok(await town.client.post("/courier", params={"name": "Bo"}, json=names))
    for added, name in ((by_json, "Ada"), (by_query, "Bo")):
        sid = added["sid"]
        assert added == {"sid": sid, "name": name, "districts": [other, town.district]}
        courier = ok(await town.client.get(f"/courier/{sid}"))
        assert (courier["sid"], courier["name"]) == (sid, name)


async def test_a_courier_is_not_added_without_a_name_or_with_an_unknown_district(
    town: Town,
) -> None:
    add = partial(town.client.post, "/courier")
    nameless = problem(await add(json=[town.district]), 422)
    assert nameless["errors"][0]["loc"] == ["body", "name"]
    problem(await add(json={"districts": [town.district]}), 422)
    two = {"name": "Ada", "districts": [town.district]}
    problem(await add(params={"name": "Bo"}, json=two), 422)
    unknown = {"name": "Ada", "districts": [town.district, "Atlantis"]}
    refused = problem(await add(json=unknown), 422)
    assert refused["errors"][0]["loc"] == ["body", "districts", 1]
    nowhere: tuple[Any, ...] = ({"name": "Ada", "districts": []}, {"name": "Ada"}, [])
    for body in nowhere:
        problem(await add(params={"name": "Ada"}, json=body), 422)
    problem(await add(params={"name": "Ada"}), 422)
    refused = problem(await town.client.post("/order", json={"name": "x"}), 422)
    assert refused["errors"][0]["loc"] == ["body", "district"]


async def test_couriers_and_districts_are_listed_until_they_are_retired(town: Town) -> None:
    ada, bo = await town.courier("Ada"), await town.courier("Bo")
    everyone = await pages(town.client, "/courier")
    ours = [one for one in everyone if one["sid"] in {ada, bo}]
    assert ours == [{"sid": ada, "name": "Ada"}, {"sid": bo, "name": "Bo"}]
    mine = {"sid": town.district_sid, "name": town.district}
    assert mine in await pages(town.client, "/courier/get_districts")
    for path in (f"/couriers/{ada}", f"/districts/{town.district_sid}"):
        ok(await town.manager.patch(path, json={"retired": True}))
    sids = [one["sid"] for one in await pages(town.client, "/courier")]
    assert bo in sids
    assert ada not in sids
    assert mine not in await pages(town.client, "/courier/get_districts")


async def test_a_courier_has_what_is_in_hand_and_figures_once_there_are_some(town: Town) -> None:
    ada = await town.courier()
    nothing = {
        "sid": ada,
        "name": "Ada",
        "active_order": None,
        "avg_order_complete_time": None,
        "avg_day_orders": None,
    }
    assert ok(await town.client.get(f"/courier/{ada}")) == nothing
    sid = (await town.publish("Box of donuts"))["sid"]
    in_hand = {"order_id": sid, "order_name": "Box of donuts"}
    assert ok(await town.client.get(f"/courier/{ada}")) == {**nothing, "active_order": in_hand}
    ok(await town.client.post(f"/order/{sid}"))
    shown = ok(await town.client.get(f"/courier/{ada}"))
    assert 0 <= shown["avg_order_complete_time"] < 30
    assert shown["avg_day_orders"] == 1.0
    assert shown["active_order"] is None


async def test_averages_count_from_the_assignment(town: Town) -> None:
    waiting = await town.publish_queued()
    look = ok(await town.client.get(f"/order/{waiting}"))
    assert look == {"courier_sid": None, "status": 1}
    ada = await town.courier()  # who gets what waits
    assert ok(await town.client.get(f"/order/{waiting}")) == {"courier_sid": ada, "status": 1}
    ok(await town.client.post(f"/order/{waiting}"))
    delivery = ok(await town.manager.get(f"/deliveries/{waiting}"))
    requested, assigned, ended = (
        datetime.fromisoformat(delivery[one]) for one in ("requested_at", "assigned_at", "ended_at")
    )
    average = ok(await town.client.get(f"/courier/{ada}"))["avg_order_complete_time"]
    assert average == pytest.approx((ended - assigned).total_seconds(), abs=0.001)
    assert average < (ended - requested).total_seconds() - 0.001


async def test_parallel_orders_never_give_a_courier_two(town: Town) -> None:
    couriers = {await town.courier(f"Ada {number}") for number in range(FREE)}
    answers: list[httpx.Response] = []

    async def publish(number: int) -> None:
        wish = {"name": f"Box {number}", "district": town.district}
        answers.append(await town.client.post("/order", json=wish))

    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(publish, number)
    assert Counter(one.status_code for one in answers) == {200: FREE, 409: AT_ONCE - FREE}
    given = [one.json() for one in answers if one.status_code == 200]
    assert {one["courier_sid"] for one in given} == couriers
    for one in given:
        courier = ok(await town.client.get(f"/courier/{one['courier_sid']}"))
        in_hand = {"order_id": one["order_sid"], "order_name": one["name"]}
        assert courier["active_order"] == in_hand


async def test_an_order_without_a_free_courier_is_refused_and_not_kept(town: Town) -> None:
    publish = partial(town.client.post, "/order")
    wish = {"name": "Box", "district": town.district}
    refused = problem(await publish(json=wish), 409)
    assert refused["reason"] == "no_free_courier"
    ada = await town.courier()
    assert ok(await town.client.get(f"/courier/{ada}"))["active_order"] is None
    by_query = ok(await publish(params=wish))
    assert (by_query["courier_sid"], by_query["name"]) == (ada, "Box")
    problem(await publish(json=wish), 409)
    ok(await town.client.post(f"/order/{by_query['sid']}"))
    ok(await publish(params={"name": "Box"}, json={"district": town.district.upper()}))
    unknown = problem(await publish(json={"name": "Box", "district": "Atlantis"}), 422)
    assert unknown["errors"][0]["loc"] == ["body", "district"]
    for missing in ({}, {"name": "Box"}, {"district": town.district}):
        problem(await publish(params=missing), 422)
        problem(await publish(json=missing), 422)


async def test_unknown_ids_are_refused_and_count_against_the_address(
    moved: Shop, town: Town
) -> None:
    before = await refusals(moved, "unknown")
    for call in (
        town.client.get("/courier/unknown"),
        town.client.get("/order/unknown"),
        town.client.post("/order/unknown"),
    ):
        problem(await call, 404)
    assert await refusals(moved, "unknown") == before + 3


async def test_an_order_is_finished_once(town: Town) -> None:
    await town.courier()
    sid = (await town.publish())["sid"]
    answers: list[int] = []

    async def finish() -> None:
        answers.append((await town.client.post(f"/order/{sid}")).status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(finish)
    assert sorted(answers) == [200, 409]
    again = problem(await town.client.post(f"/order/{sid}"), 409)
    assert again["delivery_status"] == "delivered"


async def test_a_cancelled_order_is_finished_and_its_courier_free(town: Town) -> None:
    ada = await town.courier()
    sid = (await town.publish())["sid"]
    ok(await town.manager.post(f"/deliveries/{sid}/cancel"))
    assert ok(await town.client.get(f"/order/{sid}")) == {"courier_sid": ada, "status": 2}
    problem(await town.client.post(f"/order/{sid}"), 409)
    assert (await town.publish())["courier_sid"] == ada


async def test_an_order_is_in_hand_from_the_start_so_that_no_lease_takes_it_away(
    town: Town,
) -> None:
    await town.courier()
    sid = (await town.publish())["sid"]
    delivery = ok(await town.manager.get(f"/deliveries/{sid}"))
    assert (delivery["status"], delivery["lease_expires_at"]) == ("picked_up", None)


async def test_a_district_is_created_once(town: Town) -> None:
    create = partial(town.client.post, "/courier/create_district")
    south = f"South of {town.district}"
    created = ok(await create(params={"district_name": south}))
    assert created == {"sid": created["sid"], "name": south}
    assert created in await pages(town.client, "/courier/get_districts")
    problem(await create(json={"name": south.upper()}), 409)
    problem(await create(params={"district_name": south}), 409)
    problem(await create(), 422)
    problem(await create(json={}), 422)
    problem(await create(params={"district_name": "One"}, json={"name": "Two"}), 422)
    problem(await create(json={"name": ""}), 422)
    problem(await create(content=b"{", headers={"Content-Type": "application/json"}), 400)


async def test_a_customers_basket_is_named_after_what_is_in_it(moved: Shop, town: Town) -> None:
    ada = await town.courier()
    basket = {
        "items": [{"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 2}],
        "fulfilment": {"type": "delivery", "district": town.district, "address": "Main St 1"},
    }
    async with moved.customers(headers=await credentials(moved, Role.CUSTOMER)) as customer:
        ordered = await customer.post("/orders", json=basket)
        assert ordered.status_code == 201, ordered.text
    sid = ordered.json()["order_id"]
    early = problem(await town.client.get(f"/order/{sid}"), 409)
    assert early["order_status"] == "waiting"
    for status in ("preparation", "ready"):
        ok(await town.manager.patch(f"/orders/{sid}/status", json={"status": status}))
    assert ok(await town.client.get(f"/order/{sid}")) == {"courier_sid": ada, "status": 1}
    courier = ok(await town.client.get(f"/courier/{ada}"))
    assert courier["active_order"] == {"order_id": sid, "order_name": "2 latte (vanilla)"}
    problem(await town.client.post(f"/order/{sid}"), 409)  # a basket is picked up first
    ok(await town.manager.post(f"/deliveries/{sid}/pickup"))
    assert ok(await town.client.post(f"/order/{sid}")) == {"sid": sid, "status": 2}


async def test_only_staff_may_call(moved: Shop) -> None:
    for role, status in ((None, 401), (Role.CUSTOMER, 403), (Role.COURIER, 403)):
        fields = await credentials(moved, role)
        async with moved_client(moved, "client", fields) as client:
            for call in (
                client.get("/courier"),
                client.post("/courier", json={"name": "Eve", "districts": ["North"]}),
                client.post("/order", json={"name": "Box", "district": "North"}),
            ):
                problem(await call, status)


@pytest.fixture(scope="module")
def open_port(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    """Yield a shop whose worker port is open; a page of couriers and districts moved in before."""
    url = f"sqlite:///{tmp_path_factory.mktemp('open') / 'cafe.db'}"
    fleet, districts = Fleet(900.0), Districts()
    changes: list[AnyChange | DistrictChange] = []
    for number in range(PAGE):
        changes.append(districts.add(f"d{number}", f"District {number}", 1.0, None))
        courier = Courier(f"c{number}", 0, "Cleo", districts=(f"d{number}",))
        changes += fleet.add_courier(courier, 1.0, None, on_duty=True)
    assert DEPARTMENTS, "imported, so that their tables are created"
    with closing(open_store(url)) as store:
        store.begin()
        store.commit([Unit("delivery", tuple(map(entry_of, changes)))])
    with open_shop(worker_auth="open", database_url=url) as shop:
        yield shop


async def test_an_open_worker_port_asks_for_no_credentials(open_port: Shop) -> None:
    async with (
        moved_client(open_port, "worker", {}) as client,
        moved_client(open_port, "client", {}) as outside,
    ):
        ok(await client.post("/courier/create_district", json={"name": "North"}))
        ada = ok(await client.post("/courier", params={"name": "Ada"}, json=["North"]))
        published = ok(await client.post("/order", json={"name": "Box", "district": "North"}))
        assert published["courier_sid"] == ada["sid"]
        problem(await outside.get(f"/order/{published['sid']}"), 401)
        finished = ok(await client.post(f"/order/{published['sid']}"))
        assert finished == {"sid": published["sid"], "status": 2}


async def test_a_long_list_comes_in_pages_that_lead_to_each_other(open_port: Shop) -> None:
    async with moved_client(open_port, "worker", {}) as client:
        ok(await client.post("/courier/create_district", json={"name": "Last"}))
        ok(await client.post("/courier", json={"name": "Last", "districts": ["District 7"]}))
        for path in ("/courier", "/courier/get_districts"):
            page = await client.get(path)
            assert len(ok(page)) == PAGE
            assert page.links["next"]["url"].startswith(f"{PREFIX}{path}?cursor=")
            found = await pages(client, path)
            assert len({one["sid"] for one in found}) == len(found) > PAGE
            assert found[-1]["name"] == "Last"
            problem(await client.get(path, params={"cursor": "1"}), 422)
