"""Bodies of requests: as long as their head said, or in chunks until the last.

Rule: pure, and never a byte too many: each takes its own from what has arrived, and leaves the rest
to the next request.
"""

from __future__ import annotations

from math import isinf
from typing import Final, Protocol

from httptools import HttpParserError, HttpRequestParser

from cafe.server.request import NOT_HTTP, BadRequest

FRAMING_FACTOR: Final = 16
FRAMING_ROOM: Final = 8 * 1024
"""What the chunks' sizes, extensions and trailers may take: so much, and so often the body."""

_HEAD = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"


class Body(Protocol):
    """The body of one request, while it arrives."""

    @property
    def complete(self) -> bool:
        """Whether all of it has been taken."""
        ...

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give what of `data` is body, and what comes after. Raises BadRequest."""
        ...


class SizedBody:
    """A body of a length that is known."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def complete(self) -> bool:
        """Whether all of it has been taken."""
        return not self._left

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give what of `data` is body, and what comes after."""
        piece = data[: self._left]
        self._left -= len(piece)
        return piece, data[len(piece) :]


class ChunkedBody:
    """A body in chunks, which llhttp reads.

    llhttp cannot be told to stop where the request ends, and would go on with the next. So it is
    fed line by line, for the end of a chunked body is the end of a line.
    """

    __slots__ = ("_framing", "_llhttp", "_pieces", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._pieces: list[bytes] = []
        self._framing = FRAMING_ROOM
        self._llhttp = HttpRequestParser(self)
        self._llhttp.feed_data(_HEAD)

    def on_body(self, piece: bytes) -> None:
        """Take a piece; llhttp calls this."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Know that this was all; llhttp calls this."""
        self.complete = True

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give what of `data` is body, and what comes after. Raises BadRequest."""
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


NONE: Final = SizedBody(0)
"""Complete from the beginning, so one will do for all."""


def body_of(length: float) -> Body:
    """Give a body of this length, infinity for chunks."""
    if not length:
        return NONE
    return ChunkedBody() if isinf(length) else SizedBody(int(length))
