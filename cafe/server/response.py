"""Responses as bytes: ASGI's messages are written as HTTP/1.1.

Rule: pure; the table is the state machine. A message that would not be valid HTTP raises
ResponseError before a byte of it is written, so that no header value of an application can be read
as another header or as a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from math import inf
from typing import Any, Final

from cafe.server.request import Head


class Stage(StrEnum):
    """How much of a response has been written."""

    AWAITED = "has not begun"
    HEAD = "has a head, which is sent with the first of its body"
    BODY = "is being sent"
    COMPLETE = "is complete"


NEXT: Final[Mapping[tuple[Stage, str, bool], Stage]] = {
    # stage, message, whether more of the body follows
    (Stage.AWAITED, "http.response.start", False): Stage.HEAD,
    (Stage.HEAD, "http.response.body", True): Stage.BODY,
    (Stage.HEAD, "http.response.body", False): Stage.COMPLETE,
    (Stage.BODY, "http.response.body", True): Stage.BODY,
    (Stage.BODY, "http.response.body", False): Stage.COMPLETE,
}

STATUS_LINES: Final[Mapping[int, bytes]] = {
    status: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
STATUSES: Final = range(200, 1000)  # ASGI has no message for an interim response
NO_CONTENT: Final = 204
BODILESS: Final = frozenset({NO_CONTENT, 304})
FIELD: Final = re.compile(
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++: [\t -~\x80-\xff]*+\r\n"  # RFC 9110, 5.1 and 5.5
)
FRAMING: Final = frozenset({b"content-length", b"connection", b"transfer-encoding"})
"""The headers that frame a response and its connection; all others are passed on as they are."""
CHUNKED: Final = b"transfer-encoding: chunked\r\n"
CLOSE: Final = b"connection: close\r\n"


class ResponseError(Exception):
    """An application sent what ASGI or HTTP does not allow."""


class ResponseWriter:
    """Writes the response to one request."""

    __slots__ = (
        "_chunked",
        "_has_body",
        "_head",
        "_left",
        "_request",
        "closes",
        "defaults",
        "stage",
    )

    def __init__(self, request: Head, defaults: Mapping[bytes, bytes]) -> None:
        """Respond to `request`; `defaults` are lines, by name, of headers that are not set."""
        self.stage = Stage.AWAITED
        self.closes = not request.keeps_alive
        """Whether the connection ends with this response."""
        self._request = request
        self.defaults = defaults
        self._head = b""
        self._left = inf
        self._chunked = False
        self._has_body = True

    @property
    def has_started(self) -> bool:
        """Whether any of it has been written."""
        return self.stage in {Stage.BODY, Stage.COMPLETE}

    def write(self, message: Mapping[str, Any]) -> bytes:
        """Return the bytes for this message; a head waits for its body. Raises ResponseError."""
        more = message.get("more_body", False)
        stage = NEXT.get((self.stage, message["type"], bool(more)))
        if stage is None:
            raise ResponseError(f"{message['type']} does not fit: the response {self.stage.value}")
        if stage is Stage.HEAD:
            written = b""
            self._head = self._write_head(message["status"], message.get("headers", ()))
        else:
            written = self._head + self._write_body(message.get("body", b""), last=not more)
            self._head = b""
        self.stage = stage
        return written

    def _write_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        if status not in STATUSES:
            raise ResponseError(f"{status!r} is no status of a response")
        self._has_body = status not in BODILESS and self._request.method != "HEAD"
        lines = [STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        self._write_fields(lines, headers, has_length=status != NO_CONTENT)
        self._chunked = False
        if self._left == inf and status not in BODILESS:
            self._chunked = self._request.version == "1.1"
            self.closes |= not self._chunked  # the end of the connection is the end of the body
            lines += [CHUNKED] * self._chunked
        if self.closes:
            lines.append(CLOSE)
        lines.append(b"\r\n")
        return b"".join(lines)

    def _write_fields(
        self, lines: list[bytes], headers: Iterable[tuple[bytes, bytes]], *, has_length: bool
    ) -> None:
        """Write the application's headers and the defaults; for the lengths see RFC 9110, 8.6."""
        self._left = inf
        seen: set[bytes] = set()
        for name, value in headers:
            field, line = field_line(name, value)
            if field in FRAMING:
                if field == b"connection":
                    self.closes |= b"close" in value.lower()
                    continue
                if field == b"transfer-encoding":  # this class chooses the framing
                    continue
                if self._left != inf or not value.isdigit():
                    raise ResponseError("content-length is repeated, or is no number")
                self._left = int(value)
                if not has_length:
                    continue
            seen.add(field)
            lines.append(line)
        for field, line in self.defaults.items():
            if field not in seen:
                lines.append(line)

    def _write_body(self, body: bytes, *, last: bool) -> bytes:
        if not self._has_body:
            return b""
        if self._chunked:
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            return chunk + b"0\r\n\r\n" if last else chunk
        left = self._left - len(body)
        if left < 0 or (last and 0 < left < inf):
            raise ResponseError("the body has another length than its content-length")
        self._left = left
        return bytes(body)


@lru_cache(maxsize=256)  # most headers of most responses are the same
def field_line(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return a header's name in lower case, and its line; raises ResponseError for an invalid one.

    Always one line: a value with a line break would not match.
    """
    line = b"%s: %s\r\n" % (name, value)
    if b":" in name or FIELD.fullmatch(line) is None:
        raise ResponseError("a header has a name or a value that HTTP does not allow")
    return name.lower(), line


def write_response(
    request: Head,
    status: int,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    defaults: Mapping[bytes, bytes],
) -> bytes:
    """Return a whole response, after which the connection closes."""
    response = ResponseWriter(request, defaults)
    response.closes = True
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return response.write(start) + response.write({"type": "http.response.body", "body": body})
