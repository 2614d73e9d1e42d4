"""Delivery at fronts: a district is added at one, and brought to from another."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

import httpx

from cafe.delivery.department import DeliveryOffer
from tests.cafe.both_ends import FrontEnd, needs_redis, open_both_ends
from tests.system.until import until_asked

pytestmark = needs_redis

BASKET = {
    "items": [{"product_id": "latte", "quantity": 1}],
    "fulfilment": {"type": "delivery", "district": "North", "address": "1 Hill Road"},
}
BOX = {"name": "Box", "district": "North", "queue": True}


async def add_courier(front: FrontEnd, manager: dict[str, str]) -> dict[str, str]:
    """Add the north, and a courier with an account who serves it; return who they are."""
    district = await front.staff.post("/districts", json={"name": "North"}, headers=manager)
    assert district.status_code == httpx.codes.CREATED, district.text
    courier = await front.with_role("courier")
    account = (await front.customer.get("/auth/me", headers=courier)).json()
    wish = {"name": "Ada", "districts": ["North"], "account": account["user_id"]}
    added = await front.staff.post("/couriers", json=wish, headers=manager)
    assert added.status_code == httpx.codes.CREATED, added.text
    return courier


async def test_a_district_is_ordered_to_at_once_where_it_was_added_and_soon_at_other_fronts(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        manager = await here.with_role("manager")
        customer = await here.with_role("customer")
        await add_courier(here, manager)
        ordered = await here.customer.post("/orders", json=BASKET, headers=customer)
        assert ordered.status_code == 201, ordered.text

        async def is_known_there() -> bool:
            ordered = await there.customer.post("/orders", json=BASKET, headers=customer)
            return ordered.status_code == 201

        await until_asked(is_known_there)


async def test_a_courier_brings_from_another_front_what_is_published_at_one(tmp_path: Path) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        signalled: set[str] = set()

        def note(accounts: AbstractSet[str]) -> None:
            signalled.update(accounts)

        there.offer(DeliveryOffer).hands.listen(note)
        manager = await here.with_role("manager")
        courier = await add_courier(here, manager)
        signalled.clear()
        published = await here.staff.post("/deliveries", json=BOX, headers=manager)
        assert published.status_code == httpx.codes.CREATED, published.text
        order_id = published.json()["order_id"]
        in_hand = await there.customer.get("/courier/me/order", headers=courier)
        assert in_hand.json()["order"]["order_id"] == order_id, in_hand.text
        account = (await there.customer.get("/auth/me", headers=courier)).json()

        async def is_signalled() -> bool:
            return signalled == {account["user_id"]}

        await until_asked(is_signalled)
        for step in ("pickup", "finish"):
            taken = await there.customer.post(f"/deliveries/{order_id}/{step}", headers=courier)
            assert taken.status_code == httpx.codes.OK, taken.text
        shown = await here.staff.get(f"/deliveries/{order_id}", headers=manager)
        assert shown.json()["status"] == "delivered"
        listed = await there.staff.get("/deliveries", headers=manager)
        assert [one["order_id"] for one in listed.json()["deliveries"]] == [order_id]
        unknown = await there.staff.get("/deliveries/AAAAAAAAAAAAAAAAAAAAAAAA", headers=manager)
        assert unknown.status_code == httpx.codes.NOT_FOUND


async def test_a_delivery_is_found_at_another_front_as_soon_as_its_order_is_ready(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        manager = await here.with_role("manager")
        customer = await here.with_role("customer")
        await add_courier(here, manager)
        ordered = await here.customer.post("/orders", json=BASKET, headers=customer)
        path = f"/deliveries/{ordered.json()['order_id']}"
        early = await there.staff.get(path, headers=manager)
        assert (early.status_code, early.json()["order_status"]) == (409, "waiting")
        for status in ("preparation", "ready"):
            wanted = f"/orders/{ordered.json()['order_id']}/status"
            await here.staff.patch(wanted, json={"status": status}, headers=manager)
        found = await there.staff.get(path, headers=manager)
        assert found.json()["status"] == "assigned"
