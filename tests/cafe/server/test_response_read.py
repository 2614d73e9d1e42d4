"""Answers as h11 reads them: whatever messages ASGI allows, the client is told what they say."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from cafe.server.request import Head
from cafe.server.response import Answer
from tests.cafe.server.test_response import (
    DEFAULTS,
    GET,
    HEAD,
    OLD,
    Headers,
    length,
    part,
    read,
    start,
)
from tests.chance import examples


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Head, int, Headers, list[bytes]]:
    names = st.text("abcXYZ-_09", min_size=1, max_size=8).map(str.encode).filter(_is_free)
    values = st.text('aZ09 ,;="\t\xe9', max_size=9).map(lambda text: text.encode("latin-1"))
    body = draw(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
    headers = draw(st.lists(st.tuples(names, values), max_size=4))
    if draw(st.booleans()):
        headers.append(length(sum(map(len, body))))
    status = draw(st.sampled_from([200, 201, 204, 206, 302, 304, 404, 429, 499, 500, 503, 999]))
    return draw(st.sampled_from([GET, HEAD, OLD])), status, headers, body


def _is_free(name: bytes) -> bool:
    return name.lower() not in {b"date", b"server"}


@settings(derandomize=True, max_examples=examples(500), deadline=None)
@given(conversations())
def test_what_an_application_says_is_what_h11_reads(
    said: tuple[Head, int, Headers, list[bytes]],
) -> None:
    request, status, headers, body = said
    answer = Answer(request, DEFAULTS)

    def written() -> Iterator[bytes]:
        yield answer.write(start(status, headers))
        for piece in body[:-1]:
            yield answer.write(part(piece, more=True))
        yield answer.write(part(body[-1]))

    head, received = read(request, b"".join(written()), closed=answer.closes)
    assert head.status_code == status
    assert received == (b"" if request is HEAD or status in {204, 304} else b"".join(body))
    kept = [item for item in headers if status != 204 or item[0] != b"content-length"]
    own = {b"transfer-encoding", b"connection", *DEFAULTS}
    assert [item for item in head.headers if item[0] not in own] == [
        (name.lower(), value.strip(b" \t")) for name, value in kept
    ]
    assert (b"connection", b"close") in head.headers or not answer.closes
