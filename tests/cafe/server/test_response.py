"""Responses: h11 reads what an application sends, or it is refused before a byte is written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cafe.server.request import Head
from cafe.server.response import NEXT, ResponseError, ResponseWriter, Stage
from tests.chance import examples

GET = Head("GET", "1.1", "/", b"/", b"", [], 0, keeps_alive=True, expects_continue=False)
HEAD = GET._replace(method="HEAD")
OLD = GET._replace(version="1.0", keeps_alive=False)
DEFAULTS = {b"date": b"date: today\r\n", b"server": b"server: cafe\r\n"}
Headers = list[tuple[bytes, bytes]]


def start(status: Any = 200, headers: Any = ()) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def length(number: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % number


def write(request: Head, *messages: dict[str, Any]) -> bytes:
    response = ResponseWriter(request, DEFAULTS)
    return b"".join([response.write(message) for message in messages])


def read(request: Head, written: bytes, *, closed: bool) -> tuple[h11.Response, bytes]:
    """Return what h11 reads, to the end."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=request.method, target="/", headers=[("Host", "cafe")]))
    client.send(h11.EndOfMessage())
    client.receive_data(written)
    if closed:
        client.receive_data(b"")
    head, body = client.next_event(), b""
    assert isinstance(head, h11.Response)
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        body += event.data
    assert client.trailing_data[0] == b""
    return head, body


def test_head_and_body_are_sent_together_with_the_default_headers() -> None:
    response = ResponseWriter(GET, DEFAULTS)
    assert response.write(start(200, [length(5), (b"Server", b"mine")])) == b""
    assert not response.has_started
    assert response.write(part(b"latte")) == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nServer: mine\r\ndate: today\r\n\r\nlatte"
    )
    assert response.has_started
    assert not response.closes


def test_a_response_of_unknown_length_is_sent_in_chunks_each_at_once() -> None:
    response = ResponseWriter(GET, {})
    response.write(start())
    assert response.write(part(b"", more=True)).endswith(b"transfer-encoding: chunked\r\n\r\n")
    assert response.write(part(b"milk", more=True)) == b"4\r\nmilk\r\n"
    assert response.write(part(b"", more=True)) == b""  # would be the end
    assert response.write(part(b"x" * 17)) == b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"
    assert not response.closes


def test_a_client_of_http_1_0_reads_such_a_response_until_the_connection_closes() -> None:
    response = ResponseWriter(OLD, {})
    written = response.write(start()) + response.write(part(b"latte"))
    assert written == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nlatte"
    assert response.closes


@pytest.mark.parametrize("value", [b"close", b"Close", b"x, close"])
def test_an_application_may_close_the_connection(value: bytes) -> None:
    response = ResponseWriter(GET, {})
    written = response.write(start(headers=[length(0), (b"Connection", value)]))
    written += response.write(part(b""))
    assert written.endswith(b"connection: close\r\n\r\n")
    assert response.closes


def test_framing_and_keep_alive_are_not_up_to_the_application() -> None:
    headers = [(b"Transfer-Encoding", b"gzip"), (b"Connection", b"keep-alive"), length(1)]
    written = write(GET, start(200, headers), part(b"x"))
    assert written.count(b"\r\n") == 5
    assert b"gzip" not in written
    assert b"keep-alive" not in written


STAGES = {
    Stage.AWAITED: [],
    Stage.HEAD: [start()],
    Stage.BODY: [start(), part(b"x", more=True)],
    Stage.COMPLETE: [start(), part(b"x")],
}
MESSAGES = [start(), part(b"y"), part(b"y", more=True), {"type": "http.response.trailers"}]


@pytest.mark.parametrize(("stage", "message"), list(product(STAGES, MESSAGES)))
def test_the_table_says_what_may_follow_what(stage: Stage, message: dict[str, Any]) -> None:
    response = ResponseWriter(GET, {})
    for earlier in STAGES[stage]:
        response.write(earlier)
    assert response.stage is stage
    follows = NEXT.get((stage, message["type"], message.get("more_body", False)))
    if follows is None:
        with pytest.raises(ResponseError):
            response.write(message)
    else:
        response.write(message)
    assert response.stage is (follows or stage)


def test_a_message_may_leave_out_what_has_a_default() -> None:
    response = ResponseWriter(GET, {})
    response.write({"type": "http.response.start", "status": 200})
    response.write({"type": "http.response.body"})
    assert response.stage is Stage.COMPLETE


