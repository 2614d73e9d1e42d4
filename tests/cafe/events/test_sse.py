"""Server-sent events: what is written is read back, and no text of a client ends a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.events.sse import ALIVE, RETRY, alive_at, last_position, message, to_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=TEXTS, position=st.integers(0, 10**15))
def test_whatever_a_text_holds_a_message_is_three_lines(text: str, position: int) -> None:
    written = message("board", position, to_json({"name": text}))
    first, second, third, *rest = written.split(b"\n")
    assert (first, second) == (b"event: board", b"id: %d" % position)
    assert third.startswith(b'data: {"name":')
    assert rest == [b"", b""]
    assert b"\r" not in written


def test_comments_show_nothing_and_may_tell_a_position() -> None:
    assert ALIVE == b": alive\n\n"
    assert alive_at(17) == b": alive\nid: 17\n\n"
    assert RETRY == b"retry: 1000\n\n"


@pytest.mark.parametrize("value", [b"0", b"4711", b"9" * 16])
def test_a_position_is_read(value: bytes) -> None:
    assert last_position([(b"host", b"cafe"), (b"last-event-id", value)]) == int(value)


@pytest.mark.parametrize(
    "values",
    [
        (),
        (b"",),
        (b"-1",),
        (b"+1",),
        (b" 1",),
        (b"1_0",),
        (b"01",),
        (b"1.0",),
        (b"9" * 17,),
        (b"\xd9\xa1",),
        (b"1\n",),
        (b"1", b"1"),
    ],
)
def test_whatever_else_is_sent_names_none(values: tuple[bytes, ...]) -> None:
    assert last_position([(b"last-event-id", value) for value in values]) is None
