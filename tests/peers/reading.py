"""A conversation with one server: raw bytes in, responses out, read with h11, which is strict.

Rule: nothing is timed. The server itself shows when it has sent all that it will send: it responds
to some pings on connections that are opened later. Each ping goes the whole way from accept to
response, and by then the server has dealt with the bytes that came before.
(Pings on a connection that is open already may overtake a new one, which has to be accepted.)
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from select import select

import h11

TIMEOUT = 20.0
"""Seconds without an expected response after which the test fails."""
PINGS = 3
RESET = struct.pack("ii", 1, 0)
IGNORED = (b"date", b"server", b"x-request-id")
"""Header fields that differ between servers, and mean nothing to a client."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response, and the interim responses before it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    interim: tuple[int, ...] = ()
    is_whole: bool = True

    @property
    def is_the_servers(self) -> bool:
        """Whether the response was made by the server, not by the application."""
        return not any(name == b"x-app" for name, _ in self.headers)

    def essence(self) -> Response:
        """Return what has to agree: of an error of the server's own only the status."""
        if self.is_the_servers:
            return Response(self.status, ())
        kept = [(name, value) for name, value in self.headers if name not in IGNORED]
        return replace(self, headers=tuple(sorted(kept)))


@dataclass(frozen=True, slots=True)
class Conversation:
    """All responses on one connection; `complaint` is h11's error, if it could not read on."""

    responses: tuple[Response, ...]
    is_closed: bool
    complaint: str = ""

    def essence(self) -> Conversation:
        responses = tuple(response.essence() for response in self.responses)
        return replace(self, responses=responses, complaint="unreadable" if self.complaint else "")

    @property
    def statuses(self) -> tuple[int, ...]:
        return tuple(response.status for response in self.responses)


class Server:
    """One server, as its clients see it."""

    def __init__(self, port: int) -> None:
        self._port = port

    def talk(self, pieces: Sequence[bytes], methods: Sequence[str] = ()) -> Conversation:
        """Send `pieces`, each when the one before has been dealt with; return all responses.

        `methods` are those of the requests in turn; GET where nothing else is said.
        """
        received, is_closed = b"", False
        with closing(self._connect()) as sock:
            for piece in pieces:
                if not is_closed:
                    news, is_closed = self._exchange(sock, piece)
                    received += news
        return read(received, methods, is_closed=is_closed)

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _exchange(self, sock: socket.socket, piece: bytes) -> tuple[bytes, bool]:
        """Send a piece; return the bytes that the server sends, and whether it has closed."""
        with suppress(ConnectionError):  # it may close before it has read all
            sock.sendall(piece)
        received, quiet = b"", 0
        while quiet < PINGS:
            self._ping()
            quiet += 1
            while (news := arrived(sock)) is not None:
                if not news:
                    return received, True
                received, quiet = received + news, 0
        return received, False

    def _ping(self) -> None:
        with closing(self._connect()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)  # leaves no port in use
            sock.sendall(b"GET /ping HTTP/1.1\r\nHost: cafe\r\n\r\n")
            received = b""
            while not received.endswith(b"pong"):
                news = sock.recv(4096)
                assert news, "no response to a ping"
                received += news


def arrived(sock: socket.socket) -> bytes | None:
    """Return what has arrived: b"" for the end or a reset, None for nothing."""
    if not select([sock], [], [], 0)[0]:
        return None
    try:
        return sock.recv(2**16)
    except ConnectionError:
        return b""


def read(received: bytes, methods: Sequence[str] = (), *, is_closed: bool) -> Conversation:
    """Read all responses in `received`, to requests with these methods."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**18)
    client.receive_data(received)
    if is_closed:
        client.receive_data(b"")
    responses: list[Response] = []
    asked: Iterator[str] = iter(methods)
    try:
        while (response := next_response(client, next(asked, "GET"))) is not None:
            responses.append(response)
            if client.their_state is not h11.DONE:
                break
            client.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return Conversation(tuple(responses), is_closed, str(error))
    rest = client.trailing_data[0] if client.their_state is not h11.IDLE else b""
    complaint = f"bytes after the last response: {rest!r}" if rest else ""
    return Conversation(tuple(responses), is_closed, complaint)


def next_response(client: h11.Connection, method: str) -> Response | None:
    """Return the next response, None if there is none; it may be broken off."""
    client.send(h11.Request(method=method, target="/", headers=[("Host", "cafe")]))
    client.send(h11.EndOfMessage())
    head: h11.Response | None = None
    interim: tuple[int, ...] = ()
    body = b""
    while not isinstance(event := next_event(client, head), h11.EndOfMessage):
        if event is None:
            if head is None:
                return Response(interim[-1], (), b"", interim, is_whole=False) if interim else None
            return Response(head.status_code, pairs(head), body, interim, is_whole=False)
        if isinstance(event, h11.InformationalResponse):
            interim += (event.status_code,)
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
    assert head is not None
    return Response(head.status_code, pairs(head), body, interim)


def next_event(client: h11.Connection, head: h11.Response | None) -> h11.Event | None:
    """Return the next event, None if there is nothing left to read."""
    has_more = bool(client.trailing_data[0]) or head is not None
    if not has_more:
        return None  # h11 would raise at the end of a connection where no response was expected
    try:
        event = client.next_event()
    except h11.RemoteProtocolError as error:
        if "without sending complete message body" in str(error):
            return None
        raise
    return event if isinstance(event, h11.Event) else None


def pairs(head: h11.Response) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((bytes(name), bytes(value)) for name, value in head.headers)
