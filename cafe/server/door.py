"""What the connections of one server share.

Rule: no connection reaches another through it, and nothing in it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from time import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from starlette.types import ASGIApp

from cafe.limits.admission import Admission
from cafe.server.config import DoorConfig
from cafe.server.deadlines import Deadlines
from cafe.server.disconnects import HangUps
from cafe.server.isolation import Throttle

if TYPE_CHECKING:
    from cafe.server.connection import Connection

SERVER: Final = b"server: cafe\r\n"

log: structlog.stdlib.BoundLogger = structlog.get_logger("connection")


class Door:
    """The application behind one server, and what holds for all of its connections."""

    def __init__(
        self,
        app: ASGIApp,
        config: DoorConfig,
        admission: Admission,
        state: Mapping[str, Any],
        deadlines: Deadlines,
        *,
        hang_ups: HangUps | None = None,
    ) -> None:
        """Serve `app`; `state` is what its lifespan has set, a copy of it is each request's."""
        self.app = app
        self.config = config
        self.admission = admission
        self.deadlines = deadlines
        self.hang_ups = hang_ups
        self.state = dict(state)
        self.connections: set[Connection] = set()
        self.closing = False
        """Whether each answer is the last of its connection."""
        self._throttle = Throttle()
        self._headers: dict[bytes, bytes] = {}
        self._second = 0

    def headers(self) -> Mapping[bytes, bytes]:
        """Give the lines of the headers that an answer has unless it brings its own, by name."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._headers = {}
            if self.config.include_date_header:
                self._headers[b"date"] = b"date: %s\r\n" % formatdate(second, usegmt=True).encode()
            if self.config.include_server_header:
                self._headers[b"server"] = SERVER
        return self._headers

    def tell_refusal(self, status: int, address: str, request_id: str) -> None:
        """Log a request that no application has seen, so that its id is found."""
        log.info("request refused", status=status, address=address, request_id=request_id)

    def tell(self, event: str, **values: object) -> None:
        """Log a contained failure, unless there have been many just now."""
        if self._throttle.passes():
            # A log that fails must not end what it tells of: a traceback in colours reads source
            # files, for which there may be no descriptor.
            with suppress(Exception):
                log.error(event, held_back=self._throttle.take_held_back(), **values)
