"""Standbys in threads, for tests, and the owner's session as the server has it."""

from __future__ import annotations

from threading import Event, Thread

from cafe.ledger.standby import Standby
from cafe.ledger.store import Store, open_store
from tests.cafe.ledger.house_owner import LONG
from tests.cafe.ledger.postgres import PostgresServer

HOLDER = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Waiting:
    """A standby in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.begun = Event()
        self.standby = Standby(self.begun.set)
        self.store: Store | None = None
        self.error: Exception | None = None
        self._thread = Thread(target=self._open, args=(url,), daemon=True)
        self._thread.start()

    def _open(self, url: str) -> None:
        try:
            self.store = open_store(url, standby=self.standby)
        except Exception as error:  # noqa: BLE001 - a test looks at it
            self.error = error

    def wait_begun(self) -> None:
        assert self.begun.wait(LONG)

    def owns(self, within: float = LONG) -> bool:
        """Return whether it is the owner by then."""
        self._thread.join(within)
        return self.store is not None

    def failure(self) -> Exception | None:
        """Return how it ended."""
        self._thread.join(LONG)
        return self.error

    def close(self) -> None:
        self.standby.cancel()
        self._thread.join(LONG)
        if self.store is not None:
            self.store.close()


def end_session(postgres: PostgresServer, database: str) -> None:
    """End the session of the owner, and return when it has ended."""
    ((pid,),) = postgres.execute(HOLDER, database)
    assert postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)") == [(True,)]


def sessions_of(postgres: PostgresServer, database: str, name: str | None = None) -> list[int]:
    """Return the process ids of the sessions of a database: all, or those of an application."""
    rows = postgres.execute("SELECT pid, datname, application_name FROM pg_stat_activity")
    return [pid for pid, of, application in rows if of == database and name in {None, application}]
