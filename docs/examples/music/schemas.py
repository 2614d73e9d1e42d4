"""The JSON of songs.

Rule: pydantic is used here only, at the edge.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from cafe.http.app import example
from cafe.http.schema import Schema, Text, schema_example
from docs.examples.music.playlist import Wished

SONG = {"song": "So What", "wishes": 3}


class WishIn(Schema):
    """A customer's wish."""

    model_config = schema_example({"order_id": "bPqX_tOKH9QLV1k8w3-RtZ0m", "song": "So What"})

    order_id: Annotated[Text, Field(min_length=1, max_length=64)]
    song: Annotated[Text, Field(min_length=1, max_length=80)]


class SongOut(BaseModel):
    """A song, and how many wishes there are for it."""

    model_config = example(SONG)

    song: str
    wishes: int


class SongsOut(BaseModel):
    """The songs that are wished for, the next one first."""

    model_config = example({"songs": [SONG]})

    songs: list[SongOut]


def song_out(wished: Wished) -> SongOut:
    """Return a song as JSON shows it."""
    return SongOut(song=wished.song, wishes=wished.wishes)
