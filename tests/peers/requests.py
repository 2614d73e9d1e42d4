"""Requests made by chance: composed of valid and odd parts, and mutations of the corpus.

Rule: a request is bounded in size and given by its bytes alone, so a failing example can be sent
again as it is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st

from tests.peers.corpus import CHUNKS, LINES, ODD, TARGETS, VALID, Case, ask

MOST_BYTES = 600
"""Longer seeds would be mutated mostly in their bodies, which change nothing."""

METHODS = (*(b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS") * 4, b"HEAD", b"BREW", b"get")
VERSIONS = (*(b"1.1",) * 12, b"1.0", b"1.0", b"0.9", b"2.0")
HOSTS = (
    *(b"Host: cafe\r\n",) * 12,
    *(b"", b"Host: a\r\nHost: b\r\n", b"host:cafe:80\r\n", b"Host: [::1]\r\n", b"Host: a/b\r\n"),
)
PATHS = (*(target for target in TARGETS if len(target) < 100), b"/stream", b"/unread", b"/204")
FRAMINGS = (
    ((), b""),
    ((b"Content-Length: 5",), b"latte"),
    ((b"Content-Length: 0",), b""),
    ((b"Transfer-Encoding: chunked",), CHUNKS),
    ((b"transfer-encoding:chunked",), b"5;x\r\nlatte\r\n0\r\nX-Sum: 1\r\n\r\n"),
    ((b"Expect: 100-continue", b"Content-Length: 5"), b"latte"),
    ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), CHUNKS),
    ((b"Content-Length: 5", b"Content-Length: 6"), b"latte"),
    ((b"Content-Length: +5",), b"latte"),
    ((b"Transfer-Encoding: gzip, chunked",), CHUNKS),
    ((b"Transfer-Encoding: chunked",), b"5 \r\nlatte\r\n0\r\n\r\n"),
)
SPLINTERS = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"\0", b"\x01", b"\x7f", b"\x80", b"\xff"),
    *(
        b":",
        b",",
        b";",
        b"=",
        b'"',
        b"%",
        b"#",
        b"?",
        b"/",
        b"*",
        b"+",
        b"-",
        b"_",
        b"0",
        b"9",
        b"f",
    ),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(b"Host: other\r\n", b"Expect: 100-continue\r\n", b"X-A: b\r\n", b" HTTP/1.0", b"chunked"),
)


@st.composite
def cut(draw: st.DrawFn, raw: bytes) -> tuple[bytes, ...]:
    """Return up to four pieces of `raw`, none of them empty."""
    places = draw(st.lists(st.integers(1, max(1, len(raw) - 1)), max_size=3, unique=True))
    edges = [0, *sorted(place for place in places if place < len(raw)), len(raw)]
    return tuple(raw[start:end] for start, end in pairwise(edges))


@st.composite
def composed(draw: st.DrawFn) -> Case:
    """Return one to three requests, sent at once or in pieces."""
    raw, methods = b"", list[str]()
    for _ in range(draw(st.integers(1, 3))):
        method = draw(st.sampled_from(METHODS))
        lines, body = draw(st.sampled_from(FRAMINGS))
        more = draw(st.lists(st.sampled_from(sorted(LINES)), max_size=2, unique=True))
        fields = (*lines, *(line for name in more for line in LINES[name]))
        raw += ask(
            draw(st.sampled_from(PATHS)),
            *draw(st.permutations(fields)) if len(fields) < 10 else fields,
            method=method,
            body=body,
            version=draw(st.sampled_from(VERSIONS)),
            host=draw(st.sampled_from(HOSTS)),
        )
        methods.append("HEAD" if method == b"HEAD" else "GET")
    return Case(draw(cut(raw)), tuple(methods))


def seeds() -> Sequence[bytes]:
    """Return the corpus without HEAD, whose responses can only be read by their methods."""
    joined = {b"".join(case.pieces) for case in (*VALID.values(), *ODD.values())}
    return sorted(raw for raw in joined if 0 < len(raw) <= MOST_BYTES and b"HEAD" not in raw)


@st.composite
def mutated(draw: st.DrawFn) -> Case:
    """Return a case of the corpus, mutated one to three times."""
    raw = draw(st.sampled_from(seeds()))
    for _ in range(draw(st.integers(1, 3))):
        raw = draw(mutation(raw))
    return Case(draw(cut(raw)))


@st.composite
def mutation(draw: st.DrawFn, raw: bytes) -> bytes:
    """Return `raw` with a bit flipped, or some bytes deleted, doubled, inserted or replaced."""
    start = draw(st.integers(0, max(0, len(raw) - 1)))
    end = min(len(raw), start + draw(st.integers(1, 12)))
    kind = draw(st.sampled_from(("flip", "delete", "double", "insert", "insert", "replace")))
    if kind == "flip" and raw:
        return raw[:start] + bytes([raw[start] ^ 1 << draw(st.integers(0, 7))]) + raw[start + 1 :]
    if kind == "delete":
        return raw[:start] + raw[end:]
    if kind == "double":
        return raw[:end] + raw[start:]
    splinter = draw(st.sampled_from(SPLINTERS))
    return raw[:start] + splinter + raw[start + (kind == "replace") :]
