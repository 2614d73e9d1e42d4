"""The playlist compared with a naive one: a list of wishes that is sorted at each use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.examples.music.playlist import HasWishedError, Playlist, Wished

ORDERS = st.sampled_from(["o1", "o2", "o3", "o4", "o5"])
SONGS = st.sampled_from(["So What", "Naima", "Blue in Green"])
# An order, and the song that it wishes for, or None if it withdraws.
STEPS = st.lists(st.tuples(ORDERS, st.none() | SONGS), max_size=30)


def sorted_naively(wishes: list[tuple[str, str]]) -> tuple[Wished, ...]:
    songs = [song for _, song in wishes]
    order = sorted(set(songs), key=lambda song: (-songs.count(song), songs.index(song)))
    return tuple(Wished(song, songs.count(song)) for song in order)


@given(STEPS)
def test_most_wishes_come_first_and_among_equals_the_earliest(
    steps: list[tuple[str, str | None]],
) -> None:
    playlist = Playlist()
    wishes: list[tuple[str, str]] = []
    for order_id, song in steps:
        has_one = order_id in dict(wishes)
        if song is None:
            assert playlist.withdraw(order_id) == has_one
            wishes = [wish for wish in wishes if wish[0] != order_id]
        elif has_one:
            with pytest.raises(HasWishedError):
                playlist.add(order_id, song)
        else:
            wishes.append((order_id, song))
            assert playlist.add(order_id, song) in sorted_naively(wishes)
        assert playlist.songs() == sorted_naively(wishes)
        assert len(playlist) == len(wishes)


@given(st.dictionaries(ORDERS, SONGS))
def test_each_song_is_played_once_and_in_the_order_of_the_list(wishes: dict[str, str]) -> None:
    playlist = Playlist()
    for order_id, song in wishes.items():
        playlist.add(order_id, song)
    listed = playlist.songs()
    assert tuple(iter(playlist.take_next, None)) == listed
    assert len(playlist) == 0
