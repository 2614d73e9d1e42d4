"""The Jukebox: the actor that owns the playlist, and the replies to players that wait for a song.

Rule: a song goes to one player, and only to one that still waits for it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from actors import Actor, ActorCrashed, Ref, Reply, Timer
from cafe.http.refusals import Closing
from cafe.orders.messages import FindOrder
from docs.examples.music.messages import AnswerPlayers, ListSongs, NextSong, Wish, Withdraw
from docs.examples.music.playlist import HasWishedError, Playlist, Wished
from docs.examples.music.refusals import ListFull, NoWish, OneWishEach, OrdersAway

if TYPE_CHECKING:
    from cafe.orders.messages import Dispatcher

MOST_WISHES = 200
"""Bounds the memory of the list, which then takes hours to play."""
MOST_SECONDS = 5.0
"""How long a wish, and all messages behind it, may wait for the Dispatcher."""


class Jukebox(Actor):
    """Owns the playlist. A restart empties it: the wishes are few, and soon made again."""

    def __init__(
        self, dispatcher: Ref[Dispatcher], closing: Closing, most_wishes: int = MOST_WISHES
    ) -> None:
        self._dispatcher = dispatcher
        self._closing = closing
        self._most_wishes = most_wishes
        self._playlist = Playlist()
        # In the order in which they asked, each with the timer that ends its wait.
        self._players: dict[Reply[Wished | None], Timer] = {}

    @Wish.handler
    async def wish(self, message: Wish) -> Wished:
        """Record a wish if the Dispatcher knows the order; if not, pass on its refusal."""
        try:
            with trio.fail_after(MOST_SECONDS):
                await self._dispatcher.ask(FindOrder(message.order_id))
        except (ActorCrashed, trio.TooSlowError):
            raise OrdersAway from None
        if len(self._playlist) >= self._most_wishes:
            raise ListFull
        try:
            wished = self._playlist.add(message.order_id, message.song)
        except HasWishedError as error:
            raise OneWishEach(error.song) from None
        self._hand_out()
        return wished

    @Withdraw.handler
    def withdraw(self, message: Withdraw) -> None:
        """Remove a wish from the list."""
        if not self._playlist.withdraw(message.order_id):
            raise NoWish

    @ListSongs.handler
    def list_songs(self, _message: ListSongs) -> tuple[Wished, ...]:
        """List the songs that are wished for."""
        return self._playlist.songs()

    @NextSong.deferred
    def next_song(self, message: NextSong, reply: Reply[Wished | None]) -> None:
        """Keep a player's reply until there is a song; the first to ask is the first to get one."""
        hold = message.hold if self._closing.refusal is None else 0.0
        self._players[reply] = self.after(hold, partial(self._send_nothing, reply))
        reply.on_abandoned(partial(self._forget, reply))
        self._hand_out()

    @AnswerPlayers.handler
    def answer_players(self, _message: AnswerPlayers) -> int:
        """Send None to all players that wait."""
        waiting = list(self._players)
        for reply in waiting:
            self._send_nothing(reply)
        return len(waiting)

    def _hand_out(self) -> None:
        """Send songs to players, as long as there are both."""
        while self._players and (song := self._playlist.take_next()):
            reply = next(iter(self._players))
            self._forget(reply)
            # Always True: a reply is forgotten as soon as it is abandoned.
            reply.send(song)

    def _send_nothing(self, reply: Reply[Wished | None]) -> None:
        self._forget(reply)
        reply.send(None)

    def _forget(self, reply: Reply[Wished | None]) -> None:
        self._players.pop(reply).cancel()
