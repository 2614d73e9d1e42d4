"""Bodies of requests: the same however they are cut, and never a byte of what follows."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cafe.server.request import FRAMING_FACTOR, FRAMING_ROOM, BadRequest, Body, ChunkedBody, body_of
from tests.chance import examples

NEXT = b"GET / HTTP/1.1\r\nHost: cafe\r\n\r\n"
SEEDED = settings(derandomize=True, max_examples=examples(300), deadline=None)
CUTS = st.lists(st.integers(0, 400), max_size=8)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[begin:end] for begin, end in pairwise(ends)]


def take_all(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Return the body that is in these pieces, and what comes after it."""
    taken = rest = b""
    for piece in pieces:
        if body.complete:
            rest += piece
        else:
            more, rest = body.take(piece)
            taken += more
            assert not rest or body.complete
    return taken, rest


def in_chunks(chunks: list[bytes], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    lines = [b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks if chunk]
    return b"".join(lines) + b"0\r\n" + trailers + b"\r\n"


@SEEDED
@given(st.binary(max_size=300), st.binary(max_size=50), CUTS)
def test_a_sized_body_is_as_long_as_it_says(data: bytes, after: bytes, places: list[int]) -> None:
    body = body_of(len(data))
    assert body.complete is not bool(data)
    assert take_all(body, cut(data + after, places)) == (data, after)
    assert body.complete


@SEEDED
@given(
    st.lists(st.binary(max_size=60) | st.just(b"\r\n0\r\n\r\n\n\n"), max_size=6),
    st.sampled_from([b"", b";a", b";a=b", b';a="b c"', b";a;b=c"]),
    st.sampled_from(
        [b"", b"X: y\r\n", b"X:\r\nY: z\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n"]
    ),
    st.sampled_from([b"", NEXT, b"\r\n", b"0\r\n\r\n", b"\xff"]),
    CUTS,
)
def test_a_chunked_body_is_the_same_however_it_is_cut(
    chunks: list[bytes], extension: bytes, trailers: bytes, after: bytes, places: list[int]
) -> None:
    body = ChunkedBody()
    raw = in_chunks(chunks, extension, trailers)
    assert take_all(body, cut(raw + after, places)) == (b"".join(chunks), after)
    assert body.complete


def test_a_chunked_body_may_come_byte_by_byte() -> None:
    raw = in_chunks([b"milk", b"\n" * 20], b";a=b", b"X: y\r\n")
    body = ChunkedBody()
    taken, rest = take_all(body, [bytes([byte]) for byte in raw])
    assert (taken, rest, body.complete) == (b"milk" + b"\n" * 20, b"", True)


REFUSED = {
    "no number": b"zz\r\n",
    "no size": b"\r\n",
    "a negative size": b"-5\r\n",
    "a size with a sign": b"+5\r\n",
    "a size with a prefix": b"0x5\r\n",
    "a space before the size": b" 5\r\n",
    "a space after the size": b"5 \r\nlatte\r\n",
    "an underscore": b"1_0\r\n",
    "a size beyond 64 bits": b"10000000000000000\r\n",
    "a bare LF after the size": b"5\nlatte\r\n",
    "a CR too many after the size": b"5\r\r\nlatte\r\n",
    "a bare LF after the chunk": b"5\r\nlatte\n0\r\n\r\n",
    "a chunk longer than its size": b"4\r\nlatte\r\n0\r\n\r\n",
    "a chunk shorter than its size": b"6\r\nlatte\r\n0\r\n\r\n",
    "no end of the chunk": b"5\r\nlatte0\r\n\r\n",
    "a bare LF at the end": b"0\r\n\n",
    "a bare LF after the last size": b"0\n\r\n",
    "a control character in an extension": b"5;\x00\r\nlatte\r\n",
    "a bare LF in an extension": b'5;a="b\nc"\r\nlatte\r\n',
    "an extension without a name": b"5;\r\nlatte\r\n",
    "a bare LF in a trailer": b"0\r\nX: y\nZ: z\r\n\r\n",
    "a folded trailer": b"0\r\nX: y\r\n z\r\n\r\n",
    "a NUL in a trailer": b"0\r\nX: \x00\r\n\r\n",
    "a trailer without a colon": b"0\r\nX\r\n\r\n",
    "a length in the trailers": b"0\r\nContent-Length: 5\r\n\r\n",
    "a coding in the trailers": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_what_is_no_chunk_is_refused_in_one_piece_and_byte_by_byte(raw: bytes) -> None:
    for pieces in ([raw], [bytes([byte]) for byte in raw]):
        with pytest.raises(BadRequest) as caught:
            take_all(ChunkedBody(), pieces)
        assert caught.value.status_code == 400


def test_framing_may_take_some_room_and_some_more_for_each_byte_of_the_body() -> None:
    body = ChunkedBody()
    bytewise = b"1;%s\r\nx\r\n" % (b"e" * (FRAMING_FACTOR - 6))
    for _ in range(2 * FRAMING_ROOM):
        body.take(bytewise)
    extension = b"1;" + b"e" * FRAMING_ROOM
    assert body.take(extension[: FRAMING_ROOM - 10]) == (b"", b"")
    with pytest.raises(BadRequest):
        take_all(body, cut(extension[FRAMING_ROOM - 10 :] + b"e" * 40, [20]))


@pytest.mark.parametrize("endless", [b"1;" + b"e" * 20_000, b"0\r\n" + b"X: y\r\n" * 4_000])
def test_framing_without_a_body_is_refused_however_it_is_cut(endless: bytes) -> None:
    for places in ([], list(range(0, 20_000, 1000))):
        with pytest.raises(BadRequest):
            take_all(ChunkedBody(), cut(endless, places))


def as_h11_reads(raw: bytes) -> tuple[bytes, bool, bytes] | None:
    """Return the body in `raw`, whether it is complete, and the rest; None where it is refused."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(
        b"POST / HTTP/1.1\r\nHost: cafe\r\nTransfer-Encoding: chunked\r\n\r\n" + raw
    )
    taken = b""
    try:
        while not isinstance(event := server.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                return taken, False, b""
            taken += bytes(event.data) if isinstance(event, h11.Data) else b""
    except h11.RemoteProtocolError:
        return None
    return taken, True, server.trailing_data[0]


@settings(derandomize=True, max_examples=examples(1000), deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=12), max_size=3),
    st.lists(
        st.tuples(
            st.integers(0, 100),
            st.sampled_from(b"\r \n 0 1 a ; : \0 , X:y \r\n 0\r\n\r\n".split(b" ")) | st.just(b" "),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_mutated_body_is_refused_or_h11_reads_the_same(
    chunks: list[bytes], changes: list[tuple[int, bytes]]
) -> None:
    raw = in_chunks(chunks)
    for place, piece in changes:
        at = place % len(raw)
        raw = raw[:at] + piece + raw[at:]
    body = ChunkedBody()
    try:
        taken, rest = take_all(body, [raw])
    except BadRequest:
        return
    if not body.complete:  # h11 waits for whole lines before it complains
        return
    assert as_h11_reads(raw) == (taken, True, rest)
