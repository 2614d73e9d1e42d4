"""Where a connection is: what follows each phase, and what bounds it.

Rule: pure; the tables are the state machine. A phase without a deadline here is bounded by who is
at work in it, and lingering by a limit of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a connection is."""

    HANDSHAKE = "TLS is being agreed on"
    FRESH = "nothing has been read yet"
    HEAD = "a part of a head is there"
    ANSWERING = "the application works"
    IDLE = "nothing has been read since the last answer"
    LINGERING = "the last answer is given; what still comes is thrown away"


DEADLINES: Final[Mapping[Phase, str]] = {
    Phase.HANDSHAKE: "ssl_handshake_timeout",
    Phase.FRESH: "head_timeout",
    Phase.HEAD: "head_timeout",
    Phase.IDLE: "keep_alive_timeout",
}
"""How long a phase may take, by the configuration's keys."""


class Event(StrEnum):
    """What happens to a connection."""

    OPENED = "the handshake is done, or none was needed"
    BYTES = "a part of a head is there"
    REQUEST = "a head is there"
    ANSWERED = "another request may follow"
    OVER = "none may"


NEXT: Final[Mapping[tuple[Phase, Event], Phase]] = {
    (Phase.HANDSHAKE, Event.OPENED): Phase.FRESH,
    (Phase.FRESH, Event.BYTES): Phase.HEAD,
    (Phase.FRESH, Event.REQUEST): Phase.ANSWERING,
    (Phase.FRESH, Event.OVER): Phase.LINGERING,
    (Phase.HEAD, Event.REQUEST): Phase.ANSWERING,
    (Phase.HEAD, Event.OVER): Phase.LINGERING,
    (Phase.ANSWERING, Event.ANSWERED): Phase.IDLE,
    (Phase.ANSWERING, Event.OVER): Phase.LINGERING,
    (Phase.IDLE, Event.BYTES): Phase.HEAD,
    (Phase.IDLE, Event.REQUEST): Phase.ANSWERING,
    (Phase.IDLE, Event.OVER): Phase.LINGERING,
}
