"""The Jukebox under many schedules, with a Probe in the Dispatcher's place."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from actors import ActorCrashed, Ref, open_system
from actors.testing import Probe, settle
from cafe.http.refusals import Closing
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import FindOrder, Standing
from cafe.orders.order import Order
from cafe.orders.refusals import UnknownOrder
from docs.examples.music.jukebox import MOST_SECONDS, Jukebox
from docs.examples.music.messages import AnswerPlayers, ListSongs, NextSong, Wish, Withdraw
from docs.examples.music.playlist import Wished
from docs.examples.music.refusals import ListFull, NoWish, OneWishEach, OrdersAway

FOUND = Standing(Order("o1", 1, "americano", "Ada", "192.0.2.1", 0.0), 1, None, 0.0)
SO_WHAT, NAIMA = Wished("So What", 1), Wished("Naima", 1)

pytestmark = pytest.mark.schedules(20)


@asynccontextmanager
async def open_jukebox(
    *answers: Standing | Exception, most_wishes: int = 200, closing: Closing | None = None
) -> AsyncGenerator[Ref[Jukebox]]:
    """Start a Jukebox whose Dispatcher gives these answers, each once."""
    dispatcher = Probe(Dispatcher)
    dispatcher.answer(FindOrder, *answers)
    async with open_system() as system:
        yield await system.start(partial(Jukebox, dispatcher, closing or Closing(), most_wishes))
    assert dispatcher.unasked == ()


async def test_a_wish_stands_on_the_list_until_it_is_withdrawn() -> None:
    async with open_jukebox(FOUND) as jukebox:
        assert await jukebox.ask(Wish("o1", "So What")) == SO_WHAT
        assert await jukebox.ask(ListSongs()) == (SO_WHAT,)
        await jukebox.ask(Withdraw("o1"))
        assert await jukebox.ask(ListSongs()) == ()
        with pytest.raises(NoWish):
            await jukebox.ask(Withdraw("o1"))


async def test_an_order_has_one_wish() -> None:
    async with open_jukebox(FOUND, FOUND) as jukebox:
        await jukebox.ask(Wish("o1", "So What"))
        with pytest.raises(OneWishEach) as refused:
            await jukebox.ask(Wish("o1", "Naima"))
        assert refused.value.song == "So What"
        assert await jukebox.ask(ListSongs()) == (SO_WHAT,)


async def test_a_list_that_is_full_takes_no_wish() -> None:
    async with open_jukebox(FOUND, FOUND, most_wishes=1) as jukebox:
        await jukebox.ask(Wish("o1", "So What"))
        with pytest.raises(ListFull):
            await jukebox.ask(Wish("o2", "Naima"))


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [(UnknownOrder(), UnknownOrder), (ActorCrashed("Dispatcher"), OrdersAway)],
)
async def test_what_the_dispatcher_refuses_or_fails_is_no_crash_of_the_jukebox(
    answer: Exception, refusal: type[Exception]
) -> None:
    async with open_jukebox(answer) as jukebox:
        with pytest.raises(refusal):
            await jukebox.ask(Wish("o1", "So What"))
        assert jukebox.statistics().crashed == 0


async def test_a_dispatcher_that_does_not_answer_is_not_waited_for_long() -> None:
    async with open_system() as system:
        jukebox = await system.start(partial(Jukebox, Probe(Dispatcher), Closing()))
        with pytest.raises(OrdersAway):
            await jukebox.ask(Wish("o1", "So What"))
        assert trio.current_time() == MOST_SECONDS


async def test_a_player_waits_for_a_song() -> None:
    played: list[Wished | None] = []

    async def play(jukebox: Ref[Jukebox]) -> None:
        played.append(await jukebox.ask(NextSong(hold=60)))

    async with open_jukebox(FOUND, FOUND) as jukebox, trio.open_nursery() as nursery:
        nursery.start_soon(play, jukebox)
        await settle()
        assert played == []
        await jukebox.ask(Wish("o1", "So What"))
        await settle()
        assert played == [SO_WHAT]
        await jukebox.ask(Wish("o1", "Naima"))
    assert played == [SO_WHAT]


async def test_a_player_is_answered_when_its_time_is_over() -> None:
    async with open_jukebox() as jukebox:
        assert await jukebox.ask(NextSong(hold=60)) is None
        assert trio.current_time() == 60


async def test_the_first_player_to_ask_is_the_first_to_get_a_song() -> None:
    played: dict[str, Wished | None] = {}

    async def play(player: str, jukebox: Ref[Jukebox]) -> None:
        played[player] = await jukebox.ask(NextSong(hold=60))

    async with open_jukebox(FOUND) as jukebox, trio.open_nursery() as nursery:
        for player in ("bar", "terrace"):
            nursery.start_soon(play, player, jukebox)
            await settle()
        await jukebox.ask(Wish("o1", "So What"))
    assert played == {"bar": SO_WHAT, "terrace": None}


async def test_a_song_is_not_given_to_a_player_that_has_gone() -> None:
    async with open_jukebox(FOUND) as jukebox:
        with trio.move_on_after(10):
            await jukebox.ask(NextSong(hold=60))
        await jukebox.ask(Wish("o1", "So What"))
        assert await jukebox.ask(NextSong()) == SO_WHAT


async def test_when_the_shop_closes_players_are_answered_and_none_waits_any_longer() -> None:
    closing, played = Closing(), list[Wished | None]()

    async def play(jukebox: Ref[Jukebox]) -> None:
        played.append(await jukebox.ask(NextSong(hold=60)))

    async with open_jukebox(closing=closing) as jukebox, trio.open_nursery() as nursery:
        nursery.start_soon(play, jukebox)
        nursery.start_soon(play, jukebox)
        await settle()
        closing.begin(retry_after=1.0)
        assert await jukebox.ask(AnswerPlayers()) == 2
        await play(jukebox)
        assert played == [None, None, None]
        assert trio.current_time() == 0
