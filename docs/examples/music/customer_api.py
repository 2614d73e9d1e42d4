"""Music for customers, over HTTP: wish, look, withdraw.

Rule: turns HTTP into one `ask` of the Jukebox, and its answer into HTTP.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from actors import Ref
from cafe.http.app import problems
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from docs.examples.music.jukebox import Jukebox
from docs.examples.music.messages import ListSongs, Wish, Withdraw
from docs.examples.music.schemas import SongOut, SongsOut, WishIn, song_out


def customer_routes(jukebox: Ref[Jukebox]) -> APIRouter:
    """Return the routes for customers."""
    router = APIRouter(tags=["music"], responses=problems(429), route_class=PlainRoute)

    @router.post(
        "/songs/", response_model=SongOut, responses=problems(400, 404, 408, 409, 413, 503)
    )
    async def wish(wanted: WishIn) -> Response:
        """Wish for a song; one wish for each order."""
        return answer(song_out(await jukebox.ask(Wish(wanted.order_id, wanted.song))))

    @router.get("/songs/", response_model=SongsOut)
    async def songs() -> Response:
        """List the songs that are wished for, the next one first."""
        wished = await jukebox.ask(ListSongs())
        return answer(SongsOut(songs=[song_out(one) for one in wished]))

    @router.delete("/songs/{order_id}", status_code=204, responses=problems(404))
    async def withdraw(order_id: str) -> Response:
        """Withdraw an order's wish."""
        await jukebox.ask(Withdraw(order_id))
        return Response(status_code=204)

    return router
