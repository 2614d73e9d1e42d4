"""Heads of requests: those that are read, as h11 reads them, and those that are refused."""

from __future__ import annotations

import re
from math import inf

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cafe.server.request import (
    MAX_FIELDS,
    MAX_HEAD,
    MAX_TARGET,
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
def test_an_absolute_target_replaces_host(
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
def test_a_connection_is_kept_unless_the_client_wants_it_closed_or_speaks_http_1_0(
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
def test_only_a_client_of_http_1_1_may_expect_100_continue(head: bytes, *, expects: bool) -> None:
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
    """Return a valid head."""
    method = draw(st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"M-SEARCH"]))
    target = draw(st.text("/abc%?=&.:;,@!'()*+~-_09[]", max_size=30)).encode()
    fields = draw(st.lists(FIELDS, max_size=5))
    lines = [b"Host: cafe", *(name + b":" + b" " + value for name, value in fields)]
    start = method + b" /" + target + b" HTTP/1.1\r\n"
    return start + b"\r\n".join(lines) + b"\r\n" + draw(LENGTHS) + b"\r\n"


@SEEDED
@given(heads(), st.binary(max_size=20))
def test_a_valid_head_is_awaited_until_its_end(head: bytes, rest: bytes) -> None:
    for cut in range(1, len(head)):
        assert end_of_head(head[:cut]) == 0
    assert end_of_head(head + rest) == len(head)


Request = tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]]]


def as_h11_reads(data: bytes) -> Request | None:
    """Return method, path, query and fields, None where h11 refuses them."""
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
def test_a_valid_head_is_read_as_h11_reads_it(head: bytes) -> None:
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


def status_of(data: bytes) -> int:
    """Return the status with which this head is refused."""
    with pytest.raises(BadRequest) as caught:
        read(data)
    return caught.value.status_code


REFUSED = {
    "both lengths": (POST + b"Content-Length: 5\r\n" + CHUNKED, 400),
    "both lengths, the other way round": (POST + CHUNKED + b"Content-Length: 5\r\n", 400),
    "both lengths and an upgrade": (POST + UPGRADE + b"Content-Length: 5\r\n" + CHUNKED, 400),
    "differing lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
    "one length twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n", 400),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n", 400),
    "no length in its field": (POST + b"Content-Length:\r\n", 400),
    "a length with a sign": (POST + b"Content-Length: +5\r\n", 400),
    "a negative length": (POST + b"Content-Length: -5\r\n", 400),
    "a length in hexadecimal": (POST + b"Content-Length: 0x5\r\n", 400),
    "a length with an underscore": (POST + b"Content-Length: 1_0\r\n", 400),
    "a length beyond 64 bits": (POST + b"Content-Length: 18446744073709551616\r\n", 400),
    "chunked twice": (POST + CHUNKED * 2, 400),
    "chunked, then nothing": (POST + b"Transfer-Encoding: chunked,\r\n", 400),
    "chunked in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + CHUNKED, 400),
    "a coding that is not there": (POST + b"Transfer-Encoding: brotli\r\n", 501),
    "a coding before chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n", 501),
    "a coding after chunked": (POST + b"Transfer-Encoding: chunked, gzip\r\n", 400),
    "identity": (POST + b"Transfer-Encoding: identity\r\n", 501),
    "a coding with a parameter": (POST + b"Transfer-Encoding: chunked;q=1\r\n", 501),
    "a vertical tab in a coding": (POST + b"Transfer-Encoding: \x0bchunked\r\n", 400),
    "a bare LF after the request line": (b"GET / HTTP/1.1\nHost: cafe\r\n", 400),
    "a bare LF after a field": (START + b"X: x\nY: y\r\n", 400),
    "a bare LF that would end the head": (START + b"X: x\n\r\n", 400),
    "a bare CR in a value": (START + b"X: x\ry\r\n", 400),
    "a CR too many": (START + b"X: x\r\r\n", 400),
    "a NUL": (START + b"X: \x00\r\n", 400),
    "a control character": (START + b"X: \x01\r\n", 400),
    "DEL": (START + b"X: \x7f\r\n", 400),
    "a folded value": (START + b"X: x\r\n y\r\n", 400),
    "a value on the next line": (START + b"X:\r\n\ty\r\n", 400),
    "a first field that is folded": (b"GET / HTTP/1.1\r\n Host: cafe\r\n", 400),
    "a space before the colon": (START + b"Content-Length : 5\r\n", 400),
    "a name with a space": (START + b"X Y: z\r\n", 400),
    "a name that is not ASCII": (START + b"X\xc3\xa9: z\r\n", 400),
    "no name": (START + b": z\r\n", 400),
    "no colon": (START + b"X\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n", 400),
    "two hosts": (START + b"Host: cafe\r\n", 400),
    "two hosts in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nhOST: b\r\n", 400),
    "a host that is none, beside an absolute target": (
        b"GET http://cafe/ HTTP/1.1\r\nHost: a b\r\n",
        400,
    ),
    "a host that is none, in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a/b\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: cafe\r\n", 400),
    "a tab": (b"GET\t/ HTTP/1.1\r\nHost: cafe\r\n", 400),
    "a space at the end": (b"GET / HTTP/1.1 \r\nHost: cafe\r\n", 400),
    "a space at the beginning": (b" GET / HTTP/1.1\r\nHost: cafe\r\n", 400),
    "no version": (b"GET /\r\nHost: cafe\r\n", 400),
    "no target": (b"GET HTTP/1.1\r\nHost: cafe\r\n", 400),
    "a version in lower case": (b"GET / http/1.1\r\nHost: cafe\r\n", 400),
    "another protocol": (b"GET / ICE/1.0\r\nHost: cafe\r\n", 400),
    "a version of three digits": (b"GET / HTTP/1.10\r\nHost: cafe\r\n", 400),
    "HTTP/0.9": (b"GET / HTTP/0.9\r\nHost: cafe\r\n", 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: cafe\r\n", 505),
    "HTTP/2.0": (b"PRI * HTTP/2.0\r\n", 505),
    "a method that is not there": (b"BREW / HTTP/1.1\r\nHost: cafe\r\n", 501),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: cafe\r\n", 501),
    "a method of another protocol": (b"SETUP / HTTP/1.1\r\nHost: cafe\r\n", 400),
    "connect": (b"CONNECT cafe:443 HTTP/1.1\r\nHost: cafe\r\n", 501),
    "connect to a path": (b"CONNECT /cafe HTTP/1.1\r\nHost: cafe\r\n", 501),
    "an asterisk for another method": (b"GET * HTTP/1.1\r\nHost: cafe\r\n", 400),
    "a target without a slash": (b"GET cafe HTTP/1.1\r\nHost: cafe\r\n", 400),
    "a fragment": (b"GET /#x HTTP/1.1\r\nHost: cafe\r\n", 400),
    "a fragment in absolute form": (b"GET http://cafe/#x HTTP/1.1\r\nHost: cafe\r\n", 400),
    "userinfo": (b"GET http://a:b@cafe/ HTTP/1.1\r\nHost: cafe\r\n", 400),
    "another scheme": (b"GET ftp://cafe/ HTTP/1.1\r\nHost: cafe\r\n", 400),
    "absolute form without a host": (b"GET http:///x HTTP/1.1\r\nHost: cafe\r\n", 400),
    "absolute form with a port only": (b"GET http://:80/ HTTP/1.1\r\nHost: cafe\r\n", 400),
    "absolute form and no host field": (b"GET http://cafe/ HTTP/1.1\r\n", 400),
    "a target that is not ASCII": (b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: cafe\r\n", 400),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\nHost: cafe\r\n", 400),
}

