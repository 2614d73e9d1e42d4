"""Heads of requests: what they say, also to h11, and the rules that refuse them."""

from __future__ import annotations

from math import inf

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cafe.server.request import (
    MAX_HEAD,
    BadRequest,
    Head,
    end_of_head,
    parse_head,
    without_blank_lines,
)
from tests.chance import examples

START = b"GET / HTTP/1.1\r\nHost: cafe\r\n"
POST = b"POST / HTTP/1.1\r\nHost: cafe\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
SEEDED = settings(derandomize=True, max_examples=examples(300), deadline=None)


def read(data: bytes) -> Head:
    """Read one whole head as a connection does."""
    end = end_of_head(data)
    assert end == len(data)
    return parse_head(data)


def with_target(target: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: cafe\r\n\r\n"


def test_a_head_is_read_with_its_fields_in_order_and_their_names_in_lower_case() -> None:
    head = read(
        b"DELETE /a/b?c=d%20e HTTP/1.1\r\nHOST: cafe\r\n"
        b"X-B: \t1 \r\nX-A:\r\nx-b: caf\xc3\xa9\r\n\r\n"
    )
    assert (head.method, head.version) == ("DELETE", "1.1")
    assert (head.raw_path, head.path, head.query) == (b"/a/b", "/a/b", b"c=d%20e")
    assert head.headers == [
        (b"host", b"cafe"),
        (b"x-b", b"1"),
        (b"x-a", b""),
        (b"x-b", b"caf\xc3\xa9"),
    ]
    assert (head.body_length, head.keeps_alive, head.expects_continue) == (0, True, False)


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        (b"http://other/x?y", b"other", b"/x", b"y"),
        (b"HTTPS://other:8443/", b"other:8443", b"/", b""),
        (b"http://other", b"other", b"/", b""),
        (b"http://other?y=/?", b"other", b"/", b"y=/?"),
        (b"http://[::1]:80/x", b"[::1]:80", b"/x", b""),
    ],
)
def test_an_absolute_target_takes_the_place_of_host(
    target: bytes, host: bytes, path: bytes, query: bytes
) -> None:
    head = read(with_target(target))
    assert head.headers == [(b"host", host)]
    assert (head.raw_path, head.query) == (path, query)


HOSTS = (
    *(b"cafe", b"CAFE", b"cafe.example.", b"a-b_c~d", b"1.2.3.4", b"999.1", b"caf%C3%A9"),
    *(b"cafe:80", b"cafe:0", b"cafe:65535", b"cafe:00080", b"cafe:", b"[::1]", b"[::1]:8080"),
    *(b"[2001:DB8::17]", b"[1:2:3:4:5:6:7:8]", b"[::ffff:192.0.2.1]:", b"!$&'()*+,;="),
)


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_a_name_or_an_address_with_or_without_a_port(host: bytes) -> None:
    assert read(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").headers == [(b"host", host)]
    assert read(with_target(b"http://" + host + b"/")).headers == [(b"host", host)]


@pytest.mark.parametrize("value", [b"", b" ", b"\t"])
def test_a_host_may_be_empty(value: bytes) -> None:
    assert read(b"GET / HTTP/1.1\r\nHost:" + value + b"\r\n\r\n").headers == [(b"host", b"")]


def test_options_may_ask_for_the_server_itself() -> None:
    assert read(with_target(b"*", b"OPTIONS")).path == "*"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/caf%C3%A9", "/café"),
        (b"/a%2Fb%20c", "/a/b c"),
        (b"/%", "/%"),
        (b"/%zz%4", "/%zz%4"),
        (b"/%ff", "/\N{REPLACEMENT CHARACTER}"),
        (b"/a+b;c", "/a+b;c"),
        (b"//a/../b", "//a/../b"),
    ],
)
def test_a_path_is_percent_decoded_and_kept_raw_as_well(raw: bytes, path: str) -> None:
    head = read(with_target(raw + b"?%41"))
    assert (head.path, head.raw_path, head.query) == (path, raw, b"%41")


@pytest.mark.parametrize("upgrade", [b"", UPGRADE])
@pytest.mark.parametrize(
    ("field", "length"),
    [
        (b"", 0),
        (b"Content-Length: 0\r\n", 0),
        (b"Content-Length: \t42 \t\r\n", 42),
        (b"Content-Length: 18446744073709551615\r\n", 2**64 - 1),
        (CHUNKED, inf),
        (b"transfer-encoding:CHUNKED \r\n", inf),
    ],
)
def test_a_body_has_the_length_that_its_head_says_also_beside_an_upgrade(
    field: bytes, length: float, upgrade: bytes
) -> None:
    assert read(POST + upgrade + field + b"\r\n").body_length == length


