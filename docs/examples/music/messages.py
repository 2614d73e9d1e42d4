"""The messages of the Jukebox.

Rule: frozen values only, each of which names its owner and its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Message
from docs.examples.music.playlist import Wished

if TYPE_CHECKING:
    from docs.examples.music.jukebox import Jukebox  # noqa: F401 - the owner of the messages


@dataclass(frozen=True, slots=True)
class Wish(Message["Jukebox", Wished]):
    """Wish for a song, for an order; answered with the song and the wishes for it."""

    order_id: str
    song: str


@dataclass(frozen=True, slots=True)
class Withdraw(Message["Jukebox", None]):
    """Withdraw an order's wish."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ListSongs(Message["Jukebox", tuple[Wished, ...]]):
    """List the songs that are wished for, the next one first."""


@dataclass(frozen=True, slots=True)
class NextSong(Message["Jukebox", Wished | None]):
    """Take the next song off the list; answered with None if there is none in `hold` seconds."""

    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerPlayers(Message["Jukebox", int]):
    """Answer all players that wait, because the shop closes; answered with their number."""
