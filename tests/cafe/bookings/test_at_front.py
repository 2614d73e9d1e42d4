"""Bookings, their letters and what receivers are notified of, at fronts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.cafe.both_ends import FrontEnd, needs_redis, open_both_ends
from tests.system.until import until_asked

pytestmark = needs_redis

TABLE = {"type": "cabin", "seats": 6, "price_cents": 1500}
NOWHERE = "http://127.0.0.1:9/"
"""Where nothing is received."""


async def asked(front: FrontEnd, table_id: str) -> dict[str, Any]:
    """Request a table for tomorrow; return the request."""
    tomorrow = datetime.now(UTC).replace(hour=12) + timedelta(days=1)
    wish = {
        "table_id": table_id,
        "from": tomorrow.isoformat(),
        "to": (tomorrow + timedelta(hours=2)).isoformat(),
        "party": 4,
        "email": "ada@example.com",
        "name": "Ada",
    }
    response = await front.customer.post("/bookings", json=wish)
    assert response.status_code == httpx.codes.ACCEPTED, response.text
    request: dict[str, Any] = response.json()
    return request


async def test_a_request_at_one_front_is_accepted_at_another_and_cancelled_by_its_token(
    tmp_path: Path,
) -> None:
    async with open_both_ends(tmp_path) as ends:
        here, there = ends.here, ends.there
        manager = await here.with_role("manager")
        added = await here.staff.post("/admin/tables", json=TABLE, headers=manager)
        assert added.status_code == httpx.codes.CREATED, added.text
        request = await asked(there, added.json()["table_id"])
        path = f"/bookings/{request['booking_id']}"
        (waiting,) = (await here.staff.get("/admin/bookings", headers=manager)).json()["bookings"]
        assert waiting["booking_id"] == request["booking_id"]
        accepted = await here.staff.post(f"/admin{path}/accept", headers=manager)
        assert accepted.json()["status"] == "accepted", accepted.text
        guest = {"Authorization": f"Bearer {request['token']}"}
        assert (await here.customer.get(path, headers=guest)).json()["status"] == "accepted"
        page = await here.customer.get(f"{path}/cancel", params={"token": request["token"]})
        assert page.status_code == httpx.codes.OK
        cancelled = await here.customer.delete(path, headers=guest)
        assert cancelled.json()["status"] == "cancelled", cancelled.text


async def test_letters_and_notifications_are_listed_and_retried_at_a_front(tmp_path: Path) -> None:
    async with open_both_ends(tmp_path, booking_webhook=NOWHERE) as ends:
        here = ends.here
        manager = await here.with_role("manager")
        added = await here.staff.post("/admin/tables", json=TABLE, headers=manager)
        await asked(here, added.json()["table_id"])

        async def is_written() -> bool:
            listed = await here.staff.get("/admin/letters?state=sent", headers=manager)
            return len(listed.json()["letters"]) == 1

        await until_asked(is_written)
        (letter,) = (await here.staff.get("/admin/letters", headers=manager)).json()["letters"]
        path = f"/admin/letters/{letter['letter_id']}"
        shown = await here.staff.get(path, headers=manager)
        assert "Ada" in shown.text, shown.text
        refused = await here.staff.post(f"{path}/retry", headers=manager)
        assert refused.status_code == httpx.codes.CONFLICT

        async def is_retrying() -> bool:
            listed = await here.staff.get("/admin/notifications?state=retrying", headers=manager)
            return len(listed.json()["notifications"]) == 1

        await until_asked(is_retrying)
        listed = await here.staff.get("/admin/notifications", headers=manager)
        (one,) = listed.json()["notifications"]
        retry = f"/admin/notifications/{one['event_id']}/retry"
        assert (await here.staff.post(retry, headers=manager)).status_code == httpx.codes.OK
