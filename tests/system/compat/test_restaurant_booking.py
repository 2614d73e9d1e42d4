"""Clients of restaurant-booking over real sockets: each documented call, and what a wrong one gets.

Rule: each test has tables and an address of its own, for the tests of one database share a shop.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trio

from tests.system.api import problem
from tests.system.compat.answers import Json, ok, pages, refusals
from tests.system.compat.restaurant import (
    ADMIN,
    CUSTOMER,
    TOKEN,
    UNKNOWN,
    account,
    book,
    places,
    sign_in,
    times,
    visiting,
)
from tests.system.credentials import bearer
from tests.system.guests import form_in, text_of
from tests.system.shop import Shop
from tests.system.test_bookings import at
from tests.system.until import until

pytestmark = pytest.mark.once

# Signing in


async def test_a_token_is_given_for_an_email_address_and_a_password(moved: Shop) -> None:
    async with visiting(moved) as visit:
        tokens = ok(await sign_in(visit.guest, "ada@example.org", remember_me=True))
        assert tokens.keys() == {"access", "refresh"}
        me = await visit.guest.get("/auth/me", headers=bearer(tokens["access"]))
        assert ok(me)["username"] == "Ada"
        refreshed = await visit.guest.post(
            "/auth/refresh", json={"refresh_token": tokens["refresh"]}
        )
        assert refreshed.status_code == 200


async def test_wrong_credentials_get_no_token_and_are_counted(moved: Shop) -> None:
    async with visiting(moved) as visit:
        before = await refusals(moved, "credentials")
        problem(await sign_in(visit.guest, "ada@example.org", password="wrong horse"), 401)
        problem(await sign_in(visit.guest, "nobody@example.org"), 401)
        problem(await sign_in(visit.guest, "no address"), 401)
        assert await refusals(moved, "credentials") == before + 3
        assert places(await sign_in(visit.guest, "")) == [["body", "username"]]
        missing = await visit.guest.post(TOKEN, json={"username": "ada@example.org"})
        assert places(missing) == [["body", "password"]]


# Tables


async def test_a_manager_adds_a_table_and_all_of_it_is_optional(moved: Shop) -> None:
    async with visiting(moved) as visit:
        path = f"{ADMIN}/add_table/"
        wish = {"table_type": "cabin", "seats": 6, "price": 15.5, "can_be_booked": False}
        added = await visit.manager.post(path, json={**wish, "colour": "red"})
        assert added.status_code == 201
        number = added.json()["data"]["id"]
        assert added.json() == {
            "detail": f"Table {number} was added.",
            "data": {"id": number, **wish},
        }
        usual = {"table_type": "regular", "seats": 4, "price": 0.0, "can_be_booked": True}
        for body in (None, {}, {"seats": None}):
            another = (await visit.manager.post(path, json=body)).json()["data"]
            assert another.pop("id") > number
            assert another == usual
        text = await visit.manager.post(path, json={"table_type": "room", "price": "7.25"})
        assert text.json()["data"]["price"] == 7.25


WRONG_TABLES: list[tuple[Json, str]] = [
    ({"table_type": "throne"}, "table_type"),
    ({"seats": 0}, "seats"),
    ({"seats": "4"}, "seats"),
    ({"price": -1}, "price"),
    ({"price": 0.001}, "price"),
    ({"price": "1_000"}, "price"),
    ({"price": True}, "price"),
    ({"can_be_booked": "yes"}, "can_be_booked"),
]


async def test_a_table_that_cannot_be_is_not_added_or_changed(moved: Shop) -> None:
    async with visiting(moved) as visit:
        table = await visit.add(seats=3)
        for members, name in WRONG_TABLES:
            added = await visit.manager.post(f"{ADMIN}/add_table/", json=members)
            assert (members, places(added)) == (members, [["body", name]])
            changed = await visit.update(table, **members)
            assert (members, places(changed)) == (members, [["body", name]])
        for path in ("add_table", "update_table"):
            for client, status in ((visit.ada, 403), (visit.guest, 401)):
                problem(await client.post(f"{ADMIN}/{path}/", json={"id": table}), status)


async def test_a_manager_changes_only_what_is_given_of_a_table(moved: Shop) -> None:
    async with visiting(moved) as visit:
        table = await visit.add(table_type="cabin", seats=6, price=15)
        data = {"id": table, "table_type": "cabin", "seats": 6, "price": 15.0}
        closed = ok(await visit.update(table, seats=8, can_be_booked=False))
        data |= {"seats": 8, "can_be_booked": False}
        assert closed == {"detail": f"Table {table} was changed.", "data": data}
        by_post = await visit.manager.post(
            f"{ADMIN}/update_table/", json={"id": table, "price": "9.99", "can_be_booked": True}
        )
        assert ok(by_post)["data"] == data | {"price": 9.99, "can_be_booked": True}
        assert ok(await visit.update(table))["data"] == data | {
            "price": 9.99,
            "can_be_booked": True,
        }
        problem(await visit.update(UNKNOWN, seats=8), 404)
        nameless = await visit.manager.patch(f"{ADMIN}/update_table/", json={"seats": 8})
        assert places(nameless) == [["body", "id"]]


async def test_a_table_keeps_the_seats_that_an_accepted_party_needs(moved: Shop) -> None:
    async with visiting(moved) as visit:
        table = await visit.add(seats=6)
        booking = await visit.booked(visit.ada, table)
        ok(await visit.decide("accept", booking))
        refused = problem(await visit.update(table, seats=5), 409)
        assert refused["booking_ids"] == [booking]


async def test_anyone_finds_tables_by_json_or_a_query(moved: Shop) -> None:
    async with visiting(moved) as visit:
        path = f"{CUSTOMER}/view_tables/"
        one = await visit.add(table_type="room", seats=901, price=10)
        two = await visit.add(table_type="cabin", seats=902, price=19.99)
        three = await visit.add(table_type="room", seats=903, price=20)
        await visit.add(table_type="room", seats=902, price=10, can_be_booked=False)
        by_number = {"seats_min": 901}

        async def found(**wish: Any) -> list[int]:
            answers = [
                await visit.guest.post(path, json={**wish, "colour": "red"}),
                await visit.guest.post(path, params=wish),
                await visit.guest.get(path, params=wish),
            ]
            (first, *others) = [ok(answer) for answer in answers]
            assert others == [first, first]
            return [table["id"] for table in first]

        assert await found(**by_number) == [one, two, three]
        assert await found(**by_number, seats_max=902) == [one, two]
        assert await found(**by_number, table_type="room") == [one, three]
        assert await found(**by_number, price_min=10.01, price_max="19.99") == [two]
        assert await found(**by_number, table_type="regular") == []
        shown = ok(await visit.guest.post(path, json={"seats_min": 902}, params={"seats_max": 902}))
        assert shown == [{"id": two, "table_type": "cabin", "seats": 902, "price": 19.99}]
        assert {one, two, three} <= {table["id"] for table in await pages(visit.guest, path)}
        first = await visit.guest.post(
            path, json={**by_number, "table_type": "room", "price_min": 0.5}, params={"limit": 1}
        )
        assert [table["id"] for table in ok(first)] == [one]
        assert [table["id"] for table in await pages(visit.guest, first.links["next"]["url"])] == [
            three
        ]


async def test_a_search_that_cannot_be_meant_says_what_is_wrong(moved: Shop) -> None:
    async with visiting(moved) as visit:
        path = f"{CUSTOMER}/view_tables/"
        for name, value in (
            ("table_type", "throne"),
            ("seats_min", -1),
            ("seats_max", "1_0"),
            ("price_min", "1_0"),
            ("price_max", "0.001"),
        ):
            in_body = await visit.guest.post(path, json={name: value})
            assert places(in_body) == [["body", name]]
            for method in ("GET", "POST"):
                in_query = await visit.guest.request(method, path, params={name: value})
                assert places(in_query) == [["query", name]]
        both = await visit.guest.post(path, json={"seats_min": 2}, params={"seats_min": 3})
        assert places(both) == [["body", "seats_min"]]


# Bookings


async def test_a_customer_books_the_next_full_hour_with_all_seats_and_a_manager_sees_it(
    moved: Shop,
) -> None:
    async with visiting(moved) as visit:
        table = await visit.add(seats=6)
        booked = ok(await book(visit.ada, table))
        assert booked == {
            "detail": f"The booking of table {table} is requested.",
            "id": booked["id"],
        }
        (shown,) = await visit.active(table)
        starts_at = datetime.fromisoformat(shown["from"])
        ends_at = datetime.fromisoformat(shown["to"])
        assert (starts_at.minute, starts_at.second, ends_at - starts_at) == (
            0,
            0,
            timedelta(hours=2),
        )
        ahead = starts_at - datetime.now(starts_at.tzinfo)
        assert timedelta(minutes=59) < ahead < timedelta(hours=2)
        assert shown == {
            "id": booked["id"],
            "table": table,
            "status": "requested",
            "from": shown["from"],
            "to": shown["to"],
            "party": 6,
            "email": "ada@example.org",
            "phone": None,
            "name": "Ada",
        }


async def test_a_name_that_no_guest_may_have_is_left_out(moved: Shop) -> None:
    async with visiting(moved) as visit:
        table = await visit.add()
        query: Json = {**times(5, 1), "party": 1}
        ok(await book(visit.bo, table, query))
        (shown,) = await visit.active(table)
        assert (shown["email"], shown["name"], shown["party"]) == ("bo@example.org", None, 1)
        assert datetime.fromisoformat(shown["from"]) == datetime.fromisoformat(query["from"])
        assert datetime.fromisoformat(shown["to"]) == datetime.fromisoformat(query["to"])


async def test_what_cannot_be_booked_says_why(moved: Shop) -> None:
    async with visiting(moved) as visit:
        table, closed = await visit.add(seats=4), await visit.add(can_be_booked=False)
        problem(await book(visit.ada, UNKNOWN), 404)
        for query, name in (
            ({"from": at(5)}, "to"),
            ({"to": at(5)}, "from"),
            ({"from": at(5), "to": at(4)}, "to"),
            ({"from": at(-2), "to": at(2)}, "from"),
            ({"from": at(0.5), "to": at(2)}, "from"),
            ({"from": at(5), "to": at(14)}, "to"),
            ({"from": "1795000000", "to": at(2)}, "from"),
            ({"party": 5}, "party"),
            ({"party": 0}, "party"),
            ({"id": "x"}, "id"),
        ):
            assert places(await book(visit.ada, table, query)) == [["query", name]]
        nothing = await visit.ada.post(f"{CUSTOMER}/book_table/")
        assert places(nothing) == [["query", "id"]]
        assert problem(await book(visit.ada, closed), 409)["reason"] == "closed"
        ok(await visit.decide("accept", await visit.booked(visit.bo, table)))
        assert problem(await book(visit.ada, table, times(6)), 409)["reason"] == "taken"
        problem(await book(visit.manager, table), 403)
        problem(await book(visit.guest, table), 401)


async def test_the_same_time_again_is_the_same_booking_also_ten_times_at_once(moved: Shop) -> None:
    found: list[str] = []
    async with visiting(moved) as visit:
        table = await visit.add()
        query = times(5)

        async def ask() -> None:
            found.append(ok(await book(visit.ada, table, query))["id"])

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask)
        assert len(set(found)) == len(await visit.active(table)) == 1
        others = ok(await book(visit.bo, table, query))
        ok(await visit.decide("accept", found[0]))
        again = ok(await book(visit.ada, table, query))
        assert again == {"detail": f"The booking of table {table} is accepted.", "id": found[0]}
        ok(await visit.ada.post(f"{CUSTOMER}/cancel_booking/", params={"id": found[0]}))
        second = ok(await book(visit.ada, table, query))
        assert len({found[0], others["id"], second["id"]}) == 3


async def test_an_address_requests_twenty_tables_an_hour_and_again_does_not_count(
    moved: Shop,
) -> None:
    async with visiting(moved) as visit:
        table = await visit.add()
        periods = [times(hours, 1) for hours in range(5, 26)]
        for period in periods[:20]:
            first, again = [ok(await book(visit.ada, table, period))["id"] for _ in range(2)]
            assert first == again
        assert problem(await book(visit.ada, table, periods[20]), 429)["limit"] == "bookings"


async def test_of_two_managers_who_accept_at_once_for_one_table_and_time_one_wins(
    moved: Shop,
) -> None:
    answers: list[httpx.Response] = []
    async with visiting(moved) as visit:
        table = await visit.add()
        ids = [await visit.booked(customer, table) for customer in (visit.ada, visit.bo)]

        async def accept(booking_id: str) -> None:
            answers.append(await visit.decide("accept", booking_id))

        async with trio.open_nursery() as nursery:
            for booking_id in ids:
                nursery.start_soon(accept, booking_id)
        won, lost = sorted(answers, key=lambda one: one.status_code)
        assert ok(won) == {"detail": f"The booking of table {table} is accepted."}
        assert problem(lost, 409)["booking_status"] == "declined"
        (left,) = await visit.active(table)
        assert (left["status"], left["id"] in ids) == ("accepted", True)


async def test_a_manager_cancels_a_booking_once(moved: Shop) -> None:
    async with visiting(moved) as visit:
        table = await visit.add()
        booking = await visit.booked(visit.ada, table)
        cancelled = ok(await visit.decide("cancel", booking))
        assert cancelled == {"detail": f"The booking of table {table} is cancelled."}
        for what in ("accept", "cancel"):
            conflict = problem(await visit.decide(what, booking), 409)
            assert conflict["booking_status"] == "cancelled"
            problem(await visit.decide(what, "none"), 404)
            assert places(await visit.decide(what, "")) == [["query", "id"]]
            for client, status in ((visit.ada, 403), (visit.guest, 401)):
                path = f"{ADMIN}/{what}_booking/"
                problem(await client.post(path, params={"id": booking}), status)


async def test_active_bookings_are_listed_in_pages_the_earliest_first(moved: Shop) -> None:
    async with visiting(moved) as visit:
        tables = [await visit.add() for _ in range(5)]
        hours = (9, 5, 7, 11, 6)
        ids = [await visit.booked(visit.ada, *one) for one in zip(tables, hours, strict=True)]
        ok(await visit.decide("accept", ids[2]))
        ok(await visit.decide("cancel", ids[1]))
        listed = await visit.active(*tables)
        assert [one["id"] for one in listed] == [ids[4], ids[2], ids[0], ids[3]]
        assert [one["status"] for one in listed] == [
            "requested",
            "accepted",
            "requested",
            "requested",
        ]
        for client, status in ((visit.ada, 403), (visit.guest, 401)):
            problem(await client.get(f"{ADMIN}/view_active_bookings/"), status)
        wrong = await visit.manager.get(f"{ADMIN}/view_active_bookings/?cursor=x")
        assert places(wrong) == [["query", "cursor"]]


async def test_a_customer_cancels_their_own_booking_only(moved: Shop) -> None:
    async with visiting(moved) as visit:
        table = await visit.add()
        path = f"{CUSTOMER}/cancel_booking/"
        own, strangers = [await visit.booked(one, table) for one in (visit.ada, visit.bo)]
        before = await refusals(moved, "unknown")
        for booking_id in (strangers, "none"):
            problem(await visit.ada.post(path, params={"id": booking_id}), 404)
        assert await refusals(moved, "unknown") == before + 2
        # By our own API, too, an account needs no token of the booking.
        assert ok(await visit.ada.get(f"/bookings/{own}"))["status"] == "requested"
        problem(await visit.ada.get(f"/bookings/{strangers}"), 404)
        cancelled = ok(await visit.ada.post(path, params={"id": own}))
        assert cancelled == {"detail": f"The booking of table {table} is cancelled."}
        again = problem(await visit.ada.post(path, params={"id": own}), 409)
        assert again["booking_status"] == "cancelled"
        assert [one["id"] for one in await visit.active(table)] == [strangers]
        assert places(await visit.ada.post(path)) == [["query", "id"]]
        for client, status in ((visit.manager, 403), (visit.guest, 401)):
            problem(await client.post(path, params={"id": own}), status)


async def test_the_link_in_a_letter_cancels_a_booking(moved: Shop) -> None:
    # Who gets no other letters: a mailbox gets only a few within an hour.
    cleo = await account(moved, "Cleo", "cleo")
    async with visiting(moved) as visit, moved.customers(headers=cleo) as customer:
        table = await visit.add()
        booking = await visit.booked(customer, table)
        link = re.compile(rf"^http\S+/bookings/{booking}/cancel\?token=\S+", re.MULTILINE)

        def links() -> list[str]:
            folder = moved.database.parent / "mail"
            letters = [
                message_from_bytes(file.read_bytes(), policy=default)
                for file in folder.glob("*.eml")
            ]
            return [url for letter in letters for url in link.findall(text_of(letter))]

        await until(links)
        parts = urlsplit(links()[0])
        path = f"{parts.path}?{parts.query}"
        page = await visit.guest.get(path, headers={"Accept": "text/html"})
        fields = form_in(ok_text(page))
        await trio.sleep(2.1)  # of the reader's own time, in another process
        done = await visit.guest.post(parts.path, data=fields, headers={"Accept": "text/html"})
        assert "Your booking is cancelled" in ok_text(done)
        assert await visit.active(table) == []


def ok_text(response: httpx.Response) -> str:
    """Return the text of a page."""
    assert response.status_code == 200, response.text
    return response.text
