"""Tables of the real shop: from a request to the letter's link, over real sockets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import trio

from cafe.http.authentication import Role
from tests.cafe.bookings.test_cancel_page import BROWSER, Page
from tests.system.api import problem
from tests.system.credentials import credentials
from tests.system.shop import Shop, open_shop
from tests.system.until import until_asked

pytestmark = pytest.mark.once

CLIENT = "/api/v1/client"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of an empty ledger."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path_factory.mktemp('ledger')}/cafe.db"


def at(hours: float) -> str:
    """Return the time in so many hours."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def staff(shop: Shop) -> httpx.AsyncClient:
    """Return a manager's client."""
    return shop.baristas(headers=await credentials(shop, Role.MANAGER))


async def added(manager: httpx.AsyncClient, **members: Any) -> str:
    """Add a table; return its id."""
    table = {"type": "cabin", "seats": 6, "price_cents": 1500, **members}
    response = await manager.post("/admin/tables", json=table)
    assert response.status_code == 201, response.text
    return str(response.json()["table_id"])


async def asked(guest: httpx.AsyncClient, table_id: str, hours: float = 5) -> dict[str, Any]:
    """Request a table for two hours; return the request."""
    wish = {
        "table_id": table_id,
        "from": at(hours),
        "to": at(hours + 2),
        "party": 4,
        "email": "ada@example.com",
        "name": "Ada",
    }
    response = await guest.post("/bookings", json=wish)
    assert response.status_code == 202, response.text
    request: dict[str, Any] = response.json()
    return request


def shown_by(request: dict[str, Any]) -> dict[str, str]:
    """Return the header fields by which a request is seen."""
    return {"Authorization": f"Bearer {request['token']}"}


async def test_from_a_request_to_a_decision(url: str) -> None:
    with open_shop(database_url=url, time_zone="Europe/Berlin") as shop:
        async with await staff(shop) as manager, shop.customers() as guest:
            table_id = await added(manager)
            one, two = [await asked(guest, table_id, hours) for hours in (5, 6)]
            (listed,) = (await guest.get("/tables?seats_min=4&type=cabin")).json()["tables"]
            assert (listed["table_id"], listed["requests"]) == (table_id, 2)
            waiting = await manager.get("/admin/bookings?status=requested")
            ids = [request["booking_id"] for request in waiting.json()["bookings"]]
            assert ids == [one["booking_id"], two["booking_id"]]
            accepted = await manager.post(f"/admin/bookings/{one['booking_id']}/accept")
            declined = [other["booking_id"] for other in accepted.json()["declined"]]
            assert declined == [two["booking_id"]]
            for request, status in ((one, "accepted"), (two, "declined")):
                path = f"/bookings/{request['booking_id']}"
                shown = await guest.get(path, headers=shown_by(request))
                assert shown.json()["status"] == status
                problem(await guest.get(path, params={"token": "x"}), 404)
            free = await guest.get("/tables", params={"from": at(5), "to": at(6)})
            assert free.json()["tables"] == []
            taken = await guest.post(
                "/bookings",
                json={
                    "table_id": table_id,
                    "from": at(5),
                    "to": at(6),
                    "party": 1,
                    "phone": "+49 30 123456",
                },
            )
            assert problem(taken, 409)["reason"] == "taken"
            gone = await guest.delete(f"/bookings/{one['booking_id']}", headers=shown_by(one))
            assert gone.json()["status"] == "cancelled"
            conflict = await manager.post(f"/admin/bookings/{one['booking_id']}/accept")
            assert problem(conflict, 409)["booking_status"] == "cancelled"


async def test_of_twenty_managers_who_accept_at_once_one_wins(url: str) -> None:
    answers: list[httpx.Response] = []
    with open_shop(database_url=url) as shop:
        async with await staff(shop) as manager, shop.customers() as guest:
            table_id = await added(manager)
            requests = [await asked(guest, table_id, 5 + n / 20) for n in range(20)]

            async def accept(booking_id: str) -> None:
                answers.append(await manager.post(f"/admin/bookings/{booking_id}/accept"))

            async with trio.open_nursery() as nursery:
                for request in requests:
                    nursery.start_soon(accept, request["booking_id"])
            listed = (await manager.get("/admin/bookings")).json()["bookings"]
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [409] * 19
    assert sorted(one["status"] for one in listed) == ["accepted"] + ["declined"] * 19


async def test_the_link_is_followed_by_a_scanner_and_then_by_its_reader(shop: Shop) -> None:
    async with (
        await staff(shop) as manager,
        shop.customers("127.0.9.1") as scanner,
        shop.customers("127.0.9.2", headers=BROWSER) as reader,
    ):
        request = await asked(reader, await added(manager))
        link = f"{CLIENT}/bookings/{request['booking_id']}/cancel?token={request['token']}"
        for method in ("HEAD", "GET") * 5:
            assert (await scanner.request(method, link)).status_code == 200
        page = Page((await reader.get(link)).text)
        assert page.action == link.partition("?")[0]
        # Some scanners press the button, too, and do it at once.
        assert (await scanner.post(page.action, data=page.fields)).status_code == 409
        shown = await reader.get(f"/bookings/{request['booking_id']}", headers=shown_by(request))
        assert shown.json()["status"] == "requested"
        await trio.sleep(2.1)  # of the reader's own time, in another process
        done = await reader.post(page.action, data=page.fields)
        assert (done.status_code, "Your booking is cancelled" in done.text) == (200, True)
        assert (await reader.get(link)).status_code == 404
        problem(await scanner.get(link), 404)
    await shop.settle()
    assert request["token"] not in shop.log.text
    assert page.fields["form"] not in shop.log.text
    assert "ada@example.com" not in shop.log.text


async def test_a_program_with_a_managers_token_decides(shop: Shop) -> None:
    async with await staff(shop) as manager, shop.customers("127.0.9.3") as guest:
        name = {"name": "booking-program", "role": "manager"}
        token = (await manager.post("/admin/tokens", json=name)).json()["token"]
        request = await asked(guest, await added(manager))
        path = f"/admin/bookings/{request['booking_id']}"
        async with shop.baristas(headers={"Authorization": f"Bearer {token}"}) as program:
            declined = await program.post(f"{path}/decline", json={"reason": "no children"})
        assert (declined.json()["status"], declined.json()["reason"]) == ("declined", "no children")
        await manager.delete("/admin/tokens/booking-program")


async def test_bookings_and_their_tokens_outlive_a_kill(url: str) -> None:
    with open_shop(database_url=url, exit_code=-9) as shop:
        async with await staff(shop) as manager, shop.customers() as guest:
            table_id = await added(manager)
            request = await asked(guest, table_id)
            accepted = await manager.post(f"/admin/bookings/{request['booking_id']}/accept")
            assert accepted.status_code == 200
            shop.process.kill()
    with open_shop(database_url=url) as shop:
        async with shop.customers() as guest:
            shown = await guest.get(f"/bookings/{request['booking_id']}", headers=shown_by(request))
            assert shown.json()["status"] == "accepted"
            free = await guest.get("/tables", params={"from": at(5.5), "to": at(6)})
            assert free.json()["tables"] == []


async def test_wrong_tokens_are_counted_and_end_in_a_ban() -> None:
    with open_shop(ban_after=5) as shop:
        async with shop.customers("127.0.9.4") as guesser:
            for _ in range(5):
                problem(await guesser.get("/bookings/b?token=guess"), 404)

        async def is_banned() -> bool:
            return await shop.metric("cafe_bans_now") == 1

        await until_asked(is_banned)
