"""Managers' routes: what is listed, page by page, and how what is retried is answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from starlette.types import Scope

from cafe.http.app import create_app
from cafe.http.authentication import Caller, Role
from cafe.notifications.notification import PAUSES, State
from cafe.notifications.queries import Page
from cafe.notifications.schemas import NOTIFICATION, NotificationOut, notifications_out
from cafe.notifications.staff_api import manager_routes
from tests.cafe.notifications.post import LIFE, Post, Receiver, open_post
from tests.cafe.virtual_time import until

pytestmark = pytest.mark.schedules(2)


@asynccontextmanager
async def visiting(
    post: Post, role: Role | None = Role.MANAGER
) -> AsyncGenerator[httpx.AsyncClient]:
    async def authenticate(_scope: Scope) -> Caller | None:
        return None if role is None else Caller(role)

    app = create_app(
        [manager_routes(post.desk)],
        title="t",
        description="d",
        version="1",
        prefix="/api",
        authenticate=authenticate,
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as client:
        yield client


@pytest.mark.parametrize(
    ("role", "status"),
    [(None, 401), (Role.CUSTOMER, 403), (Role.BARISTA, 403), (Role.COURIER, 403)],
)
async def test_only_managers_see_and_retry_notifications(role: Role | None, status: int) -> None:
    async with open_post() as post, visiting(post, role) as client:
        assert (await client.get("/admin/notifications")).status_code == status
        retried = await client.post("/admin/notifications/evt_1_0/retry")
        assert retried.status_code == status


async def test_notifications_are_listed_with_their_attempts_the_newest_first() -> None:
    receiver = Receiver()
    receiver.outcomes["o1"] = ["503"]
    async with open_post(receiver=receiver) as post, visiting(post) as client:
        await post.happen("o1", "place", "start")
        await until(lambda: post.states("o1") == 2 * [State.DELIVERED])
        second, first = (await client.get("/admin/notifications")).json()["notifications"]
        assert (second["sequence"], second["status"], second["state"]) == (
            2,
            "preparation",
            "delivered",
        )
        assert [one["outcome"] for one in first["attempts"]] == ["503", "200"]
        assert first.keys() == NOTIFICATION.keys() == NotificationOut.model_fields.keys()
        assert first["occurred_at"].endswith("Z")


async def test_a_booking_is_listed_with_its_id_among_orders_and_each_can_be_asked_for() -> None:
    async with open_post() as post, visiting(post) as client:
        await post.happen("x", "place")
        await post.book("x", "request")
        await until(lambda: len(post.rows(State.DELIVERED)) == 2)
        booking, order = (await client.get("/admin/notifications")).json()["notifications"]
        ids = ("topic", "order_id", "number", "booking_id", "status")
        assert [booking[name] for name in ids] == ["booking", None, None, "x", "requested"]
        assert [order[name] for name in ids] == ["order", "x", 17, None, "waiting"]
        for query, listed in (
            ("order_id=x", [order]),
            ("booking_id=x", [booking]),
            ("order_id=x&booking_id=x", []),
        ):
            response = await client.get(f"/admin/notifications?{query}")
            assert response.json()["notifications"] == listed


async def test_a_list_has_pages_and_filters() -> None:
    receiver = Receiver(always={"o7": "503"})
    async with open_post(receiver=receiver) as post, visiting(post) as client:
        for number in range(10):
            await post.happen(f"o{number}", "place", "start")
        await until(lambda: len(post.rows(State.DELIVERED)) == 18)
        found: list[str] = []
        page: str | None = "/admin/notifications?limit=7"
        while page is not None:
            response = await client.get(page)
            found += [one["event_id"] for one in response.json()["notifications"]]
            page = response.links.get("next", {}).get("url")
        assert found == [one.event_id for one in reversed(post.rows())]
        response = await client.get("/admin/notifications?order_id=o7&limit=1")
        assert response.json()["notifications"][0]["state"] == "held"
        response = await client.get(response.links["next"]["url"])
        assert response.json()["notifications"][0]["state"] == "retrying"
        assert "link" not in response.headers
        for state, number in (("held", 1), ("retrying", 1), ("set_aside", 0), ("delivered", 18)):
            listed = await client.get(f"/admin/notifications?state={state}")
            assert len(listed.json()["notifications"]) == number


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "limit=0",
        "limit=501",
        "cursor=0",
        "cursor=-1",
        "cursor=1_000",
        "cursor=%2B5",
        "cursor=99999999999999999999",
        "order_id=%00",
        "order_id=" + "a" * 65,
        "order_id=",
        "booking_id=%00",
        "booking_id=" + "a" * 65,
    ],
)
async def test_a_query_that_is_wrong_is_a_problem(query: str) -> None:
    async with open_post() as post, visiting(post) as client:
        assert (await client.get(f"/admin/notifications?{query}")).status_code == 422


async def test_one_that_was_set_aside_is_retried() -> None:
    receiver = Receiver(always={"o1": "503"})
    async with open_post(receiver=receiver) as post, visiting(post) as client:
        await post.happen("o1", *LIFE)
        await until(lambda: post.states("o1")[:1] == [State.SET_ASIDE], 2 * sum(PAUSES))
        event_id = post.rows()[0].event_id
        receiver.always.clear()
        response = await client.post(f"/admin/notifications/{event_id}/retry")
        assert (response.status_code, response.json()["state"]) == (200, "due")
        await until(lambda: len(receiver.taken) == 4)
        again = await client.post(f"/admin/notifications/{event_id}/retry")
        assert (again.status_code, again.json()["notification_state"]) == (409, "delivered")


@pytest.mark.parametrize("event_id", ["evt_1_0", "%00", "%ED%A0%80", "a" * 300, "%1b[2J"])
async def test_an_unknown_id_is_a_404(event_id: str) -> None:
    async with open_post() as post, visiting(post) as client:
        response = await client.post(f"/admin/notifications/{event_id}/retry")
        assert response.status_code == 404


async def test_during_an_outage_a_manager_has_an_answer_within_five_seconds() -> None:
    async with open_post() as post, visiting(post) as client:
        await post.happen("o1", "place")
        await until(lambda: post.receiver.taken)
        post.store.link.gone = True
        began = trio.current_time()
        for response in (
            await client.get("/admin/notifications"),
            await client.post(f"/admin/notifications/{post.rows()[0].event_id}/retry"),
        ):
            assert (response.status_code, response.json()["reason"]) == (503, "ledger")
        assert trio.current_time() - began <= 10
        post.store.link.gone = False


async def test_the_last_ten_attempts_are_shown() -> None:
    receiver = Receiver(always={"o1": "503"})
    async with open_post(receiver=receiver) as post, visiting(post) as client:
        await post.happen("o1", "place")
        for number in (7, 14):
            await until(lambda n=number: len(receiver.calls) == n, 2 * sum(PAUSES))  # type: ignore[misc]
            await trio.sleep(1)
            await post.desk.retry(post.rows()[0].event_id)
        await trio.sleep(1)
        (shown,) = (await client.get("/admin/notifications")).json()["notifications"]
        assert [one["number"] for one in shown["attempts"]] == list(range(6, 16))


def test_an_empty_page_is_shown_as_one() -> None:
    assert notifications_out(Page([], {}, goes_on=False)) == []
