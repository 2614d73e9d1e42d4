"""Managers' routes: what is listed and shown, and how what is retried is answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from starlette.types import Scope

from cafe.http.app import create_app
from cafe.http.authentication import Caller, Role
from cafe.letters.letter import State
from cafe.letters.queries import Page
from cafe.letters.schemas import LETTER, LetterOut, WholeLetterOut, letters_out
from cafe.letters.staff_api import manager_routes
from tests.cafe.letters.mailroom import FakeServer, Mailroom, open_mailroom
from tests.cafe.virtual_time import until

pytestmark = pytest.mark.schedules(2)


@asynccontextmanager
async def visiting(
    room: Mailroom, role: Role | None = Role.MANAGER
) -> AsyncGenerator[httpx.AsyncClient]:
    async def authenticate(_scope: Scope) -> Caller | None:
        return None if role is None else Caller(role)

    app = create_app(
        [manager_routes(room.desk)],
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
async def test_only_managers_see_and_retry_letters(role: Role | None, status: int) -> None:
    async with open_mailroom() as room, visiting(room, role) as client:
        assert (await client.get("/admin/letters")).status_code == status
        assert (await client.get("/admin/letters/let_1_0")).status_code == status
        assert (await client.post("/admin/letters/let_1_0/retry")).status_code == status


async def test_letters_are_listed_with_their_attempts_the_newest_first() -> None:
    server = FakeServer()
    server.outcomes["b1@example.org"] = ["450"]
    async with open_mailroom(server=server) as room, visiting(room) as client:
        await room.happen("b1", "request", "accept")
        await until(lambda: room.states("b1") == 2 * [State.SENT], 100)
        second, first = (await client.get("/admin/letters")).json()["letters"]
        assert (second["kind"], second["state"]) == ("accepted", "sent")
        assert [one["outcome"] for one in first["attempts"]] == ["450", "250"]
        assert first["attempts"][0]["said"] == "no"
        assert first.keys() == LETTER.keys() == LetterOut.model_fields.keys()
        assert first["created_at"].endswith("Z")


async def test_a_letter_is_shown_with_its_text_and_without_the_token_of_its_link() -> None:
    async with open_mailroom() as room, visiting(room) as client:
        await room.happen("b1", "request")
        await until(lambda: room.server.taken)
        (letter,) = room.rows()
        response = await client.get(f"/admin/letters/{letter.letter_id}")
        shown = response.json()
        assert shown.keys() == WholeLetterOut.model_fields.keys()
        assert shown["subject"] == "We have received your request for a table"
        assert "https://cafe.example/bookings/b1/cancel?token=***\n" in shown["text"]
        assert "t0ken" not in response.text
        assert "\r" not in shown["text"]


async def test_a_list_has_pages_and_filters() -> None:
    server = FakeServer(always={"b7@example.org": "450"})
    async with open_mailroom(server=server) as room, visiting(room) as client:
        for number in range(10):
            await room.happen(f"b{number}", "request", "accept")
        await until(lambda: len(room.rows(State.SENT)) == 18)
        found: list[str] = []
        page: str | None = "/admin/letters?limit=7"
        while page is not None:
            response = await client.get(page)
            found += [one["letter_id"] for one in response.json()["letters"]]
            page = response.links.get("next", {}).get("url")
        assert found == [one.letter_id for one in reversed(room.rows())]
        response = await client.get("/admin/letters?booking_id=b7&limit=1")
        assert response.json()["letters"][0]["state"] == "held"
        response = await client.get(response.links["next"]["url"])
        assert response.json()["letters"][0]["state"] == "retrying"
        assert "link" not in response.headers
        for state, number in (("held", 1), ("retrying", 1), ("set_aside", 0), ("sent", 18)):
            listed = await client.get(f"/admin/letters?state={state}")
            assert len(listed.json()["letters"]) == number


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "limit=0",
        "limit=501",
        "cursor=0",
        "cursor=1_000",
        "booking_id=%00",
        "booking_id=" + "a" * 65,
        "booking_id=",
    ],
)
async def test_a_query_that_is_wrong_is_a_problem(query: str) -> None:
    async with open_mailroom(tasks=False) as room, visiting(room) as client:
        assert (await client.get(f"/admin/letters?{query}")).status_code == 422


async def test_one_that_was_set_aside_is_retried() -> None:
    server = FakeServer(always={"b1@example.org": "550"})
    async with open_mailroom(server=server) as room, visiting(room) as client:
        await room.happen("b1", "request")
        await until(lambda: room.states("b1") == [State.SET_ASIDE])
        path = f"/admin/letters/{room.rows()[0].letter_id}/retry"
        server.always.clear()
        response = await client.post(path)
        assert (response.status_code, response.json()["state"]) == (200, "due")
        await until(lambda: server.taken)
        await until(lambda: room.states("b1") == [State.SENT])
        again = await client.post(path)
        assert (again.status_code, again.json()["letter_state"]) == (409, "sent")


@pytest.mark.parametrize("letter_id", ["let_1_0", "%00", "%ED%A0%80", "a" * 300, "%1b[2J"])
async def test_an_unknown_id_is_a_404(letter_id: str) -> None:
    async with open_mailroom(tasks=False) as room, visiting(room) as client:
        assert (await client.get(f"/admin/letters/{letter_id}")).status_code == 404
        assert (await client.post(f"/admin/letters/{letter_id}/retry")).status_code == 404


async def test_during_an_outage_a_manager_has_an_answer_within_five_seconds() -> None:
    async with open_mailroom() as room, visiting(room) as client:
        await room.happen("b1", "request")
        await until(lambda: room.rows(State.SENT))
        path = f"/admin/letters/{room.rows()[0].letter_id}"
        room.store.link.gone = True
        for method, where in (("GET", "/admin/letters"), ("GET", path), ("POST", f"{path}/retry")):
            began = trio.current_time()
            response = await client.request(method, where)
            assert (response.status_code, response.json()["reason"]) == (503, "ledger")
            assert trio.current_time() - began <= 5
        room.store.link.gone = False


def test_an_empty_page_is_shown_as_one() -> None:
    assert letters_out(Page([], {}, goes_on=False)) == []
