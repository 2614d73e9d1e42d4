"""Answers: ASGI's messages become bytes.

Rule: pure; the table is the state machine. What would not be HTTP raises AnswerError before a byte
of it is written, so that no application can make a client read what it did not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from math import inf
from typing import Any, Final

from cafe.http.problem import MEDIA_TYPE, NO_STORE, instance_of, problem_body, request_id_of
from cafe.server.request import Head


class Stage(StrEnum):
    """How far an answer is."""

    AWAITED = "has not begun"
    HEAD = "has a head, which leaves with the first of the body"
    BODY = "is under way"
    COMPLETE = "is complete"


NEXT: Final[Mapping[tuple[Stage, str, bool], Stage]] = {
    # stage, message, more of the body to come
    (Stage.AWAITED, "http.response.start", False): Stage.HEAD,
    (Stage.HEAD, "http.response.body", True): Stage.BODY,
    (Stage.HEAD, "http.response.body", False): Stage.COMPLETE,
    (Stage.BODY, "http.response.body", True): Stage.BODY,
    (Stage.BODY, "http.response.body", False): Stage.COMPLETE,
}

STATUS_LINES: Final[Mapping[int, bytes]] = {
    status: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
STATUSES: Final = range(200, 1000)  # ASGI has no way to send an interim answer
NO_CONTENT: Final = 204
BODILESS: Final = frozenset({NO_CONTENT, 304})
FIELD: Final = re.compile(
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++: [\t -~\x80-\xff]*+\r\n"  # RFC 9110, 5.1 and 5.5
)
FRAMING: Final = frozenset({b"content-length", b"connection", b"transfer-encoding"})
"""What an answer's header says of it as a message; all others are passed on as they are."""
CHUNKED: Final = b"transfer-encoding: chunked\r\n"
CLOSE: Final = b"connection: close\r\n"


class AnswerError(Exception):
    """An application answered in a way that ASGI or HTTP does not have."""


class Answer:
    """The answer to one request."""

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
        """Answer `request`; `defaults` are lines, by name, of what the application does not say."""
        self.stage = Stage.AWAITED
        self.closes = not request.keeps_alive
        """Whether the connection ends with this answer."""
        self._request = request
        self.defaults = defaults
        self._head = b""
        self._left = inf
        self._chunked = False
        self._has_body = True

    @property
    def has_left(self) -> bool:
        """Whether the client has been told anything."""
        return self.stage in {Stage.BODY, Stage.COMPLETE}

    def write(self, message: Mapping[str, Any]) -> bytes:
        """Give the bytes that this message adds; a head waits for its body. Raises AnswerError."""
        more = message.get("more_body", False)
        stage = NEXT.get((self.stage, message["type"], bool(more)))
        if stage is None:
            raise AnswerError(f"{message['type']} does not fit: the answer {self.stage.value}")
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
            raise AnswerError(f"{status!r} is no status of an answer")
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
        """Write what the application says, and what it need not; see RFC 9110, 8.6, for lengths."""
        self._left = inf
        said: set[bytes] = set()
        for name, value in headers:
            field, line = field_line(name, value)
            if field in FRAMING:
                if field == b"connection":
                    self.closes |= b"close" in value.lower()
                    continue
                if field == b"transfer-encoding":  # the framing is ours to choose
                    continue
                self._left = self._read_length(value)
                if not has_length:
                    continue
            said.add(field)
            lines.append(line)
        for field, line in self.defaults.items():
            if field not in said:
                lines.append(line)

    def _read_length(self, value: bytes) -> int:
        if self._left != inf or not value.isdigit():
            raise AnswerError("content-length is said twice, or is no number")
        return int(value)

    def _write_body(self, body: bytes, *, last: bool) -> bytes:
        if not self._has_body:
            return b""
        if self._chunked:
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            return chunk + b"0\r\n\r\n" if last else chunk
        left = self._left - len(body)
        if left < 0 or (last and 0 < left < inf):
            raise AnswerError("the body has another length than its head says")
        self._left = left
        return bytes(body)


@lru_cache(maxsize=256)  # most headers of most answers are the same
def field_line(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Give a header's name in lower case, and its line. Raises AnswerError for what is no header.

    One line, whatever is in there: a value that went on like another header would not match.
    """
    line = b"%s: %s\r\n" % (name, value)
    if b":" in name or FIELD.fullmatch(line) is None:
        raise AnswerError("a header has a name or a value that HTTP has not")
    return name.lower(), line


def write_problem(
    request: Head,
    defaults: Mapping[bytes, bytes],
    scope: MutableMapping[str, Any],
    status: int,
    detail: str = "",
) -> bytes:
    """Give a whole answer, a problem (RFC 9457), after which the connection closes."""
    answer = Answer(request, defaults)
    answer.closes = True
    body = problem_body(status, detail=detail, instance=instance_of(scope))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        NO_STORE,
        (b"x-request-id", request_id_of(scope).encode()),
    ]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return answer.write(start) + answer.write({"type": "http.response.body", "body": body})
