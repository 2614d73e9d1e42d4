"""A raw HTTP/1.1 client: what is sent is given byte by byte, what is received is read with h11.

Rule: it accepts no mistake. h11 raises for any response that is not HTTP/1.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import h11
import trio

GET = b"GET / HTTP/1.1\r\nHost: cafe\r\n\r\n"
PARK = b"GET /park HTTP/1.1\r\nHost: cafe\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response as h11 reads it."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Client:
    """A client on one connection; raises for any response that is not HTTP/1.1."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._connection = h11.Connection(h11.CLIENT)

    @property
    def is_closed(self) -> bool:
        """Whether the last answer has said that the connection is closed behind it."""
        return self._connection.our_state is not h11.IDLE

    async def ask(self, raw: bytes, method: str = "GET") -> Answer:
        """Send `raw` and return the answer; then the connection is ready for the next request."""
        await self.stream.send_all(raw)
        return await self.read(method)

    async def read(self, method: str = "GET") -> Answer:
        """Return the answer to what has been sent."""
        self._set_method(method)
        head, body = h11.Response(status_code=599, headers=[]), b""
        while not isinstance(event := self._connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                self._connection.receive_data(bytes(await self.stream.receive_some(65536)))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
        if self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE:
            self._connection.start_next_cycle()
        return Answer(head.status_code, dict(head.headers), body)

    def _set_method(self, method: str) -> None:
        """Tell h11 what was requested; the request itself is often one that h11 would not write."""
        self._connection.send(h11.Request(method=method, target="/", headers=[("Host", "cafe")]))
        self._connection.send(h11.EndOfMessage())


async def ask(stream: trio.abc.Stream, raw: bytes, method: str = "GET") -> Answer:
    """Send one request and return its answer."""
    return await Client(stream).ask(raw, method)


async def read_to_end(stream: trio.abc.ReceiveStream) -> bytes:
    """Return all that is received until the connection is closed or reset."""
    received = b""
    try:
        while data := await stream.receive_some(65536):
            received += data
    except trio.BrokenResourceError:
        pass
    return received


def request(method: str, path: str, *fields: str, body: bytes = b"") -> bytes:
    """Return a request with these header lines."""
    length = f"Content-Length: {len(body)}"
    lines = (f"{method} {path} HTTP/1.1", "Host: cafe", length, *fields)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
