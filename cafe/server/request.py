"""Requests as bytes: heads are parsed and bodies are cut out of what has arrived.

Rule: pure, and nothing ambiguous. If two parsers disagree on a request, that can be exploited (RFC
9112, 11.2), so whatever could be read in two ways is refused, even if llhttp allows it; and a body
takes no byte of the next request.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from math import inf
from typing import Final, NamedTuple, Protocol
from urllib.parse import unquote

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)
from starlette.exceptions import HTTPException

MAX_HEAD: Final = 32 * 1024
MAX_TARGET: Final = 8 * 1024
MAX_FIELDS: Final = 100
MAX_PORT: Final = 65_535
MAX_METHOD: Final = 32  # as in the patterns below
CACHED_HEAD: Final = 1024  # longer ones are not cached, which bounds the cache

NOT_HTTP: Final = "This is not HTTP/1.1 as RFC 9112 has it."
NO_HOST: Final = "This Host, or the authority of this target, names no host (RFC 9110, 7.2)."
TOO_LONG: Final = f"A target may have {MAX_TARGET} bytes."
TOO_LARGE: Final = f"The head of a request may have {MAX_HEAD} bytes and {MAX_FIELDS} fields."
NO_SUCH_METHOD: Final = "This method is not implemented."
NO_SUCH_CODING: Final = "This transfer coding is not implemented, only chunked is."
NO_SUCH_VERSION: Final = "Only HTTP/1.1 and HTTP/1.0 are spoken here."

FRAMING_FACTOR: Final = 16
FRAMING_ROOM: Final = 8 * 1024
"""Bytes that chunk sizes, extensions and trailers may take, plus FRAMING_FACTOR a body byte."""

_CHUNKED_HEAD = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"

# RFC 9112, 3. llhttp also takes two spaces, other protocols, and no version at all.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/(\d\.\d)\r\n")
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |\Z)")
_LONGER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{33}")
# RFC 9112, 3.2.2, with a host and without userinfo (RFC 9110, 4.2.1 and 4.2.4).
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#@:][^/?#@]*)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
# RFC 3986, 3.2.2: a name, which an IPv4 address is too, or an IPv6 address, perhaps with a port.
_HOST = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]{2,45})\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)"
    rb"(?::0*([0-9]{0,5}))?"
)
_BLANK_LINES = re.compile(rb"(?:\r\n)+")

Headers = list[tuple[bytes, bytes]]


class BadRequest(HTTPException):
    """A request that the connection itself refuses; it closes after that answer.

    For a body it is raised by the application's `receive`: it is one of Starlette's exceptions, so
    that FastAPI lets it through.
    """


class CutShort(BadRequest):
    """The client closed in the middle of a head, which is not counted against its address."""

    def __init__(self) -> None:
        super().__init__(400, "The request ends in the middle of its head.")


class Head(NamedTuple):
    """A request's head, parsed; header names are in lower case, in the order of arrival."""

    method: str
    version: str
    path: str
    """The path as in ASGI: percent-decoded, as UTF-8."""
    raw_path: bytes
    query: bytes
    headers: Headers
    body_length: float
    """Bytes of body that follow; infinity for a chunked one, which marks its end itself."""
    keeps_alive: bool
    expects_continue: bool


