"""Managers' routes: the tables of the house, and decisions about bookings."""

from __future__ import annotations

from typing import Any

import pytest

from cafe.bookings.book import TAKEN
from tests.cafe.bookings.hall import open_hall
from tests.cafe.bookings.test_routes import add, ask, at, loc

pytestmark = pytest.mark.schedules(1)


async def test_a_manager_keeps_the_tables() -> None:
    async with open_hall() as hall, hall.visited() as client:
        first = await add(client, price_cents=1500)
        assert first == {
            "table_id": first["table_id"],
            "number": 1,
            "type": "cabin",
            "seats": 4,
            "price_cents": 1500,
            "status": "open",
        }
        second = await add(client, number=7, type="room", seats=20)
        assert (second["number"], second["price_cents"]) == (7, 0)
        assert (await add(client))["number"] == 8
        taken = await client.post("/admin/tables", json={"number": 7, "type": "room", "seats": 2})
        assert taken.status_code == 409
        path = f"/admin/tables/{first['table_id']}"
        assert (await client.patch(path, json={"seats": 6})).json()["seats"] == 6
        assert (await client.post(f"{path}/close")).json()["status"] == "closed"
        listed = (await client.get("/admin/tables?limit=2")).json()["tables"]
        assert [(one["number"], one["status"]) for one in listed] == [(1, "closed"), (7, "open")]
        assert (await client.post(f"{path}/open")).json()["status"] == "open"
        for method, end in (("PATCH", ""), ("POST", "/close"), ("POST", "/open")):
            missing = await client.request(method, f"/admin/tables/none{end}", json={})
            assert missing.status_code == 404


async def test_a_manager_sees_conflicts_decides_and_is_told_what_was_declined() -> None:
    async with open_hall() as hall, hall.visited() as client:
        added = await add(client)
        one, two, three = [
            await ask(client, added["table_id"], **{"from": at(start), "to": at(start + 2)})
            for start in (5, 6, 7)
        ]
        path = f"/admin/bookings/{one['booking_id']}"
        shown = (await client.get(path)).json()
        assert [other["booking_id"] for other in shown["conflicts"]] == [two["booking_id"]]
        assert "token" not in shown
        accepted = (await client.post(f"{path}/accept", json={"reason": "welcome"})).json()
        assert (accepted["status"], accepted["reason"]) == ("accepted", "welcome")
        assert [(b["booking_id"], b["status"]) for b in accepted["declined"]] == [
            (two["booking_id"], "declined")
        ]
        loser = await client.get(f"/bookings/{two['booking_id']}", params={"token": two["token"]})
        assert (loser.json()["status"], loser.json()["reason"]) == ("declined", TAKEN)
        for action in ("accept", "decline"):
            again = await client.post(f"{path}/{action}")
            assert (again.status_code, again.json()["booking_status"]) == (409, "accepted")
        declined = await client.post(f"/admin/bookings/{three['booking_id']}/decline")
        assert declined.json()["status"] == "declined"
        cancelled = await client.post(f"{path}/cancel", json={})
        assert (cancelled.json()["status"], cancelled.json()["declined"]) == ("cancelled", [])
        for action in ("accept", "decline", "cancel"):
            missing = await client.post(f"/admin/bookings/none/{action}")
            assert missing.status_code == 404
        assert (await client.get("/admin/bookings/none")).status_code == 404
        # Neither logs nor events have what proves who the guest is.
        assert not any(one["token"] in str(logged) for logged in hall.store.logged)


async def test_bookings_are_listed_in_pages_by_time() -> None:
    async with open_hall() as hall, hall.visited() as client:
        tables = [await add(client) for _ in range(3)]
        asked = [
            await ask(client, one["table_id"], **{"from": at(hours), "to": at(hours + 1)})
            for hours, one in zip((7, 5, 6), tables, strict=True)
        ]
        await client.post(f"/admin/bookings/{asked[2]['booking_id']}/accept")

        async def listed(**params: Any) -> list[str]:
            response = await client.get("/admin/bookings", params=params)
            assert response.status_code == 200, response.text
            return [one["booking_id"] for one in response.json()["bookings"]]

        ids = [one["booking_id"] for one in (asked[1], asked[2], asked[0])]
        assert await listed() == ids
        assert await listed(status="accepted") == [ids[1]]
        assert await listed(**{"from": at(6)}) == ids[1:]
        assert await listed(to=at(6)) == ids[:1]
        assert await listed(**{"from": at(6), "to": at(6.5)}) == [ids[1]]
        url, found = "/admin/bookings?limit=1&from=" + at(1).replace("+", "%2B"), list[str]()
        while url:
            page = await client.get(url)
            found += [one["booking_id"] for one in page.json()["bookings"]]
            url = page.links.get("next", {}).get("url", "")
        assert found == ids
        for query in ({"cursor": "x"}, {"cursor": "MSAy"}, {"status": "lost"}, {"from": "now"}):
            loc(await client.get("/admin/bookings", params=query))
