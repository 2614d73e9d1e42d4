"""The routes of music: with a Probe, with the real actors, and with a player who hangs up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from actors import Ref, open_system
from actors.testing import Probe, settle
from cafe.http.app import create_app
from docs.examples.music.jukebox import Jukebox, ListSongs, NextSong, OneWishEach, Wish
from docs.examples.music.music_api import player_routes, wish_routes
from docs.examples.music.playlist import Wished
from tests.cafe.orders.counter import Counter, open_counter
from tests.cafe.server.memory_door import open_memory_door

SO_WHAT = Wished("So What", 1)
WISH = {"order_id": "o1", "song": "So What"}


def serving(*routers: APIRouter) -> FastAPI:
    return create_app(routers, title="t", description="d", version="1", prefix="/api")


def visiting(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cafe")


async def test_a_wish_is_one_ask_and_its_answer() -> None:
    jukebox = Probe(Jukebox)
    jukebox.answer(Wish, SO_WHAT)
    async with visiting(serving(wish_routes(jukebox))) as customer:
        response = await customer.post("/songs/", json=WISH)
    assert jukebox.received == (Wish("o1", "So What"),)
    assert (response.status_code, response.json()) == (200, {"song": "So What", "wishes": 1})


async def test_a_refusal_is_a_problem() -> None:
    jukebox = Probe(Jukebox)
    jukebox.answer(Wish, OneWishEach("Naima"))
    async with visiting(serving(wish_routes(jukebox))) as customer:
        response = await customer.post("/songs/", json=WISH)
    problem: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["song"]) == (409, 409, "Naima")
    assert problem["detail"].startswith("You have a wish on the list")


@pytest.mark.parametrize("wish", [{}, {**WISH, "song": ""}, {**WISH, "volume": 11}])
async def test_a_wish_that_is_none_does_not_reach_the_actor(wish: dict[str, object]) -> None:
    jukebox = Probe(Jukebox)
    async with visiting(serving(wish_routes(jukebox))) as customer:
        response = await customer.post("/songs/", json=wish)
    assert response.status_code == 422
    assert jukebox.received == ()


async def test_a_player_who_gets_nothing_is_told_so() -> None:
    jukebox = Probe(Jukebox)
    jukebox.answer(NextSong, None)
    async with visiting(serving(player_routes(jukebox))) as player:
        response = await player.post("/songs/next/?wait=30")
    assert jukebox.received == (NextSong(hold=30),)
    assert (response.status_code, response.content) == (204, b"")


@asynccontextmanager
async def open_music() -> AsyncGenerator[tuple[Ref[Jukebox], Counter]]:
    """Start a real Dispatcher and a real Jukebox."""
    async with open_counter() as counter, open_system() as system:
        yield await system.start(partial(Jukebox, counter.ref)), counter


@pytest.mark.schedules(20)
async def test_whoever_has_an_order_has_one_wish() -> None:
    async with (
        open_music() as (jukebox, counter),
        visiting(serving(wish_routes(jukebox), player_routes(jukebox))) as client,
    ):
        nobodys = await client.post("/songs/", json=WISH)
        assert (nobodys.status_code, nobodys.json()["detail"]) == (404, "There is no such order.")
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
async def test_a_player_who_hangs_up_takes_no_song_along() -> None:
    async with (
        open_music() as (jukebox, counter),
        open_memory_door(serving(player_routes(jukebox))) as door,
    ):
        gone, stays = door.visit(), door.visit()
        for player in (gone, stays):
            await player.say(TAKE)
            await settle()
        await gone.leave()
        await settle()
        order = (await counter.order(hold=0)).order
        await jukebox.ask(Wish(order.order_id, "So What"))
        assert (await stays.hear("POST")).body == b'{"song":"So What","wishes":1}'
        assert await jukebox.ask(ListSongs()) == ()
