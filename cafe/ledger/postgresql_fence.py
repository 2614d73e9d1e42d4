"""The fence: a standby ends the session of an owner that is frozen or cut off from its server.

Rule: only a session that waits for its client is ended, and only if that client has promised
heartbeats and sent none during FENCE_SECONDS of observation.

Theory of operation. A process that is stopped, or whose network drops its packets, keeps its
session, and with it the lock. So the owner runs a cheap statement each HEARTBEAT_SECONDS, and the
server records when a session last began or ended one. The standby compares that record with the
last one it saw, and counts the time between its own looks. So a healthy owner keeps its session if
a server's clock is set, or if the server or the standby itself was frozen. A session that works, as
in a long commit, is never ended here: the server's own time-outs do that.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

import structlog

from cafe.ledger.postgresql_connection import TimedConnection

POLL_SECONDS = 0.1
"""The time between a standby's attempts to take the lock."""
HEARTBEAT_SECONDS = 0.5
"""The time between an owner's heartbeats."""
FENCE_SECONDS = 2.0
"""The time without a heartbeat after which an owner's session is ended."""
MOST_SECONDS = 0.2
"""The most time that counts between two looks: a longer pause means this process or server hung."""
APPLICATION = "cafe house"
"""The application_name of a session whose client promises heartbeats."""

# A client that was cut off in the middle of a statement leaves an active session that waits to read
# the rest; a client that was stopped, a session that cannot send its answer.
_WAITING_OWNER = """
SELECT owner.pid, owner.backend_start, owner.state_change, owner.query_start
FROM pg_locks AS taken JOIN pg_stat_activity AS owner USING (pid)
WHERE taken.locktype = 'advisory' AND taken.granted AND taken.objsubid = 2
AND taken.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND taken.classid = %s::int::oid AND taken.objid = %s::int::oid
AND owner.application_name = %s
AND (owner.state LIKE 'idle%%' OR owner.wait_event_type = 'Client')
"""
# Matched by its start, too, since a process id is reused; and by its last statement, since a newer
# one shows that its client is alive.
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND backend_start = %s AND state_change = %s AND query_start = %s
"""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ledger")


class Fence:
    """Watches the session that holds a lock, and ends it when its client is silent."""

    def __init__(self, lock: tuple[int, int]) -> None:
        """Watch the advisory lock with these two numbers."""
        self._lock = lock
        self._seen: tuple[Any, ...] | None = None
        self._silent = 0.0
        """The seconds for which `_seen` has not changed."""
        self._looked_at = 0.0

    def look(self, connection: TimedConnection) -> None:
        """Look once, and end a silent session; call each POLL_SECONDS. Raises psycopg's errors."""
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
