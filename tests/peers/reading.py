"""A conversation with one server: raw bytes in, answers out, read with h11, which is strict.

Rule: nothing is timed. Whether a server has said all that it will say, is asked of the server: on
connections that are opened later it answers some pings, each of which goes the whole way from
accept to answer, and by then what can be done about the bytes that came before has been done.
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
"""Seconds after which a server that is silent where it owes an answer fails the test."""
PINGS = 3
RESET = struct.pack("ii", 1, 0)
IGNORED = (b"date", b"server", b"x-request-id")
"""Header fields that differ between servers, and mean nothing to a client."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and what came before it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    interim: tuple[int, ...] = ()
    is_whole: bool = True

    @property
    def is_the_servers(self) -> bool:
        """Return whether the application had no part in it."""
        return not any(name == b"x-app" for name, _ in self.headers)

    def essence(self) -> Answer:
        """Leave out what need not agree: the whole of a server's own error but its status."""
        if self.is_the_servers:
            return Answer(self.status, ())
        kept = [(name, value) for name, value in self.headers if name not in IGNORED]
        return replace(self, headers=tuple(sorted(kept)))


@dataclass(frozen=True, slots=True)
class Conversation:
    """All answers on one connection; `complaint` is h11's, where it could not read on."""

    answers: tuple[Answer, ...]
    is_closed: bool
    complaint: str = ""

    def essence(self) -> Conversation:
        answers = tuple(answer.essence() for answer in self.answers)
        return replace(self, answers=answers, complaint="unreadable" if self.complaint else "")

    @property
    def statuses(self) -> tuple[int, ...]:
        return tuple(answer.status for answer in self.answers)


class Server:
    """One server, as a client meets it."""

    def __init__(self, port: int) -> None:
        self._port = port

    def talk(self, pieces: Sequence[bytes], methods: Sequence[str] = ()) -> Conversation:
        """Send `pieces`, each when the one before has been dealt with; return all that is answered.

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
        """Send a piece and return what comes of it, until the server rests or has closed."""
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
                assert news, "the server does not answer a ping"
                received += news


def arrived(sock: socket.socket) -> bytes | None:
    """Return what has arrived, b"" for the end, however it came; None when nothing has."""
    if not select([sock], [], [], 0)[0]:
        return None
    try:
        return sock.recv(2**16)
    except ConnectionError:
        return b""


def read(received: bytes, methods: Sequence[str] = (), *, is_closed: bool) -> Conversation:
    """Read all answers that were `received`, to requests that had these methods."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**18)
    client.receive_data(received)
    if is_closed:
        client.receive_data(b"")
    answers: list[Answer] = []
    asked: Iterator[str] = iter(methods)
    try:
        while (answer := next_answer(client, next(asked, "GET"))) is not None:
            answers.append(answer)
            if client.their_state is not h11.DONE:
                break
            client.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return Conversation(tuple(answers), is_closed, str(error))
    rest = client.trailing_data[0] if client.their_state is not h11.IDLE else b""
    complaint = f"speaks on after its last answer: {rest!r}" if rest else ""
    return Conversation(tuple(answers), is_closed, complaint)


def next_answer(client: h11.Connection, method: str) -> Answer | None:
    """Read one answer, None when there is none; it may be broken off by the server's end."""
    client.send(h11.Request(method=method, target="/", headers=[("Host", "cafe")]))
    client.send(h11.EndOfMessage())
    head: h11.Response | None = None
    interim: tuple[int, ...] = ()
    body = b""
    while not isinstance(event := next_event(client, head), h11.EndOfMessage):
        if event is None:
            if head is None:
                return Answer(interim[-1], (), b"", interim, is_whole=False) if interim else None
            return Answer(head.status_code, pairs(head), body, interim, is_whole=False)
        if isinstance(event, h11.InformationalResponse):
            interim += (event.status_code,)
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
    assert head is not None
    return Answer(head.status_code, pairs(head), body, interim)


def next_event(client: h11.Connection, head: h11.Response | None) -> h11.Event | None:
    """Return the next event, None when there is nothing left to read."""
    has_more = bool(client.trailing_data[0]) or head is not None
    if not has_more:
        return None  # h11 would complain of a connection that ends where nothing was owed
    try:
        event = client.next_event()
    except h11.RemoteProtocolError as error:
        if "without sending complete message body" in str(error):
            return None
        raise
    return event if isinstance(event, h11.Event) else None


def pairs(head: h11.Response) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((bytes(name), bytes(value)) for name, value in head.headers)
