"""Heads of requests that are refused, each with its status, and the limits of the others."""

from __future__ import annotations

import re

import pytest

from cafe.server.request import MAX_FIELDS, MAX_HEAD, MAX_TARGET, BadRequest, end_of_head
from tests.cafe.server.test_request import CHUNKED, POST, START, UPGRADE, read, with_target


def status_of(data: bytes) -> int:
    """Give the status with which this head is refused."""
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
def test_a_host_that_is_none_is_refused(host: bytes) -> None:
    assert status_of(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == 400


@pytest.mark.parametrize("host", [host for host in NO_HOSTS if re.fullmatch(rb"[^ \t/?#]+", host)])
def test_so_is_an_absolute_target_with_such_an_authority(host: bytes) -> None:
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
def test_what_can_become_no_head_is_refused_at_once(begun: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        end_of_head(begun)
    assert caught.value.status_code == 400
