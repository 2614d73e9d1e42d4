"""The state that all connections of one server share, and the protocols that its caller implements.

Rule: no connection reaches another through it, and nothing in it waits. The protocols here are all
that the server knows of the shop: who may connect, and how an error is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from time import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
import trio
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from cafe.server.config import ServerConfig
from cafe.server.deadlines import Deadlines
from cafe.server.disconnects import Disconnects
from cafe.server.request import Head
from cafe.server.response import write_response

if TYPE_CHECKING:
    from cafe.server.connection import Connection

SERVER: Final = b"server: cafe\r\n"

log: structlog.stdlib.BoundLogger = structlog.get_logger("connection")


class Lease(Protocol):
    """The place of one open connection."""

    was_used: bool
    """Whether anything was sent to the client."""

    def attach(self, *, is_idle: Callable[[], bool], abort: Callable[[], None]) -> None:
        """Allow the connection to be closed for a ban, or when it is idle and its place is needed.

        `is_idle` returns whether that loses no response; `abort` frees the descriptor at once.
        """

    def blame(self) -> None:
        """Count against the client's address that it did not send HTTP."""

    def release(self) -> None:
        """Free the place; calling it again does nothing."""


class Admission(Protocol):
    """Decides who may connect, and counts refused and failed connections."""

    refused: int
    malformed: int
    isolated: int
    released: trio.Event
    """Set when the next connection closes; a task that waits for it puts a new event here first."""

    def admit(self, host: str, has_left: Callable[[], bool]) -> Lease | None:
        """Return a lease for a connection from `host`; None if it is refused.

        `has_left` returns whether the client has closed its side; called for suspects only.
        """
        ...

    def make_room(self) -> int:
        """Close idle connections, and return how many."""
        ...


class ProblemResponse(Protocol):
    """Makes the response to a request that fails in the server."""

    def __call__(self, scope: Scope, status: int, /, *, detail: str) -> Response:
        """Return a response with this status; an empty `detail` stands for the status's phrase."""
        ...


@dataclass(frozen=True, slots=True)
class Problems:
    """Writes the server's own errors, in the form of the shop's."""

    response: ProblemResponse
    request_id: Callable[[Scope], str]
    """Returns the request's id, for its response and its log lines."""


class ServerContext:
    """The application of one server, and the state of all its connections."""

    def __init__(
        self,
        app: ASGIApp,
        config: ServerConfig,
        admission: Admission,
        problems: Problems,
        deadlines: Deadlines,
        *,
        disconnects: Disconnects | None = None,
    ) -> None:
        self.app = app
        self.config = config
        self.admission = admission
        self.problems = problems
        self.deadlines = deadlines
        self.disconnects = disconnects
        self.state: dict[str, Any] = {}
        """Set by the application's lifespan; each request gets a copy."""
        self.connections: set[Connection] = set()
        self.closing = False
        """Whether each response is the last of its connection."""
        self._throttle = Throttle()
        self._headers: dict[bytes, bytes] = {}
        self._second = 0

    def default_headers(self) -> Mapping[bytes, bytes]:
        """Return the header lines, by name, that a response has unless it brings its own."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._headers = {}
            if self.config.include_date_header:
                self._headers[b"date"] = b"date: %s\r\n" % formatdate(second, usegmt=True).encode()
            if self.config.include_server_header:
                self._headers[b"server"] = SERVER
        return self._headers

    def write_problem(self, request: Head, scope: Scope, status: int, detail: str) -> bytes:
        """Return a whole error response, after which the connection closes."""
        response = self.problems.response(scope, status, detail=detail)
        request_id = (b"x-request-id", self.problems.request_id(scope).encode())
        headers = [*response.raw_headers, request_id]
        return write_response(
            request, status, headers, bytes(response.body), self.default_headers()
        )

    def log_refusal(self, status: int, address: str, scope: Scope) -> None:
        """Log a request that no application has seen, so that its id can be looked up."""
        request_id = self.problems.request_id(scope)
        log.info("request refused", status=status, address=address, request_id=request_id)

    def log_failure(self, event: str, **values: object) -> None:
        """Log a contained failure, unless there have been many just now."""
        if self._throttle.passes():
            # An error while logging must not propagate: a coloured traceback reads source files,
            # for which there may be no descriptor.
            with suppress(Exception):
                log.error(event, suppressed=self._throttle.take_suppressed(), **values)


class Throttle:
    """Lets `burst` log lines through in each period of `seconds`, and counts the others."""

    def __init__(
        self, burst: int = 10, seconds: float = 10.0, now: Callable[[], float] = trio.current_time
    ) -> None:
        self._burst = burst
        self._seconds = seconds
        self._now = now
        self._ends = 0.0
        self._passed = 0
        self._suppressed = 0

    def passes(self) -> bool:
        """Return whether to write this line."""
        now = self._now()
        if now >= self._ends:
            self._ends, self._passed = now + self._seconds, 0
        if self._passed == self._burst:
            self._suppressed += 1
            return False
        self._passed += 1
        return True

    def take_suppressed(self) -> int:
        """Return how many lines were suppressed since the last call."""
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed
