"""The routes of music: on a Probe, on the real actors, and with a player that disconnects."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import Scope

from actors import open_system
from actors.testing import Probe, settle
from cafe.http.app import create_app
from cafe.http.authentication import Caller, Role
from cafe.offer import Offer
from docs.examples.music.customer_api import customer_routes
from docs.examples.music.department import open_music
from docs.examples.music.jukebox import Jukebox
from docs.examples.music.messages import NextSong, Wish
from docs.examples.music.playlist import Wished
from docs.examples.music.refusals import OneWishEach
from docs.examples.music.staff_api import player_routes
from tests.cafe.house import empty_house
from tests.cafe.orders.counter import Counter, open_counter
from tests.cafe.server.memory_door import open_memory_door

SO_WHAT = Wished("So What", 1)
WISH = {"order_id": "o1", "song": "So What"}


async def barista(_scope: Scope) -> Caller:
    return Caller(Role.BARISTA)


def serving(*routers: APIRouter) -> FastAPI:
    return create_app(
        routers, title="t", description="d", version="1", prefix="/api", authenticate=barista
    )


def visiting(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cafe")


async def test_a_wish_is_one_ask_and_its_answer() -> None:
    jukebox = Probe(Jukebox)
    jukebox.answer(Wish, SO_WHAT)
    async with visiting(serving(customer_routes(jukebox))) as customer:
        response = await customer.post("/songs/", json=WISH)
    assert jukebox.received == (Wish("o1", "So What"),)
    assert (response.status_code, response.json()) == (200, {"song": "So What", "wishes": 1})


async def test_a_refusal_is_a_problem() -> None:
    jukebox = Probe(Jukebox)
    jukebox.answer(Wish, OneWishEach("Naima"))
    async with visiting(serving(customer_routes(jukebox))) as customer:
        response = await customer.post("/songs/", json=WISH)
    problem: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["song"]) == (409, 409, "Naima")
    assert problem["detail"].startswith("You have a wish on the list")


@pytest.mark.parametrize("wish", [{}, {**WISH, "song": ""}, {**WISH, "volume": 11}])
async def test_a_body_that_is_no_wish_does_not_reach_the_actor(wish: dict[str, object]) -> None:
    jukebox = Probe(Jukebox)
    async with visiting(serving(customer_routes(jukebox))) as customer:
        response = await customer.post("/songs/", json=wish)
    assert response.status_code == 422
    assert jukebox.received == ()


async def test_where_nothing_is_wished_for_a_player_gets_204() -> None:
    jukebox = Probe(Jukebox)
    jukebox.answer(NextSong, None)
    async with visiting(serving(player_routes(jukebox))) as player:
        response = await player.post("/songs/next/?wait=30")
    assert jukebox.received == (NextSong(hold=30),)
    assert (response.status_code, response.content) == (204, b"")


@asynccontextmanager
async def open_both() -> AsyncGenerator[tuple[Offer, Counter]]:
    """Start a real Dispatcher, and open music as the shop does."""
    async with open_counter() as counter, open_system() as system:
        house = empty_house(system, counter.ledger, counter.closing)
        yield await open_music(house, dispatcher=counter.ref), counter


@pytest.mark.schedules(20)
async def test_an_order_that_the_dispatcher_knows_has_one_wish() -> None:
    async with (
        open_both() as (music, counter),
        visiting(serving(*music.customer_routes, *music.staff_routes)) as client,
    ):
        unknown = await client.post("/songs/", json=WISH)
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no such order.")
        order = (await counter.order(hold=0)).order
        wish = {**WISH, "order_id": order.order_id}
        assert (await client.post("/songs/", json=wish)).status_code == 200
        assert (await client.post("/songs", json=wish)).status_code == 409
        songs = {"songs": [{"song": "So What", "wishes": 1}]}
        assert (await client.get("/songs/")).json() == songs
        assert (await client.delete(f"/songs/{order.order_id}")).status_code == 204
        assert (await client.delete(f"/songs/{order.order_id}")).status_code == 404
        await client.post("/songs/", json=wish)
        assert (await client.post("/songs/next/")).json() == {"song": "So What", "wishes": 1}
        assert (await client.post("/songs/next/")).status_code == 204


TAKE = b"POST /songs/next/?wait=60 HTTP/1.1\r\nHost: cafe\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.schedules(20)
async def test_a_player_that_disconnects_takes_no_song_with_it() -> None:
    async with open_both() as (music, counter):
        app = serving(*music.customer_routes, *music.staff_routes)
        async with open_memory_door(app) as door, visiting(app) as customer:
            gone, stays = door.visit(), door.visit()
            for player in (gone, stays):
                await player.say(TAKE)
                await settle()
            await gone.leave()
            await settle()
            order = (await counter.order(hold=0)).order
            await customer.post("/songs/", json={**WISH, "order_id": order.order_id})
            assert (await stays.hear("POST")).body == b'{"song":"So What","wishes":1}'
            assert (await customer.get("/songs/")).json() == {"songs": []}


@pytest.mark.schedules(20)
async def test_when_the_shop_closes_a_player_that_waits_is_answered() -> None:
    async with (
        open_both() as (music, counter),
        open_memory_door(serving(*music.staff_routes)) as door,
    ):
        player = door.visit()
        await player.say(TAKE)
        await settle()
        await music.answers()
        counter.closing.begin(retry_after=1.0)
        assert await music.close() == {"players": 1}
        assert (await player.hear("POST")).status == 204