@pytest.mark.parametrize(
    ("head", "keeps_alive"),
    [
        (START, True),
        (START + b"Connection: keep-alive\r\n", True),
        (START + b"Connection: Close\r\n", False),
        (START + b"Connection: x,\t close ,y\r\n", False),
        (START + b"Connection: x\r\nConnection: close\r\n", False),
        (START + b"Connection: closed, not-close\r\n", True),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", False),
    ],
)
def test_a_connection_is_kept_unless_its_client_wants_it_closed_or_is_old(
    head: bytes, *, keeps_alive: bool
) -> None:
    assert read(head + b"\r\n").keeps_alive is keeps_alive


@pytest.mark.parametrize(
    ("head", "expects"),
    [
        (START, False),
        (START + b"Expect: 100-continue\r\n", True),
        (START + b"EXPECT: 100-Continue\r\n", True),
        (START + b"Expect: coffee\r\n", False),
        (b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n", False),
    ],
)
def test_only_a_client_that_knows_how_expects_to_be_told_to_go_on(
    head: bytes, *, expects: bool
) -> None:
    assert read(head + b"\r\n").expects_continue is expects


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"", b""),
        (b"GET", b"GET"),
        (b"\r\n\r\nGET\r\n", b"GET\r\n"),
        (b"\r\n\r", b"\r"),
        (b"\r", b"\r"),
        (b"\n", b"\n"),
        (b"\r\n\nGET", b"\nGET"),
    ],
)
def test_empty_lines_before_a_head_are_left_out(data: bytes, left: bytes) -> None:
    assert without_blank_lines(data) == left


TOKENS = st.text("!#$%&'*+.^_`|~09azAZ-", min_size=1, max_size=12).map(str.encode)
VALUES = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20).map(
    lambda text: text.encode("latin-1")
)
OWN_NAMES = {b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"}
FIELDS = st.tuples(TOKENS.filter(lambda name: name.lower() not in OWN_NAMES), VALUES)
LENGTHS = st.sampled_from(
    [b"", b"Content-Length: 3\r\n", CHUNKED, b"Connection: close\r\n", UPGRADE, b"Expect: x\r\n"]
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Give a valid head."""
    method = draw(st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"M-SEARCH"]))
    target = draw(st.text("/abc%?=&.:;,@!'()*+~-_09[]", max_size=30)).encode()
    fields = draw(st.lists(FIELDS, max_size=5))
    lines = [b"Host: cafe", *(name + b":" + b" " + value for name, value in fields)]
    start = method + b" /" + target + b" HTTP/1.1\r\n"
    return start + b"\r\n".join(lines) + b"\r\n" + draw(LENGTHS) + b"\r\n"


@SEEDED
@given(heads(), st.binary(max_size=20))
def test_until_its_end_a_valid_head_is_not_there_yet(head: bytes, rest: bytes) -> None:
    for cut in range(1, len(head)):
        assert end_of_head(head[:cut]) == 0
    assert end_of_head(head + rest) == len(head)


Request = tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]]]


def as_h11_reads(data: bytes) -> Request | None:
    """Give method, path, query and fields, None where h11 refuses them."""
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * MAX_HEAD)
    server.receive_data(data)
    try:
        request = server.next_event()
    except h11.RemoteProtocolError:
        return None
    assert isinstance(request, h11.Request)
    path, _, query = request.target.partition(b"?")
    return request.method, path, query, list(request.headers)


def as_we_read(data: bytes) -> Request | None:
    try:
        head = read(data)
    except BadRequest:
        return None
    return head.method.encode(), head.raw_path, head.query, head.headers


@SEEDED
@given(heads())
def test_a_valid_head_says_what_h11_reads_in_it(head: bytes) -> None:
    assert as_we_read(head) == as_h11_reads(head) is not None


WORDS = b"\r \n \0 : , \x0b \x7f \xff 0 + # http:// HTTP/1.1 Host: transfer-encoding:chunked"
LINES = [b"\r\n", b"\r\n\r\n", b"Content-Length: 7\r\n", CHUNKED, b"Host: x\r\n", b" ", b"\t"]
NASTY = st.sampled_from([*WORDS.split(b" "), *LINES])


@settings(derandomize=True, max_examples=examples(1500), deadline=None)
@given(heads(), st.lists(st.tuples(st.integers(0, 10**6), NASTY, st.booleans()), max_size=3))
def test_a_mutated_head_is_refused_or_h11_reads_the_same(
    head: bytes, changes: list[tuple[int, bytes, bool]]
) -> None:
    for place, piece, replaces in changes:
        at = place % len(head)
        head = head[:at] + piece + head[at + (len(piece) if replaces else 0) :]
    head, end, _ = head.partition(b"\r\n\r\n")
    ours = as_we_read(head + end) if head and end else None
    # h11 leaves a target in absolute form as it is.
    assert ours is None or b"://" in head.split(b" ")[1] or ours == as_h11_reads(head + end)
