"""What can be asked of the Jukebox.

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
    """Take an order's wish back."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ListSongs(Message["Jukebox", tuple[Wished, ...]]):
    """List what is wished for, the next song first."""


@dataclass(frozen=True, slots=True)
class NextSong(Message["Jukebox", Wished | None]):
    """Take the next song off the list; None where there is none within `hold` seconds."""

    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerPlayers(Message["Jukebox", int]):
    """Answer all players that wait, as the shop closes; answered with how many those were."""
