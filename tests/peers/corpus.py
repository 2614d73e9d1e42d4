"""Requests as data: what clients send, and the odd things that HTTP allows or used to.

Rule: a case is the pieces that are sent, each once the one before has been dealt with. It does not
say what is expected: the peers show that. Requests that must be refused are in `dangers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent on one connection; `methods` unless each request is a GET."""

    pieces: tuple[bytes, ...]
    methods: tuple[str, ...] = ()


PROBE = b"GET /after HTTP/1.1\r\nHost: cafe\r\n\r\n"
"""Sent at the end of each case: it shows where the server takes the last request to end."""


def ask(
    target: bytes = b"/",
    *lines: bytes,
    method: bytes = b"GET",
    body: bytes = b"",
    version: bytes = b"1.1",
    host: bytes = b"Host: cafe\r\n",
) -> bytes:
    """Return a request; the header lines are given without their CRLF."""
    head = method + b" " + target + b" HTTP/" + version + b"\r\n" + host
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def post(body: bytes, *lines: bytes, target: bytes = b"/", version: bytes = b"1.1") -> bytes:
    length = b"Content-Length: %d" % len(body)
    return ask(target, length, *lines, method=b"POST", body=body, version=version)


def chunked(body: bytes, *lines: bytes, target: bytes = b"/", version: bytes = b"1.1") -> bytes:
    coding = b"Transfer-Encoding: chunked"
    return ask(target, coding, *lines, method=b"POST", body=body, version=version)


def one(*pieces: bytes) -> Case:
    return Case(pieces)


def bytewise(raw: bytes, size: int = 1) -> Case:
    return Case(tuple(raw[at : at + size] for at in range(0, len(raw), size)))


HEAD = Case((ask(method=b"HEAD"), ask()), ("HEAD",))
CHUNKS = b"4\r\nlatt\r\n1\r\ne\r\n0\r\n\r\n"
CONTINUE = b"Expect: 100-continue"
CLOSE = b"Connection: close"
KEEP = b"Connection: keep-alive"
SHAPES = (
    *(b"/stream", b"/stream-6", b"/empty", b"/empty-stream", b"/204", b"/304", b"/teapot"),
    *(b"/repeated", b"/goodbye", b"/fail", b"/fail-after", b"/fail-late", b"/say-nothing"),
    b"/short",
)

