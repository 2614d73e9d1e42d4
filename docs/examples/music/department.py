"""Music as the shop uses it: how to start it, and what it offers when it is open.

Rule: values only. The shop starts the Jukebox and serves the routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from actors import ActorCrashed, Ref
from cafe.offer import Front, House, Offer
from docs.examples.music.customer_api import customer_routes
from docs.examples.music.jukebox import Jukebox
from docs.examples.music.messages import AnswerPlayers, ListSongs
from docs.examples.music.staff_api import player_routes

if TYPE_CHECKING:
    from cafe.orders.messages import Dispatcher


async def open_music(house: House, *, dispatcher: Ref[Dispatcher]) -> Offer:
    """Start the Jukebox, and return what music offers."""
    jukebox = await house.start(partial(Jukebox, dispatcher, house.closing), name="Jukebox")
    return replace(
        music_offer(jukebox),
        answers=partial(jukebox.ask, ListSongs()),
        close=partial(answer_players, jukebox),
        refs=(jukebox,),
    )


def music_offer(jukebox: Ref[Jukebox]) -> Offer:
    """Return the routes, which ask this Jukebox."""
    return Offer(
        name="music",
        customer_routes=(customer_routes(jukebox),),
        staff_routes=(player_routes(jukebox),),
    )


async def answer_players(jukebox: Ref[Jukebox]) -> Mapping[str, int]:
    """Answer all players that wait, because the shop closes; return their number."""
    with suppress(ActorCrashed):  # which answers them, too
        return {"players": await jukebox.ask(AnswerPlayers())}
    return {}


def reach_music(front: Front) -> Offer:
    """Return what music offers at a front, whose routes ask the Jukebox in the house."""
    return music_offer(front.house.ref(Jukebox))
