"""How a standby ends the session of an owner that is frozen or cut off from its server.

Rule: only a session that waits for its client is ended, and only if that client has promised signs
of life and has shown none while it was looked at for FENCE_SECONDS.

Theory of operation. A process that is stopped, and one whose network swallows what is sent, keep
their sessions, and with them the lock. So the owner runs a cheap statement each HEARTBEAT_SECONDS,
and the server notes when a session last began or ended one. The standby compares what is noted with
what it saw before, and counts the time between its own looks: so neither a server's clock that is
set, nor a server or a standby that was frozen itself, takes the ownership from an owner that is
well. A session that works, as in a long commit, is never ended here: the server's own time-outs do
that.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

import structlog

from cafe.ledger.postgresql_connection import TimedConnection

POLL_SECONDS = 0.1
"""Between two attempts of a standby to take the lock."""
HEARTBEAT_SECONDS = 0.5
"""Between two heartbeats of an owner."""
FENCE_SECONDS = 2.0
"""After so long without a heartbeat an owner's session is ended."""
MOST_SECONDS = 0.2
"""That count between two looks: where more have passed, this process or the server hung."""
APPLICATION = "cafe house"
"""The name of a session whose client sends heartbeats, and that may be ended without one."""

# A client that was cut off in the middle of a statement leaves a session that is active, and waits
# to read the rest; one that was stopped, a session that cannot send its answer.
_WAITING_OWNER = """
SELECT owner.pid, owner.backend_start, owner.state_change, owner.query_start
FROM pg_locks AS taken JOIN pg_stat_activity AS owner USING (pid)
WHERE taken.locktype = 'advisory' AND taken.granted AND taken.objsubid = 2
AND taken.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND taken.classid = %s::int::oid AND taken.objid = %s::int::oid
AND owner.application_name = %s
AND (owner.state LIKE 'idle%%' OR owner.wait_event_type = 'Client')
"""
# By its start, too: a process id is reused. And by its last statement, which may be a new one.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND backend_start = %s AND state_change = %s AND query_start = %s
"""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ledger")


class Fence:
    """Looks at the session that holds a lock, and ends it when its client is silent."""

    def __init__(self, lock: tuple[int, int]) -> None:
        """Take the two numbers of the advisory lock."""
        self._lock = lock
        self._seen: tuple[Any, ...] | None = None
        self._silent = 0.0
        """For so many seconds `_seen` was seen as it is."""
        self._looked_at = 0.0

    def look(self, connection: TimedConnection) -> None:
        """Look once; call this each POLL_SECONDS. Raises what the driver raises."""
        seen = connection.execute(_WAITING_OWNER, (*self._lock, APPLICATION)).fetchone()
        now = monotonic()
        passed, self._looked_at = now - self._looked_at, now
        self._silent = (
            0.0 if seen is None or seen != self._seen else self._silent + min(passed, MOST_SECONDS)
        )
        self._seen = seen
        if seen is not None and self._silent >= FENCE_SECONDS:
            connection.execute(_END, seen)
            log.warning("silent owner's session ended", pid=seen[0], seconds=FENCE_SECONDS)
