"""Requests that are refused although some server accepts them: such differences allow smuggling.

Rule: each is a request with the status that our server sends, whatever the peers do; then the
connection closes.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.peers.corpus import CHUNKS, ODD, VALID, Case, ask, chunked, post


def lengths(*values: bytes) -> bytes:
    lines = (b"Content-Length: " + value for value in values)
    return ask(b"/", *lines, method=b"POST", body=b"latte")


def codings(*values: bytes) -> bytes:
    lines = (b"Transfer-Encoding: " + value for value in values)
    return ask(b"/", *lines, method=b"POST", body=CHUNKS)


BOTH = b"Content-Length: 5"

DANGEROUS: Mapping[str, tuple[bytes, int]] = {
    "length and coding": (chunked(CHUNKS, BOTH), 400),
    "coding and length": (post(CHUNKS, b"Transfer-Encoding: chunked"), 400),
    "lengths, different": (lengths(b"5", b"6"), 400),
    "length, a list that differs": (lengths(b"5, 6"), 400),
    "length +5": (lengths(b"+5"), 400),
    "length -1": (lengths(b"-1"), 400),
    "length, empty": (lengths(b""), 400),
    "length 0x5": (lengths(b"0x5"), 400),
    "length 5 5": (lengths(b"5 5"), 400),
    "length 5.0": (lengths(b"5.0"), 400),
    "length, a letter": (lengths(b"5a"), 400),
    "length, huge": (lengths(b"9" * 30), 400),
    "coding, unknown": (codings(b"brew"), 501),
    "coding, gzip": (codings(b"gzip"), 501),
    "coding, gzip and chunked": (codings(b"gzip, chunked"), 501),
    "coding, identity": (codings(b"identity"), 501),
    "coding, chunked and gzip": (codings(b"chunked, gzip"), 400),
    "coding, chunked twice": (codings(b"chunked, chunked"), 400),
    "codings": (codings(b"gzip", b"chunked"), 400),
    "coding, xchunked": (codings(b"xchunked"), 501),
    "coding, vertical tab": (codings(b"\x0bchunked"), 400),
    "coding, space before colon": (
        ask(b"/", b"Transfer-Encoding : chunked", method=b"POST", body=CHUNKS),
        400,
    ),
    "coding in 1.0": (chunked(CHUNKS, version=b"1.0"), 400),
    "lines end with LF": (ask().replace(b"\r\n", b"\n"), 400),
    "head ends with LF": (ask()[:-2] + b"\n", 400),
    "request line ends with LF": (ask().replace(b"\r\n", b"\n", 1), 400),
    "a line ends with LF": (ask(b"/", b"X-A: b\nX-C: d"), 400),
    "a line ends with CR": (ask(b"/", b"X-A: b\rX-C: d"), 400),
    "request line ends with CR": (ask().replace(b"\r\n", b"\r", 1), 400),
    "folded": (ask(b"/", b"X-A: b", b" c"), 400),
    "folded with a tab": (ask(b"/", b"X-A: b", b"\tc"), 400),
    "first line folded": (ask(b"/", host=b" Host: cafe\r\n"), 400),
    "space before colon": (ask(b"/", b"X-A : b"), 400),
    "space in a name": (ask(b"/", b"X A: b"), 400),
    "no colon": (ask(b"/", b"X-A"), 400),
    "no name": (ask(b"/", b": b"), 400),
    "high byte in a name": (ask(b"/", b"X-\xe9: b"), 400),
    "NUL in a name": (ask(b"/", b"X-\x00: b"), 400),
    "NUL in a value": (ask(b"/", b"X-A: b\x00c"), 400),
    "control character in a value": (ask(b"/", b"X-A: b\x01c"), 400),
    "escape in a value": (ask(b"/", b"X-A: \x1b[2J"), 400),
    "delete in a value": (ask(b"/", b"X-A: b\x7fc"), 400),
    "no host": (ask(host=b""), 400),
    "two hosts": (ask(b"/", b"Host: other"), 400),
    "two equal hosts": (ask(b"/", b"Host: cafe"), 400),
    "host with a space": (ask(host=b"Host: cafe bar\r\n"), 400),
    "host with a slash": (ask(host=b"Host: cafe/bar\r\n"), 400),
    "host with userinfo": (ask(host=b"Host: me@cafe\r\n"), 400),
    "host with a port that is none": (ask(host=b"Host: cafe:8o\r\n"), 400),
    "host with a port too large": (ask(host=b"Host: cafe:65536\r\n"), 400),
    "host, only a port": (ask(host=b"Host: :80\r\n"), 400),
    "host, a list": (ask(host=b"Host: cafe, other\r\n"), 400),
    "host, a URL": (ask(host=b"Host: http://cafe\r\n"), 400),
    "host, high bytes": (ask(host=b"Host: caf\xc3\xa9\r\n"), 400),
    "host, half an address": (ask(host=b"Host: [::1\r\n"), 400),
    "host, an address that is none": (ask(host=b"Host: [::g]\r\n"), 400),
    "absolute, a port that is none": (ask(b"http://cafe:8o/"), 400),
    "absolute, half an address": (ask(b"http://[::1/"), 400),
    "absolute, no host": (ask(b"http://cafe/", host=b""), 400),
    "two spaces after the method": (ask(b" /"), 400),
    "two spaces before the version": (ask(b"/ "), 400),
    "space in the target": (ask(b"/a b"), 400),
    "tab in the request line": (ask().replace(b" ", b"\t", 1), 400),
    "space after the version": (ask(version=b"1.1 "), 400),
    "space first": (b" " + ask(), 400),
    "target with a NUL": (ask(b"/\x00"), 400),
    "target with a high byte": (ask(b"/caf\xc3\xa9"), 400),
    "target without a slash": (ask(b"a"), 400),
    "target, only a query": (ask(b"?a=b"), 400),
    "target *, not of options": (ask(b"*"), 400),
    "method lower-case": (ask(method=b"get"), 501),
    "method unknown": (ask(method=b"BREW"), 501),
    "method unknown, and no host": (ask(method=b"BREW", host=b""), 501),
    "version unknown, and no colon": (ask(b"/", b"X-A", version=b"1.5"), 505),
    "connect": (ask(b"cafe:443", method=b"CONNECT"), 501),
    "method with a high byte": (ask(method=b"G\xc9T"), 400),
    "0.9": (b"GET /\r\n", 400),
    "0.9 by name": (ask(version=b"0.9"), 505),
    "2.0": (ask(version=b"2.0"), 505),
    "9.9": (ask(version=b"9.9"), 505),
    "1.2": (ask(version=b"1.2"), 505),
    "version of one digit": (ask(version=b"1"), 400),
    "version of three digits": (ask(version=b"1.10"), 400),
    "version in lower case": (ask().replace(b"HTTP", b"http"), 400),
    "RTSP": (ask().replace(b"HTTP/1.1", b"RTSP/1.0"), 400),
    "ICE": (ask().replace(b"HTTP/1.1", b"ICE/1.0"), 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "garbage": (b"\x00\x01\x02garbage\r\n\r\n", 400),
    "a response": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    "chunk size, space before": (chunked(b" 5\r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size, space after": (chunked(b"5 \r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size 0x5": (chunked(b"0x5\r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size +5": (chunked(b"+5\r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size -5": (chunked(b"-5\r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size 5_0": (chunked(b"5_0\r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size, huge": (chunked(b"f" * 17 + b"\r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size, none": (chunked(b"\r\nlatte\r\n0\r\n\r\n"), 400),
    "chunk size ends with LF": (chunked(b"5\nlatte\r\n0\r\n\r\n"), 400),
    "chunk ends with LF": (chunked(b"5\r\nlatte\n0\r\n\r\n"), 400),
    "chunk longer than its size": (chunked(b"5\r\nlattes\r\n0\r\n\r\n"), 400),
    "chunk shorter than its size": (chunked(b"5\r\nlatt\r\n0\r\n\r\n"), 400),
    "last chunk ends with LF": (chunked(b"5\r\nlatte\r\n0\n\r\n"), 400),
    "body ends with LF": (chunked(b"5\r\nlatte\r\n0\r\n\n"), 400),
    "extension with LF": (chunked(b"5;a\nb\r\nlatte\r\n0\r\n\r\n"), 400),
    "extension with a NUL": (chunked(b"5;a=\x00\r\nlatte\r\n0\r\n\r\n"), 400),
    "trailer without a colon": (chunked(b"0\r\nX-Sum\r\n\r\n"), 400),
    "trailer with space before colon": (chunked(b"0\r\nX-Sum : 1\r\n\r\n"), 400),
    "101 fields": (ask(b"/", *(b"X-%d: 1" % number for number in range(100))), 431),
    "head over 32 KiB": (ask(b"/", *(b"X-%d: " % n + b"x" * 4000 for n in range(9))), 431),
    "head without end": (b"GET / HTTP/1.1\r\nHost: cafe\r\nX-A: " + b"x" * 40_000, 431),
    "target over 8 KiB": (ask(b"/" + b"a" * 8192), 414),
    "body over 64 KiB": (post(b"m" * 65_537), 413),
    "body over 64 KiB, chunked": (chunked(b"10001\r\n" + b"m" * 65_537 + b"\r\n0\r\n\r\n"), 413),
}
HEADLESS: Mapping[str, bytes] = {
    "no host": ask(method=b"HEAD", host=b""),
    "two hosts": ask(b"/", b"Host: other", method=b"HEAD"),
    "version unknown": ask(method=b"HEAD", version=b"2.0"),
    "space in a name": ask(b"/", b"X A: b", method=b"HEAD"),
    "target over 8 KiB": ask(b"/" + b"a" * 8192, method=b"HEAD"),
    "length and coding": ask(b"/", BOTH, b"Transfer-Encoding: chunked", method=b"HEAD"),
}
"""HEAD requests that are refused, without a body (RFC 9110, 9.3.2)."""
CASES: Mapping[str, Case] = {
    **VALID,
    **ODD,
    **{name: Case((raw,)) for name, (raw, _) in DANGEROUS.items()},
}
"""The whole corpus, by names that occur once."""
assert len(CASES) == len(VALID) + len(ODD) + len(DANGEROUS)