NOT_HTTP: dict[str, Headers] = {
    "a line break in a value": [(b"x", b"y\r\nset-cookie: a=b")],
    "a line break and a whole answer": [(b"x", b"y\r\n\r\nHTTP/1.1 200 OK\r\n")],
    "a bare LF": [(b"x", b"y\nz: a")],
    "a bare CR": [(b"x", b"y\rz: a")],
    "both the wrong way round": [(b"x", b"y\n\r")],
    "a NUL": [(b"x", b"\0")],
    "another control character": [(b"x", b"\x0b")],
    "DEL": [(b"x", b"\x7f")],
    "a line break in a name, no colon": [(b"x\r\ny", b"z")],
    "a line break in a name": [(b"x: y\r\nz", b"a")],
    "no name": [(b"", b"x")],
    "a name with a colon": [(b"content-length: 9, x", b"y")],
    "a name with a space": [(b"content-length ", b"9")],
    "a name that is folded": [(b" x", b"y")],
    "a name that is not ASCII": [(b"caf\xc3\xa9", b"x")],
    "a length that is no number": [(b"content-length", b"many")],
    "no length": [(b"content-length", b"")],
    "a length with a sign": [(b"content-length", b"+5")],
    "a negative length": [(b"content-length", b"-5")],
    "a length with an underscore": [(b"content-length", b"1_0")],
    "a length with a space": [(b"content-length", b" 5")],
    "two lengths": [length(5), length(6)],
    "one length twice": [length(5), (b"Content-Length", b"5")],
}


@pytest.mark.parametrize("request_head", [GET, HEAD, OLD], ids=["GET", "HEAD", "HTTP/1.0"])
@pytest.mark.parametrize("status", [200, 204, 304])
@pytest.mark.parametrize("headers", NOT_HTTP.values(), ids=NOT_HTTP)
def test_a_head_that_would_not_be_http_is_refused_and_a_valid_one_taken_after_it(
    request_head: Head, status: int, headers: Headers
) -> None:
    response = ResponseWriter(request_head, {})
    with pytest.raises(ResponseError):
        response.write(start(status, headers))
    assert response.stage is Stage.AWAITED
    written = response.write(start(200, [length(5)])) + response.write(part(b"latte"))
    assert written.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n")
    assert written.endswith(b"\r\n\r\n" + b"latte" * (request_head is not HEAD))


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 1000, -200, 200.5, "200", None])
def test_an_invalid_status_is_refused(status: object) -> None:
    with pytest.raises(ResponseError):
        write(GET, start(status))


def test_a_status_without_a_phrase_is_written() -> None:
    written = write(GET, start(499, [length(0)]), part(b""))
    assert written.startswith(b"HTTP/1.1 499 \r\n")
    assert read(GET, written, closed=False)[0].status_code == 499


@pytest.mark.parametrize(
    "parts",
    [[part(b"latte+")], [part(b"latt")], [part(b"lat", more=True), part(b"te+", more=True)]],
    ids=["longer", "shorter", "longer in two"],
)
def test_a_body_of_another_length_than_its_content_length_is_refused(
    parts: list[dict[str, Any]],
) -> None:
    response = ResponseWriter(GET, {})
    response.write(start(200, [length(5)]))
    for message in parts[:-1]:
        response.write(message)
    with pytest.raises(ResponseError):
        response.write(parts[-1])


@pytest.mark.parametrize(("request_head", "status"), [(HEAD, 200), (GET, 204), (GET, 304)])
@pytest.mark.parametrize("headers", [[], [length(5)]], ids=["no length", "a length"])
def test_a_response_that_may_have_no_body_is_sent_without_one(
    request_head: Head, status: int, headers: Headers
) -> None:
    written = write(request_head, start(status, headers), part(b"lat", more=True), part(b"te"))
    assert written.endswith(b"\r\n\r\n")
    head, body = read(request_head, written, closed=False)
    assert (head.status_code, body) == (status, b"")
    said = {name for name, _ in head.headers}
    assert (b"content-length" in said) is (bool(headers) and status != 204)
    assert (b"transfer-encoding" in said) is (not headers and request_head is HEAD)


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
def test_h11_reads_what_an_application_sends(
    said: tuple[Head, int, Headers, list[bytes]],
) -> None:
    request, status, headers, body = said
    response = ResponseWriter(request, DEFAULTS)

    def written() -> Iterator[bytes]:
        yield response.write(start(status, headers))
        for piece in body[:-1]:
            yield response.write(part(piece, more=True))
        yield response.write(part(body[-1]))

    head, received = read(request, b"".join(written()), closed=response.closes)
    assert head.status_code == status
    assert received == (b"" if request is HEAD or status in {204, 304} else b"".join(body))
    kept = [item for item in headers if status != 204 or item[0] != b"content-length"]
    own = {b"transfer-encoding", b"connection", *DEFAULTS}
    assert [item for item in head.headers if item[0] not in own] == [
        (name.lower(), value.strip(b" \t")) for name, value in kept
    ]
    assert (b"connection", b"close") in head.headers or not response.closes
