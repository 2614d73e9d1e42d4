"""Heads of requests: llhttp reads them, and what it is too lenient about is refused here.

Rule: pure, and nothing ambiguous. Two readers who disagree on what a request says can be played
against each other, so whatever could be read in two ways is refused (RFC 9112, 11.2).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from math import inf
from typing import Final, NamedTuple
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
SHORT: Final = 1024  # so that what is remembered has its bounds

NOT_HTTP: Final = "This is not HTTP/1.1 as RFC 9112 has it."
NO_HOST: Final = "This Host, or the authority of this target, names no host (RFC 9110, 7.2)."
TOO_LONG: Final = f"A target may have {MAX_TARGET} bytes."
TOO_LARGE: Final = f"The head of a request may have {MAX_HEAD} bytes and {MAX_FIELDS} fields."
NO_SUCH_METHOD: Final = "This method is not implemented."
NO_SUCH_CODING: Final = "This transfer coding is not implemented, only chunked is."
NO_SUCH_VERSION: Final = "Only HTTP/1.1 and HTTP/1.0 are spoken here."

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
    """A request that the connection itself refuses; it closes after saying so.

    Where it shows in the body it is raised out of the application's `receive`: it is Starlette's
    exception, so that FastAPI lets it through.
    """


class CutShort(BadRequest):
    """A client who ended in the middle of a head; nobody is to be blamed for that."""

    def __init__(self) -> None:
        super().__init__(400, "The request ends in the middle of its head.")


class Head(NamedTuple):
    """What a request's head says; header names are in lower case, all in the order they came."""

    method: str
    version: str
    raw_path: bytes
    query: bytes
    headers: Headers
    body_length: float
    """Bytes of body that follow; infinity for a chunked one, which tells its end itself."""
    keeps_alive: bool
    expects_continue: bool

    @property
    def path(self) -> str:
        """The path as ASGI wants it: percent-decoded, as UTF-8."""
        path = self.raw_path.decode("ascii")
        return unquote(path) if "%" in path else path


class _Fields:
    """What llhttp calls back."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: Headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))


def without_blank_lines(data: bytes) -> bytes:
    """Leave out the empty lines before a head (RFC 9112, 2.2)."""
    blank = _BLANK_LINES.match(data)
    return data[blank.end() :] if blank else data


def end_of_head(data: bytes) -> int:
    """Give where the head at the beginning of `data` ends, 0 while its end is not there.

    Raises BadRequest as soon as it can become none.
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
    """Read a whole head. Raises BadRequest.

    A client on a kept connection, or that polls, sends the same head again and again; so what a
    short one says is remembered. Its headers belong to all who are given it: copy them to change.
    """
    return _remembered(data) if len(data) <= SHORT else _parse(data)


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
    if (host := fields.get(b"host")) and not _is_host(host):  # an empty one names nobody, rightly
        raise BadRequest(400, NO_HOST)
    raw_path, query = _parse_target(method, target, headers)
    closes = b"connection" in fields and _says(headers, b"connection", b"close")
    expects = b"expect" in fields and _says(headers, b"expect", b"100-continue")
    return Head(
        method.decode("ascii"),
        version.decode("ascii"),
        raw_path,
        query,
        headers,
        _body_length(fields, version),
        is_current and not closes,
        is_current and expects,
    )


_remembered = lru_cache(maxsize=512)(_parse)


def stand_in(data: bytes) -> Head:
    """Give a head for what could not be read as one; it tells whether its answer has a body."""
    method = "HEAD" if data.startswith(b"HEAD ") else "GET"
    return Head(method, "1.1", b"/", b"", [], 0, keeps_alive=False, expects_continue=False)


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
    """Give path and query; an absolute target's authority takes the place of Host."""
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
    """Tell whether this is a host with or without a port, as a Host header and a URI have it."""
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
    """Give the length; llhttp has refused what is no number, and both fields together."""
    coding = fields.get(b"transfer-encoding")
    if coding is None:
        length = fields.get(b"content-length")
        return 0 if length is None else int(length)
    if version == b"1.0":
        raise BadRequest(400, NOT_HTTP)
    if coding.lower() != b"chunked":
        raise BadRequest(501, NO_SUCH_CODING)
    return inf


def _says(headers: Headers, name: bytes, token: bytes) -> bool:
    """Tell whether a list of tokens, in one line or several, has this one."""
    values = b",".join(value for field, value in headers if field == name)
    return token in (one.strip(b" \t").lower() for one in values.split(b","))