class _Fields:
    """Collects the headers that llhttp calls back with."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: Headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))


def without_blank_lines(data: bytes) -> bytes:
    """Return `data` without the empty lines before a head (RFC 9112, 2.2)."""
    blank = _BLANK_LINES.match(data)
    return data[blank.end() :] if blank else data


def end_of_head(data: bytes) -> int:
    """Return the length of the head at the beginning of `data`; 0 while its end has not arrived.

    Raises BadRequest as soon as `data` cannot become a head.
    """
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end >= 0:
        return end + 4
    line, newline, _ = data.partition(b"\n")
    if _LONGER.match(line):
        raise BadRequest(501, NO_SUCH_METHOD)
    if not _METHOD.match(line) or data.count(b"\n") != data.count(b"\r\n"):
        raise BadRequest(400, NOT_HTTP)
    if newline and _REQUEST_LINE.match(data) is None:
        raise BadRequest(400, NOT_HTTP)
    if len(line) > MAX_TARGET + MAX_METHOD:
        raise BadRequest(414, TOO_LONG)
    if len(data) >= MAX_HEAD:
        raise BadRequest(431, TOO_LARGE)
    return 0


def parse_head(data: bytes) -> Head:
    """Parse a whole head. Raises BadRequest.

    A client on a kept connection, or one that polls, repeats its head, so short heads are cached.
    Callers share the result: copy its headers to change them.
    """
    return _cached(data) if len(data) <= CACHED_HEAD else _parse(data)


def _parse(data: bytes) -> Head:
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise BadRequest(400, NOT_HTTP)
    method, target, version = line.groups()
    if version != b"1.1" and version != b"1.0":  # noqa: PLR1714 - a set would be looked up
        raise BadRequest(505, NO_SUCH_VERSION)
    if len(target) > MAX_TARGET:
        raise BadRequest(414, TOO_LONG)
    headers = _parse_fields(data)
    fields = dict(headers)
    if len(fields) < len(headers):
        _check_repeated(headers)
    is_current = version == b"1.1"
    if is_current and b"host" not in fields:
        raise BadRequest(400, NOT_HTTP)
    if (host := fields.get(b"host")) and not _is_host(host):  # an empty one is allowed
        raise BadRequest(400, NO_HOST)
    raw_path, query = _parse_target(method, target, headers)
    closes = b"connection" in fields and _has_token(headers, b"connection", b"close")
    expects = b"expect" in fields and _has_token(headers, b"expect", b"100-continue")
    return Head(
        method.decode("ascii"),
        version.decode("ascii"),
        unquote(raw_path.decode("ascii")),
        raw_path,
        query,
        headers,
        _body_length(fields, version),
        is_current and not closes,
        is_current and expects,
    )


_cached = lru_cache(maxsize=512)(_parse)


def unparsed_head(data: bytes) -> Head:
    """Return a head in place of one that cannot be parsed: a HEAD if it begins so, else a GET."""
    method = "HEAD" if data.startswith(b"HEAD ") else "GET"
    return Head(method, "1.1", "/", b"/", b"", [], 0, keeps_alive=False, expects_continue=False)


def _parse_fields(data: bytes) -> Headers:
    fields = _Fields()
    try:
        HttpRequestParser(fields).feed_data(data)
    except HttpParserUpgrade:
        pass  # ignored, as a server may: what follows is HTTP/1.1 as before (RFC 9110, 7.8)
    except HttpParserInvalidMethodError:
        raise BadRequest(501, NO_SUCH_METHOD) from None
    except HttpParserError:
        coding = dict(fields.headers).get(b"transfer-encoding", b"chunked")
        if coding.lower() != b"chunked":
            raise BadRequest(501, NO_SUCH_CODING) from None
        raise BadRequest(400, NOT_HTTP) from None
    if len(fields.headers) > MAX_FIELDS:
        raise BadRequest(431, TOO_LARGE)
    return fields.headers


def _check_repeated(headers: Headers) -> None:
    names = [name for name, _ in headers]
    if names.count(b"host") > 1 or names.count(b"transfer-encoding") > 1:
        raise BadRequest(400, NOT_HTTP)


def _parse_target(method: bytes, target: bytes, headers: Headers) -> tuple[bytes, bytes]:
    """Return path and query; an absolute target's authority replaces Host."""
    if method == b"CONNECT":
        raise BadRequest(501, NO_SUCH_METHOD)
    if target.startswith(b"/") and b"#" not in target:
        path, _, query = target.partition(b"?")
        return path, query
    if method == b"OPTIONS" and target == b"*":
        return target, b""
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is None:
        raise BadRequest(400, NOT_HTTP)
    authority, absolute_path, absolute_query = absolute.groups()
    if not _is_host(authority):
        raise BadRequest(400, NO_HOST)
    headers[:] = [one for one in headers if one[0] != b"host"]
    headers.insert(0, (b"host", authority))
    return absolute_path or b"/", absolute_query or b""


def _is_host(value: bytes) -> bool:
    """Return whether this is a host, perhaps with a port, as in a Host header or a URI."""
    match = _HOST.fullmatch(value)
    if match is None:
        return False
    address, port = match.groups()
    if address is not None:
        try:
            IPv6Address(address.decode("ascii"))
        except AddressValueError:
            return False
    return int(port or 0) <= MAX_PORT


def _body_length(fields: dict[bytes, bytes], version: bytes) -> float:
    """Return the length; llhttp has refused a malformed number, and both fields together."""
    coding = fields.get(b"transfer-encoding")
    if coding is None:
        length = fields.get(b"content-length")
        return 0 if length is None else int(length)
    if version == b"1.0":
        raise BadRequest(400, NOT_HTTP)
    if coding.lower() != b"chunked":
        raise BadRequest(501, NO_SUCH_CODING)
    return inf


def _has_token(headers: Headers, name: bytes, token: bytes) -> bool:
    """Return whether a list of tokens, in one line or several, contains this one."""
    values = b",".join(value for field, value in headers if field == name)
    return token in (one.strip(b" \t").lower() for one in values.split(b","))


class Body(Protocol):
    """The body of one request, while it arrives."""

    complete: bool
    """Whether all of it has been taken."""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split `data` into body and the rest. Raises BadRequest."""
        ...


class SizedBody:
    """A body of a known length."""

    __slots__ = ("_left", "complete")

    def __init__(self, length: int) -> None:
        self._left = length
        self.complete = not length

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split `data` into body and the rest."""
        piece = data[: self._left]
        self._left -= len(piece)
        self.complete = not self._left
        return piece, data[len(piece) :]


class ChunkedBody:
    """A body in chunks, parsed by llhttp.

    llhttp cannot be told to stop at the end of a request, and would parse the next. So it is fed
    line by line: the end of a chunked body is the end of a line.
    """

    __slots__ = ("_framing", "_llhttp", "_pieces", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._pieces: list[bytes] = []
        self._framing = FRAMING_ROOM
        self._llhttp = HttpRequestParser(self)
        self._llhttp.feed_data(_CHUNKED_HEAD)

    def on_body(self, piece: bytes) -> None:
        """Keep a piece; called by llhttp."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Record the end of the body; called by llhttp."""
        self.complete = True

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split `data` into body and the rest. Raises BadRequest."""
        begin = 0
        try:
            while begin < len(data) and not self.complete:
                end = data.find(b"\n", begin) + 1 or len(data)
                self._llhttp.feed_data(data[begin:end])
                begin = end
        except HttpParserError:
            raise BadRequest(400, NOT_HTTP) from None
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self._framing -= begin - len(piece) - FRAMING_FACTOR * len(piece)
        if self._framing < 0:
            raise BadRequest(400, NOT_HTTP)
        return piece, data[begin:]


NO_BODY: Final = SizedBody(0)
"""Complete from the start, so all requests without a body share it."""


def body_of(length: float) -> Body:
    """Return a body of this length, infinity for chunks."""
    if not length:
        return NO_BODY
    return ChunkedBody() if length == inf else SizedBody(int(length))
