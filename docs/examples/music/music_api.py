"""Music over HTTP: customers wish, a player takes what is next.

Rule: turns HTTP into one `ask` of the Jukebox, and its answer into HTTP.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from actors import Ref
from cafe.http.app import problems
from cafe.http.disconnect import unless_disconnected
from cafe.http.reply import answer
from cafe.http.worker_guards import BARISTAS_ONLY
from docs.examples.music.jukebox import Jukebox, ListSongs, NextSong, Wish, Withdraw
from docs.examples.music.schemas import SongOut, SongsOut, WishIn, song_out

Wait = Annotated[
    float, Query(ge=0, le=60, description="Seconds to hold the request until there is a song.")
]
SILENCE: dict[int | str, dict[str, Any]] = {204: {"description": "Nothing is wished for."}}


def wish_routes(jukebox: Ref[Jukebox]) -> APIRouter:
    """Give the routes for customers."""
    router = APIRouter(tags=["music"], responses=problems(429))

    @router.post(
        "/songs/", response_model=SongOut, responses=problems(400, 404, 408, 409, 413, 503)
    )
    async def wish(wanted: WishIn) -> Response:
        """Wish for a song; one wish for each order."""
        return answer(song_out(await jukebox.ask(Wish(wanted.order_id, wanted.song))))

    @router.get("/songs/", response_model=SongsOut)
    async def songs() -> Response:
        """List what is wished for, the next one first."""
        wished = await jukebox.ask(ListSongs())
        return answer(SongsOut(songs=[song_out(one) for one in wished]))

    @router.delete("/songs/{order_id}", status_code=204, responses=problems(404))
    async def withdraw(order_id: str) -> Response:
        """Take an order's wish back."""
        await jukebox.ask(Withdraw(order_id))
        return Response(status_code=204)

    return router


def player_routes(jukebox: Ref[Jukebox]) -> APIRouter:
    """Give the route for a player."""
    router = APIRouter(tags=["music"], responses=BARISTAS_ONLY)

    @router.post("/songs/next/", response_model=SongOut, responses=SILENCE)
    async def next_song(request: Request, wait: Wait = 0.0) -> Response:
        """Take the next song off the list, to play it."""
        song = await unless_disconnected(request, lambda: jukebox.ask(NextSong(wait)))
        return Response(status_code=204) if song is None else answer(song_out(song))

    return router
