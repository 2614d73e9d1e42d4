"""Music for players, over HTTP: take the next song, or wait until there is one.

Rule: turns HTTP into one `ask` of the Jukebox, and its answer into HTTP.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from actors import Ref
from cafe.http.authentication import STAFF_ONLY
from cafe.http.disconnect import unless_disconnected
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.worker_guards import BARISTAS_ONLY
from docs.examples.music.jukebox import Jukebox
from docs.examples.music.messages import NextSong
from docs.examples.music.schemas import SongOut, song_out

Wait = Annotated[
    float, Query(ge=0, le=60, description="Seconds to hold the request until there is a song.")
]
SILENCE: dict[int | str, dict[str, Any]] = {204: {"description": "Nothing is wished for."}}


def player_routes(jukebox: Ref[Jukebox]) -> APIRouter:
    """Return the route for players."""
    router = APIRouter(
        tags=["music"],
        responses=BARISTAS_ONLY,
        route_class=PlainRoute,
        dependencies=STAFF_ONLY,
    )

    @router.post("/songs/next/", response_model=SongOut, responses=SILENCE)
    async def next_song(request: Request, wait: Wait = 0.0) -> Response:
        """Take the next song off the list, to play it."""
        song = await unless_disconnected(request, lambda: jukebox.ask(NextSong(wait)))
        return Response(status_code=204) if song is None else answer(song_out(song))

    return router