NO_HOSTS = (
    *(b"a b", b"a\tb", b"a/b", b"a?b", b"a#b", b"###", b"a\\b", b"a|b", b"<a>", b'"a"', b"{a}"),
    *(b"a^b", b"a`b", b"a@b", b"a:b@c", b"@", b"http://a", b"//a", b"*a/", b"caf\xc3\xa9", b"\xff"),
    *(b"a, b", b"a%", b"a%2", b"a%zz", b"%", b":", b":80", b"a:b", b"a:80b", b"a:-1", b"a:+1"),
    *(b"a:0x50", b"a:80:80", b"::1", b"a: 80", b"a :80", b"a:65536", b"a:99999", b"a:100000"),
    *(b"a:" + b"9" * 5000, b"[::1", b"::1]", b"[]", b"[:]", b"[]:80"),
    *(b"[::1]80", b"[::1]a", b"[::1]:a"),
    *(b"[::1]:65536", b"[[::1]]", b"a[::1]", b"[::1]:80:80", b"[::g]", b"[1.2.3.4]", b"[a]"),
    *(b"[1:2:3:4:5:6:7:8:9]", b"[1::2::3]", b"[:1]", b"[12345::]", b"[::1.2.3.256]", b"[v1.a]"),
    *(b"[fe80::1%25eth0]", b"[fe80::1%eth0]", b"[::1/128]", b"[ ::1 ]"),
)


@pytest.mark.parametrize("host", NO_HOSTS)
def test_an_invalid_host_is_refused(host: bytes) -> None:
    assert status_of(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == 400


@pytest.mark.parametrize("host", [host for host in NO_HOSTS if re.fullmatch(rb"[^ \t/?#]+", host)])
def test_an_absolute_target_with_such_an_authority_is_refused(host: bytes) -> None:
    assert status_of(with_target(b"http://" + host + b"/x")) == 400


@pytest.mark.parametrize(("head", "status"), REFUSED.values(), ids=REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(head: bytes, status: int) -> None:
    assert status_of(head + b"\r\n") == status


def test_a_target_has_its_limit() -> None:
    longest = b"/" + b"x" * (MAX_TARGET - 1)
    assert read(with_target(longest, b"UNSUBSCRIBE")).raw_path == longest
    assert status_of(with_target(longest + b"x")) == 414


def test_a_head_has_its_limits() -> None:
    room = MAX_HEAD - len(START) - len(b"X: \r\n\r\n")
    assert len(read(START + b"X: " + b"x" * room + b"\r\n\r\n").headers) == 2
    assert status_of(START + b"X: " + b"x" * (room + 1) + b"\r\n\r\n") == 431
    most = b"X: x\r\n" * (MAX_FIELDS - 1)
    assert len(read(START + most + b"\r\n").headers) == MAX_FIELDS
    assert status_of(START + most + b"X: x\r\n\r\n") == 431


ENDLESS = {
    "a word": (b"x" * 40_000, 501),
    "a target": (b"GET /" + b"x" * 40_000, 414),
    "a value": (START + b"X: " + b"x" * 40_000, 431),
    "fields": (START + b"X: x\r\n" * 8_000, 431),
    "lines that end wrongly": (START + b"X: x\n" * 8_000, 400),
}


@pytest.mark.parametrize(("data", "status"), ENDLESS.values(), ids=ENDLESS)
def test_a_head_that_does_not_end_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        end_of_head(data)
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    "begun", [b"\x16\x03\x01", b" GET", b"\x00", b"GET / HTTP/1.1\nHost", b"GET /\r\nHos", b":"]
)
def test_what_cannot_become_a_head_is_refused_at_once(begun: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        end_of_head(begun)
    assert caught.value.status_code == 400
