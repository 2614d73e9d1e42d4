"""Server-sent events as bytes (WHATWG HTML, 9.2).

Rule: pure. Data is one line of JSON, which contains no line break; so a client's text can never
begin a line of the stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import orjson

MEDIA_TYPE: Final = "text/event-stream"
ALIVE: Final = b": alive\n\n"
"""A comment, as a heartbeat of the connection."""
RETRY: Final = b"retry: 1000\n\n"
"""The milliseconds that a client waits before it reconnects."""
LAST_EVENT_ID: Final = b"last-event-id"

_POSITION: Final = re.compile(rb"0|[1-9][0-9]{0,15}")


def to_json(data: Any) -> bytes:
    """Return data as one line of JSON; times are in UTC."""
    return orjson.dumps(data, option=orjson.OPT_UTC_Z)


def message(event: str, position: int, data: bytes) -> bytes:
    """Return a message whose id is a position of the log; `data` comes from `to_json`."""
    return b"event: %s\nid: %d\ndata: %s\n\n" % (event.encode("ascii"), position, data)


def alive_at(position: int) -> bytes:
    """Return a comment with a position: a client shows nothing, but resumes after it."""
    return b": alive\nid: %d\n\n" % position


def last_position(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the position in a request's `Last-Event-ID`; None if there is none."""
    given = [value for name, value in headers if name == LAST_EVENT_ID]
    if len(given) != 1 or _POSITION.fullmatch(given[0]) is None:
        return None
    return int(given[0])
