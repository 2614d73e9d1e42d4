"""A process that owns a ledger until it is killed; `python -m tests.cafe.ledger.owner URL`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cafe.ledger.store import open_store
from tests.cafe.ledger.order_histories import Tickets, unit_each

ROOT = Path(__file__).parents[3]


def own(url: str) -> None:
    """Write four orders, say so, write a group that never ends, and wait to be killed."""
    store = open_store(url)
    tickets = Tickets()
    for order_id in "abcd":
        store.commit(unit_each(tickets.delivered(order_id)))
    link = store._writer  # pyright: ignore[reportPrivateUsage] - a kill comes before a commit ends
    with link.transaction(writing=True) as connection:
        connection.exec_driver_sql("DELETE FROM events")
        print("mine", flush=True)  # noqa: T201 - the parent waits for it
        sys.stdin.read()


@contextmanager
def another_owner(url: str) -> Generator[subprocess.Popen[bytes]]:
    """Run a process that has the ledger."""
    command = [sys.executable, "-m", "tests.cafe.ledger.owner", url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"mine\n"
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    own(sys.argv[1])
