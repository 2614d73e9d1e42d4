"""The source of a staff stream: the events of the log, one message each.

Rule: a reader costs a cursor. It reads the log in memory, or the database if it is further behind;
so a stream resumes after any position, also after a crash of the process. If it cannot, it sends
`reset`, and the page loads again.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

import trio
from sqlalchemy import Connection, select

from cafe.events.shown import event_json
from cafe.events.sse import alive_at, message
from cafe.events.states import ALIVE_SECONDS
from cafe.ledger.department import Logged
from cafe.ledger.tables import prunings
from cafe.ledger.view import LedgerView

MOST_BEHIND: Final = 10_000
"""The limit of missed events that a stream resumes after; above it, a page loads again faster."""
MOST_AT_ONCE: Final = 200
"""The limit of events that are read at once, and sent together."""
PACE_SECONDS: Final = 0.1
"""The minimum time between two pieces: in a rush a piece has many events."""


class LogReader:
    """Reads the log after a position, and returns the events of some departments as messages."""

    __slots__ = ("_departments", "_ledger", "_next_at", "_position", "_resets")

    def __init__(
        self, ledger: LedgerView, position: int, departments: frozenset[str] | None, *, resets: bool
    ) -> None:
        """Begin after a position; `resets` if it is not the one that the client asked for.

        None for `departments` means all of them.
        """
        self._ledger = ledger
        self._position = position
        self._departments = departments
        self._resets = resets
        self._next_at = -inf

    async def next(self) -> bytes:
        """Return the messages of the next events, or a comment after ALIVE_SECONDS without any."""
        if self._resets:
            self._resets = False
            return message("reset", self._position, b"{}")
        await trio.sleep_until(self._next_at)
        shown = b""
        with trio.move_on_after(ALIVE_SECONDS):
            while not shown:
                shown = b"".join(map(self._show, await self._read()))
        self._next_at = trio.current_time() + PACE_SECONDS
        return shown or alive_at(self._position)

    def close(self) -> None:
        """Do nothing: no state is kept for a reader."""

    async def _read(self) -> Sequence[Logged]:
        async with self._ledger.follow(self._position, MOST_AT_ONCE) as batches:
            batch = await anext(batches)
        self._position = batch[-1].position
        return batch

    def _show(self, logged: Logged) -> bytes:
        if self._departments is not None and logged.department not in self._departments:
            return b""
        return message(logged.department, logged.position, event_json(logged))


async def begin_behind(
    ledger: LedgerView, last: int | None, departments: frozenset[str] | None
) -> LogReader:
    """Return a reader that begins after the last position that a client has received, if possible.

    Otherwise it begins now: the client names no position, or has missed more than MOST_BEHIND
    events, or some of them were pruned. Raises LedgerUnavailable.
    """
    now = ledger.statistics().position
    if last is not None and now - MOST_BEHIND <= last < now:
        is_whole = last >= await ledger.read(load_pruned)
    else:
        is_whole = last == now
    if last is None or not is_whole:
        return LogReader(ledger, ledger.statistics().position, departments, resets=True)
    return LogReader(ledger, last, departments, resets=False)


def load_pruned(connection: Connection) -> int:
    """Return the position up to which events may be missing."""
    return connection.execute(select(prunings.c.through)).scalar() or 0
