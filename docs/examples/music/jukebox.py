"""THE Jukebox: the actor who owns the playlist, and the players who wait for a song.

Rule: a song goes to one player, and only to one who is still there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import trio

from actors import Actor, ActorCrashed, Message, Ref, Reply, Timer
from cafe.http.refusals import CafeRefusal
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import FindOrder
from docs.examples.music.playlist import HasWishedError, Playlist, Wished

MOST_WISHES = 200
"""Memory is bounded, whatever comes: here a list that takes hours to play."""
MOST_SECONDS = 5.0
"""How long a wish may wait for the Dispatcher, and all others behind it."""


@dataclass(frozen=True, slots=True)
class Wish(Message["Jukebox", Wished]):
    """Wish for a song, as whoever has an order may; answered with all the wishes for it."""

    order_id: str
    song: str


@dataclass(frozen=True, slots=True)
class Withdraw(Message["Jukebox", None]):
    """Take an order's wish back."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ListSongs(Message["Jukebox", tuple[Wished, ...]]):
    """List what is wished for, the next one first."""


@dataclass(frozen=True, slots=True)
class NextSong(Message["Jukebox", Wished | None]):
    """Take the next song off the list; None where there is none within `hold` seconds."""

    hold: float = 0.0


class OneWishEach(CafeRefusal):
    """The order has a wish on the list."""

    status = 409
    members = ("song",)

    def __init__(self, song: str) -> None:
        super().__init__("You have a wish on the list; wait until it is played, or withdraw it.")
        self.song = song


class NoWish(CafeRefusal):
    """There is nothing to withdraw."""

    status = 404

    def __init__(self) -> None:
        super().__init__("You have no wish on the list.")


class ListFull(CafeRefusal):
    """As many wishes wait as the list takes."""

    status = 503
    retry_after = 180.0

    def __init__(self) -> None:
        super().__init__("The list is full; wish again after a song or two.")


class CounterAway(CafeRefusal):
    """Nobody can say whether the order exists."""

    status = 503
    retry_after = 1.0

    def __init__(self) -> None:
        super().__init__("The counter does not answer; wish again in a moment.")


class Jukebox(Actor):
    """Owns the playlist. A restart forgets it: the wishes are few, and soon made again."""

    def __init__(self, dispatcher: Ref[Dispatcher], most_wishes: int = MOST_WISHES) -> None:
        self._dispatcher = dispatcher
        self._most_wishes = most_wishes
        self._playlist = Playlist()
        # In the order in which they came, each with the timer that ends its wait.
        self._players: dict[Reply[Wished | None], Timer] = {}

    @Wish.handler
    async def wish(self, message: Wish) -> Wished:
        """Note a wish, if the Dispatcher knows the order; if not, its refusal goes on as ours."""
        try:
            with trio.fail_after(MOST_SECONDS):
                await self._dispatcher.ask(FindOrder(message.order_id))
        except (ActorCrashed, trio.TooSlowError):
            raise CounterAway from None
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
        """Take a wish off the list."""
        if not self._playlist.withdraw(message.order_id):
            raise NoWish

    @ListSongs.handler
    def list_songs(self, _message: ListSongs) -> tuple[Wished, ...]:
        """List what is wished for."""
        return self._playlist.songs()

    @NextSong.deferred
    def next_song(self, message: NextSong, reply: Reply[Wished | None]) -> None:
        """Let a player wait for a song; those who came first get theirs first."""
        self._players[reply] = self.after(message.hold, partial(self._send_away, reply))
        reply.on_abandoned(partial(self._forget, reply))
        self._hand_out()

    def _hand_out(self) -> None:
        """Give songs to players, as long as there are both."""
        while self._players and (song := self._playlist.take_next()):
            reply = next(iter(self._players))
            self._forget(reply)
            # True, always: whoever has gone was forgotten at that moment.
            reply.send(song)

    def _send_away(self, reply: Reply[Wished | None]) -> None:
        self._forget(reply)
        reply.send(None)

    def _forget(self, reply: Reply[Wished | None]) -> None:
        self._players.pop(reply).cancel()