VALID: Mapping[str, Case] = {
    "get": one(ask()),
    "keep-alive": one(ask(b"/1"), ask(b"/2"), ask(b"/3")),
    "keep-alive, asked for": one(ask(b"/1", KEEP), ask(b"/2")),
    "close": one(ask(b"/", CLOSE), ask(b"/2")),
    "close, in a list": one(ask(b"/", b"Connection: x-this, Close"), ask(b"/2")),
    "close, and more in the same send": one(ask(b"/", CLOSE) + ask(b"/2")),
    "1.0": one(ask(version=b"1.0"), ask(b"/2")),
    "1.0, keep-alive": one(ask(b"/", KEEP, version=b"1.0"), ask(b"/2")),
    "1.0, no host": one(ask(host=b"", version=b"1.0")),
    "1.0, post": one(post(b"latte", version=b"1.0")),
    "five in one send": one(b"".join(ask(b"/%d" % number) for number in range(5))),
    "five in two sends": one(ask(b"/1") * 2 + b"GET /", b"3 HTTP/1.1\r\nHost: cafe\r\n\r\n"),
    "get, post, get in one send": one(ask() + post(b"latte") + ask(b"/2")),
    "get, chunked, get in one send": one(ask() + chunked(CHUNKS) + ask(b"/2")),
    "post": one(post(b"latte")),
    "post, nothing": one(post(b"")),
    "post, no length": one(ask(method=b"POST")),
    "post, looks like a request": one(post(ask(b"/inner"))),
    "post, body later": one(post(b"")[:-5] + b"5\r\n\r\n", b"la", b"tte"),
    "post, 60,000 bytes": one(post(b"m" * 60_000)),
    "post, unread": one(post(b"latte", target=b"/unread"), ask(b"/2")),
    "get with a body": one(ask(b"/", b"Content-Length: 5", body=b"latte"), ask(b"/2")),
    "delete": one(ask(b"/order/1", method=b"DELETE")),
    "put": one(ask(b"/", b"Content-Length: 2", method=b"PUT", body=b"ok")),
    "patch": one(ask(b"/", b"Content-Length: 2", method=b"PATCH", body=b"ok")),
    "options": one(ask(b"/", method=b"OPTIONS")),
    "chunked": one(chunked(CHUNKS), ask(b"/2")),
    "chunked, byte by byte": bytewise(chunked(CHUNKS)),
    "chunked, extensions": one(chunked(b'5;a=b;c="d e"\r\nlatte\r\n0;last\r\n\r\n'), ask(b"/2")),
    "chunked, trailers": one(chunked(b"5\r\nlatte\r\n0\r\nX-Sum: 1\r\n\r\n"), ask(b"/2")),
    "chunked, zeros before the size": one(chunked(b"0005\r\nlatte\r\n000\r\n\r\n"), ask(b"/2")),
    "chunked, sizes in both cases": one(
        chunked(b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n")
    ),
    "chunked, empty": one(chunked(b"0\r\n\r\n"), ask(b"/2")),
    "chunked, unread": one(chunked(CHUNKS, target=b"/unread"), ask(b"/2")),
    "chunked, coding in capitals": one(
        ask(b"/", b"Transfer-Encoding: CHUNKED", method=b"POST", body=CHUNKS), ask(b"/2")
    ),
    "continue": one(ask(b"/", CONTINUE, b"Content-Length: 5", method=b"POST"), b"latte"),
    "continue, in capitals": one(
        ask(b"/", b"Expect: 100-CONTINUE", b"Content-Length: 5", method=b"POST"), b"latte"
    ),
    "continue, chunked": one(chunked(b"", CONTINUE), CHUNKS),
    "continue, body at once": one(post(b"latte", CONTINUE), ask(b"/2")),
    "continue, unread": one(post(b"latte", CONTINUE, target=b"/unread")[:-5], b"latte"),
    "continue, no body": one(ask(b"/", CONTINUE), ask(b"/2")),
    "continue, 1.0": one(post(b"latte", CONTINUE, version=b"1.0")),
    "byte by byte": bytewise(ask(b"/a?b=c", b"X-A: b")),
    "head": HEAD,
    "head, close": Case((ask(b"/", CLOSE, method=b"HEAD"),), ("HEAD",)),
    "head, 1.0": Case((ask(method=b"HEAD", version=b"1.0"),), ("HEAD",)),
    "head in one send": Case((ask() + ask(method=b"HEAD") + ask(),), ("GET", "HEAD", "GET")),
    **{f"response {shape.decode()}": one(ask(shape), ask(b"/2")) for shape in SHAPES},
    **{f"response {shape.decode()}, close": one(ask(shape, CLOSE)) for shape in SHAPES},
    **{f"response {shape.decode()}, 1.0": one(ask(shape, version=b"1.0")) for shape in SHAPES},
    **{
        f"response {shape.decode()} to head": Case((ask(shape, method=b"HEAD"),), ("HEAD",))
        for shape in SHAPES
    },
    **{
        f"response {shape.decode()} and pipelined": one(ask(shape) + ask(b"/2") + ask(b"/3"))
        for shape in SHAPES
    },
}

TARGETS = (
    *(b"/a/b/", b"//", b"/a//b", b"/a/../b", b"/a%2Fb", b"/caf%C3%A9", b"/%00", b"/%zz", b"/%"),
    *(b"/%2", b"/%ff", b"/a%20b", b"/a+b", b"/a;b=c", b"/~a!$&'()*,=:@", b"/?", b"/?a=b&c=%20d"),
    *(b"/?a?b", b"/a?b/c", b"/?%C3%A9", b"/?%zz", b"/a#b", b"/a?b#c", b"/a[b]", b"/a|b", b"/a\\b"),
    *(b'/a"b', b"/<a>", b"/{a}", b"/a^b`", b"/caf\xc3\xa9", b"/?\xe9", b"/\x7f", b"/a\tb", b"a"),
    *(b"", b"?a=b", b"http://cafe/a?b", b"http://other:81/a", b"http://cafe", b"HTTP://CAFE/"),
    *(b"http://cafe?b", b"https://cafe/a", b"ftp://cafe/a", b"http://u:p@cafe/a", b"http:///a"),
    *(b"http://", b"cafe:80", b"/http://cafe/", b"/a:80", b"/" + b"a" * 6000),
)

LINES = {
    "repeated": (b"X-A: 1", b"X-B: 2", b"X-A: 3"),
    "mixed case": (b"x-LOWER-Upper: Value",),
    "empty value": (b"X-A:", b"X-B: ", b"X-C:  \t "),
    "space around": (b"X-A:b", b"X-B:   c", b"X-C: d  ", b"X-D:\te\t"),
    "tab within": (b"X-A: b\tc",),
    "high bytes": (b"X-A: caf\xc3\xa9 \xff\x80",),
    "quoted": (b'X-A: "b, \\"c"',),
    "odd names": (b"X_A: 1", b"!#$%&'*+-.^_`|~: 2", b"0: 3"),
    "many": tuple(b"X-%d: %d" % (number, number) for number in range(90)),
    "long value": (b"X-A: " + b"b" * 6000,),
    "cookies": (b"Cookie: a=b", b"Cookie: c=d"),
    "te": (b"TE: trailers",),
    "te, gzip": (b"TE: gzip",),
    "te, gzip and chunked": (b"Connection: TE", b"TE: gzip, chunked"),
    "keep-alive field": (b"Keep-Alive: timeout=5",),
    "connection, empty": (b"Connection:",),
    "connection, unknown": (b"Connection: x-a",),
    "connection, both": (b"Connection: keep-alive, close",),
    "connections": (b"Connection: keep-alive", b"Connection: close"),
    "proxy connection": (b"Proxy-Connection: close",),
    "trailer": (b"Trailer: X-Sum",),
    "expect, unknown": (b"Expect: a-miracle",),
    "upgrade, unknown": (b"Connection: upgrade", b"Upgrade: tea/1"),
    "upgrade, h2c": (b"Connection: upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
    "upgrade, not in connection": (b"Upgrade: websocket",),
    "upgrade, websocket": (
        *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
}

ODD: Mapping[str, Case] = {
    **{f"target {target.decode('latin-1')[:24]!r}": one(ask(target)) for target in TARGETS},
    "target *, options": one(ask(b"*", method=b"OPTIONS")),
    **{f"lines, {name}": one(ask(b"/", *lines), ask(b"/2")) for name, lines in LINES.items()},
    "h2c upgrade with a body": one(post(b"latte", *LINES["upgrade, h2c"]), ask(b"/2")),
    "unknown upgrade with a body": one(post(b"latte", *LINES["upgrade, unknown"]), ask(b"/2")),
    "unknown upgrade, pipelined": one(ask(b"/", *LINES["upgrade, unknown"]) + ask(b"/2")),
    "empty line first": one(b"\r\n" + ask()),
    "empty lines first": one(b"\r\n\r\n\r\n" + ask()),
    "empty line first, nonsense last": one(b"\r\n" + ask() + b"nonsense\r\n\r\n"),
    "1.0, and nonsense": one(ask(b"/", KEEP, version=b"1.0") + b"nonsense\r\n\r\n"),
    "empty line between": one(ask(b"/1") + b"\r\n" + ask(b"/2")),
    "empty line after a body": one(post(b"latte") + b"\r\n" + ask(b"/2")),
    "host with a port": one(ask(host=b"Host: cafe:8080\r\n")),
    "host with a port of no digits": one(ask(host=b"Host: cafe:\r\n")),
    "host, an address": one(ask(host=b"Host: [::1]:8080\r\n")),
    "host, escaped": one(ask(host=b"Host: caf%C3%A9\r\n")),
    "host, empty": one(ask(host=b"Host:\r\n")),
    "host, last": one(ask(b"/", b"X-A: b", b"Host: cafe", host=b"")),
    "length with zeros": one(ask(b"/", b"Content-Length: 0005", method=b"POST", body=b"latte")),
    "lengths, equal": one(post(b"latte", b"Content-Length: 5")),
    "length, an equal list": one(ask(b"/", b"Content-Length: 5, 5", method=b"POST", body=b"latte")),
    "method of WebDAV": one(ask(method=b"PROPFIND")),
    "trace": one(ask(method=b"TRACE")),
    "nothing": one(b""),
    "half a request line": one(b"GET / HT"),
    "half a head": one(b"GET / HTTP/1.1\r\nHost: ca"),
    "half a body": one(post(b"latte")[:-3]),
    "half a chunk": one(chunked(b"9\r\nlat")),
}
