"""The routes of tables and bookings: what they let in, what they show, and what they never tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trio

from cafe.bookings.booking import Action
from cafe.bookings.messages import ListTables
from cafe.bookings.table import DiningTable
from cafe.limits.rate_limiter import RecordRefusals
from tests.cafe.bookings.hall import ADDRESS, HOUR, NOON, Hall, evening, open_hall

pytestmark = pytest.mark.schedules(1)


def at(hours: float) -> str:
    """Return a time so many hours after NOON as a client writes it."""
    return datetime.fromtimestamp(NOON + hours * HOUR, UTC).isoformat()


def wish(table_id: str, /, **members: Any) -> dict[str, Any]:
    """Return a request as a client sends it; what is None is left out."""
    usual: dict[str, Any] = {
        "table_id": table_id,
        "from": at(5),
        "to": at(7),
        "party": 2,
        "email": "ada@example.com",
    }
    return {name: value for name, value in {**usual, **members}.items() if value is not None}


async def add(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    """Add a table; return it."""
    response = await client.post("/admin/tables", json={"type": "cabin", "seats": 4, **members})
    assert response.status_code == 201, response.text
    table: dict[str, Any] = response.json()
    return table


async def ask(client: httpx.AsyncClient, table_id: str, **members: Any) -> dict[str, Any]:
    """Request a table; return the request."""
    response = await client.post("/bookings", json=wish(table_id, **members))
    assert response.status_code == 202, response.text
    asked: dict[str, Any] = response.json()
    return asked


def loc(response: httpx.Response) -> list[Any]:
    """Return the place of the first error of a 422."""
    assert response.status_code == 422, response.text
    found: list[Any] = response.json()["errors"][0]["loc"]
    return found


async def test_free_tables_are_listed_in_pages_with_the_requests_for_them() -> None:
    async with open_hall() as hall, hall.visited() as client:
        tables = [await add(client, seats=seats, price_cents=seats) for seats in (2, 4, 6, 8)]
        await ask(client, tables[1]["table_id"])
        await ask(client, tables[1]["table_id"])
        await hall.decide(await hall.request((await table(hall, 3)), evening(5)), Action.ACCEPT)
        await client.post(f"/admin/tables/{tables[3]['table_id']}/close")

        async def listed(**params: Any) -> list[tuple[int, int]]:
            response = await client.get("/tables", params=params)
            assert response.status_code == 200, response.text
            return [(one["number"], one["requests"]) for one in response.json()["tables"]]

        period = {"from": at(5), "to": at(6)}
        assert await listed() == [(1, 0), (2, 2), (3, 0)]
        assert await listed(**period) == [(1, 0), (2, 2)]
        assert await listed(**{"from": at(7), "to": at(8)}) == [(1, 0), (2, 0), (3, 0)]
        assert await listed(seats_min=4, seats_max=6) == [(2, 2), (3, 0)]
        assert await listed(price_min=3, price_max=5, type="cabin") == [(2, 2)]
        assert await listed(type="room") == []
        page = await client.get("/tables", params={"limit": 1, "seats_min": 2, **period})
        assert [one["number"] for one in page.json()["tables"]] == [1]
        second = await client.get(page.links["next"]["url"].removeprefix("/api"))
        assert [one["number"] for one in second.json()["tables"]] == [2]
        assert "next" not in second.links
        plus = f"/tables?from={at(5).replace('+00:00', '+02:00')}&to={at(9)}"
        assert (await client.get(plus)).status_code == 200


async def table(hall: Hall, number: int) -> DiningTable:
    return (await hall.desk.ask(ListTables(number - 1, 1)))[0]


NO_SEARCHES: list[tuple[dict[str, str], list[Any]]] = [
    ({"from": at(5)}, ["query", "to"]),
    ({"to": at(5)}, ["query", "from"]),
    ({"from": at(5), "to": at(5)}, ["query", "to"]),
    ({"from": at(5), "to": at(4)}, ["query", "to"]),
    ({"from": at(-5), "to": at(-4)}, ["query", "to"]),
    ({"from": "5", "to": at(4)}, ["query", "from"]),
    ({"from": "2026-11-18T10:00:00", "to": at(4)}, ["query", "from"]),
    ({"type": "throne"}, ["query", "type"]),
    ({"seats_min": "0"}, ["query", "seats_min"]),
    ({"cursor": "x"}, ["query", "cursor"]),
]


async def test_a_search_that_cannot_be_meant_says_what_is_wrong() -> None:
    async with open_hall() as hall, hall.visited() as client:
        for query, place in NO_SEARCHES:
            response = await client.get("/tables", params=query)
            assert (query, loc(response)) == (query, place)


async def test_a_request_is_answered_with_its_token_and_shown_in_the_shops_zone() -> None:
    async with open_hall() as hall, hall.visited() as client:
        added = await add(client)
        response = await client.post(
            "/bookings", json=wish(added["table_id"], name="Ada", phone="+49 30 1234567")
        )
        asked = response.json()
        assert response.status_code == 202
        assert response.headers["location"] == f"/bookings/{asked['booking_id']}"
        assert asked == {
            "booking_id": asked["booking_id"],
            "status": "requested",
            "table_id": added["table_id"],
            "table": {name: added[name] for name in added if name != "status"},
            "from": "2026-11-18T17:06:40+01:00",
            "to": "2026-11-18T19:06:40+01:00",
            "party": 2,
            "email": "ada@example.com",
            "phone": "+49 30 1234567",
            "name": "Ada",
            "reason": None,
            "requested_at": "2026-11-18T11:06:40Z",
            "token": asked["token"],
        }
        prefixed = await client.post("/bookings", json=wish(added["table_id"]))
        assert prefixed.status_code == 202


async def test_a_booking_is_shown_and_cancelled_with_its_token_only() -> None:
    async with open_hall() as hall, hall.visited() as client:
        asked = await ask(client, (await add(client))["table_id"])
        other = await ask(client, asked["table_id"])
        path, token = f"/bookings/{asked['booking_id']}", asked["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        by_query, by_header = [
            await client.get(path, params={"token": token}),
            await client.get(path, headers=bearer),
        ]
        assert by_query.json() == by_header.json() == {k: asked[k] for k in asked if k != "token"}
        strangers = [
            await client.get(path),
            await client.get(path, params={"token": other["token"]}),
            await client.get(path, headers={"Authorization": "Bearer nonsense"}),
            await client.get(path, headers={"Authorization": "Basic YTpi"}),
            await client.delete(path, params={"token": token[:-1]}),
            await client.get(path, params={"token": f"{token})"}),
            await client.get(path, params={"token": 3 * token}),
            await client.get("/bookings/none", params={"token": token}),
        ]
        found = {(one.status_code, one.json()["detail"]) for one in strangers}
        assert found == {(404, "There is no such booking.")}
        assert hall.limiter.received == (RecordRefusals(((ADDRESS, 1),), "credentials"),) * 8
        cancelled = await client.delete(path, headers=bearer)
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        again = await client.delete(path, headers=bearer)
        assert (again.status_code, again.json()["booking_status"]) == (409, "cancelled")


ADA, BO = {"Authorization": "Bearer ada"}, {"Authorization": "Bearer bo"}
EXPIRED = {"Authorization": "Bearer expired"}


async def test_a_customer_who_is_signed_in_sees_and_cancels_their_own_without_its_token() -> None:
    async with open_hall() as hall, hall.visited() as client:
        body = wish((await add(client))["table_id"])
        asked = (await client.post("/bookings", json=body, headers=ADA)).json()
        path = f"/bookings/{asked['booking_id']}"
        shown = await client.get(path, headers=ADA)
        assert shown.json() == {name: asked[name] for name in asked if name != "token"}
        for strangers in (BO, {}, {"Authorization": "Bearer manager"}):
            for method in ("GET", "DELETE"):
                refused = await client.request(method, path, headers=strangers)
                assert (refused.status_code, refused.json()["status"]) == (404, 404)
        counted = (RecordRefusals(((ADDRESS, 1),), "credentials"),) * 6
        assert hall.limiter.received == counted
        # A wrong token of an account is counted where it is read.
        assert (await client.get(path, headers=EXPIRED)).status_code == 404
        assert hall.limiter.received == counted
        by_token = await client.get(path, params={"token": asked["token"]}, headers=BO)
        assert by_token.status_code == 200
        wrong_token = await client.get(path, params={"token": "x"}, headers=ADA)
        assert wrong_token.status_code == 404
        cancelled = await client.delete(path, headers=ADA)
        assert cancelled.json()["status"] == "cancelled"


async def test_a_customer_who_asks_again_gets_the_same_booking_and_a_guest_a_new_one() -> None:
    async with open_hall() as hall, hall.visited() as client:
        body = wish((await add(client))["table_id"])

        async def asked(headers: dict[str, str]) -> str:
            response = await client.post("/bookings", json=body, headers=headers)
            assert response.status_code == 202
            return str(response.json()["booking_id"])

        assert await asked(ADA) == await asked(ADA)
        # Anyone may ask for a table, so no credentials are in the way, however wrong.
        basic = {"Authorization": "Basic YTpi"}
        others = [await asked(headers) for headers in (BO, {}, {}, EXPIRED, basic)]
        assert len(set(others)) == 5
        accounts = [row.account_id for row in hall.rows()]
        assert sorted(filter(None, accounts)) == ["id of ada", "id of bo"]


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"from": 1_795_000_000}, ["body", "from"]),
    ({"from": "1795018000"}, ["body", "from"]),
    ({"from": "2026-11-18T17:00:00"}, ["body", "from"]),
    ({"from": at(0.5)}, ["body", "from"]),
    ({"from": at(-5)}, ["body", "from"]),
    ({"from": at(24 * 91), "to": at(24 * 91 + 1)}, ["body", "from"]),
    ({"to": at(5)}, ["body", "to"]),
    ({"to": at(4)}, ["body", "to"]),
    ({"to": at(13.1)}, ["body", "to"]),
    ({"party": 5}, ["body", "party"]),
    ({"party": 0}, ["body", "party"]),
    ({"party": "2"}, ["body", "party"]),
    ({"table_id": "none"}, ["body", "table_id"]),
    ({"email": None}, ["body"]),
    ({"email": "ada"}, ["body", "email"]),
    ({"email": "Ada <ada@example.com>"}, ["body", "email"]),
    ({"email": "ädä@example.com"}, ["body", "email"]),
    ({"email": "ada@example.com\nBcc: bo@example.com"}, ["body", "email"]),
    ({"phone": "call me"}, ["body", "phone"]),
    ({"phone": "+49 30 123\n4567"}, ["body", "phone"]),
    ({"phone": "1"}, ["body", "phone"]),
    ({"name": "a" * 81}, ["body", "name"]),
    ({"name": ""}, ["body", "name"]),
    ({"name": "Ada\nBo"}, ["body", "name"]),
    ({"name": "Ada\u2028Bo"}, ["body", "name"]),
    ({"name": "see https://evil.example"}, ["body", "name"]),
    ({"name": "evil.example"}, ["body", "name"]),
    ({"name": "evil\u3002example"}, ["body", "name"]),
    ({"name": "WWW.evil"}, ["body", "name"]),
    ({"colour": "red"}, ["body", "colour"]),
]


async def test_a_request_that_cannot_be_meant_says_which_member_is_wrong() -> None:
    async with open_hall() as hall, hall.visited() as client:
        table_id = (await add(client))["table_id"]
        for members, place in WRONG:
            response = await client.post("/bookings", json=wish(table_id, **members))
            assert (members, loc(response)) == (members, place)
        assert hall.rows() == []


@pytest.mark.parametrize(
    ("members", "kept"),
    [
        ({"email": "ada@MÜNCHEN.example.org"}, "ada@xn--mnchen-3ya.example.org"),
        ({"email": "Ada.L@Example.COM"}, "Ada.L@example.com"),
        ({"email": None, "phone": "+49 (0)30/123-456.7"}, None),
        ({"name": "Dr. J. R. Löwe, Gräfin v. Österreich \U0001f981"}, "ada@example.com"),
    ],
)
async def test_addresses_are_kept_in_ascii_and_names_as_people_have_them(
    members: dict[str, Any], kept: str | None
) -> None:
    async with open_hall() as hall, hall.visited() as client:
        asked = await ask(client, (await add(client))["table_id"], **members)
        assert asked["email"] == kept
        (row,) = hall.rows()
        assert (row.email, row.phone, row.name) == (kept, members.get("phone"), members.get("name"))


async def test_a_closed_table_and_a_taken_time_are_conflicts_that_say_which() -> None:
    async with open_hall() as hall, hall.visited() as client:
        added = await add(client)
        direct = await client.post("/admin/bookings", json=wish(added["table_id"]))
        assert (direct.status_code, direct.json()["status"]) == (201, "accepted")
        assert "token" not in direct.json()
        for path in ("/bookings", "/admin/bookings"):
            taken = await client.post(path, json=wish(added["table_id"]))
            assert (taken.status_code, taken.json()["reason"]) == (409, "taken")
        await client.post(f"/admin/tables/{added['table_id']}/close")
        closed = await client.post("/bookings", json=wish(added["table_id"]))
        assert (closed.status_code, closed.json()["reason"]) == (409, "closed")
        fewer = await client.patch(f"/admin/tables/{added['table_id']}", json={"seats": 1})
        assert fewer.status_code == 409
        assert fewer.json()["booking_ids"] == [direct.json()["booking_id"]]


async def test_the_twenty_first_request_of_an_hour_is_refused() -> None:
    async with open_hall() as hall, hall.visited() as client:
        added = await add(client)
        for _ in range(20):
            await ask(client, added["table_id"])
        many = await client.post("/bookings", json=wish(added["table_id"]))
        assert (many.status_code, many.json()["limit"]) == (429, "bookings")
        assert int(many.headers["retry-after"]) > 0


async def test_what_is_over_is_still_shown_to_its_guest() -> None:
    async with open_hall() as hall, hall.visited() as client:
        asked = await ask(client, (await add(client))["table_id"])
        await trio.sleep(9 * HOUR)
        shown = await client.get(
            f"/bookings/{asked['booking_id']}", params={"token": asked["token"]}
        )
        assert shown.json()["status"] == "expired"
        decided = await client.post(f"/admin/bookings/{asked['booking_id']}/accept")
        assert (decided.status_code, decided.json()["booking_status"]) == (409, "expired")
