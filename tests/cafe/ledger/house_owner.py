"""A process that runs a ledger as a house does; `python -m tests.cafe.ledger.house_owner URL NAME`.

Rule: it says each thing on a line of its own: `waits`, `owns TERM POSITION`, `jar NAME` for each
jar whose commit was acknowledged, and at its end `lost ERROR`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from itertools import count
from queue import SimpleQueue
from threading import Thread

import trio
from sqlalchemy import NullPool, create_engine

from actors import open_system
from cafe.ledger.errors import LedgerError, LedgerUnavailable
from cafe.ledger.ledger import new_ledger, running
from cafe.shop.process import open_patiently, start_clock
from tests.cafe.ledger.owner import ROOT
from tests.cafe.ledger.shelves import SHELF, Clerk, Write, fill, metadata

LONG = 30.0
"""Seconds in which all that is waited for happens, on a slow machine too."""
PAUSE_SECONDS = 0.005
"""Between two commits."""


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - the parent reads it


async def own(url: str, name: str) -> None:
    """Fill jars, one commit after the other, and say which are acknowledged, until lost."""
    store = await open_patiently(url, partial(say, "waits"))
    ledger = new_ledger(store, start_clock())
    async with running(ledger, 0.0), open_system(grace=0.1) as system:
        journal, _ = await ledger.open(SHELF)
        say("owns", store.term, ledger.statistics().position)
        clerk = await system.start(lambda: Clerk(journal))
        for number in count(1):
            try:
                await clerk.ask(Write((fill(f"{name}{number}", at=ledger.now()),)))
            except LedgerUnavailable:
                await trio.sleep_forever()
            say("jar", f"{name}{number}")
            await trio.sleep(PAUSE_SECONDS)


def main(url: str, name: str) -> None:
    """Own the ledger until it is lost."""
    try:
        trio.run(own, url, name)
    except* LedgerError as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        say("lost", type(error).__name__)


def make_shelves(url: str) -> None:
    """Make the tables of the department that these processes write."""
    engine = create_engine(url, poolclass=NullPool)
    metadata.create_all(engine)


class House:
    """Such a process, and the lines that it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.acknowledged: list[str] = []
        """The jars of which it has said so, as far as its lines were read."""
        self._lines: SimpleQueue[str] = SimpleQueue()
        # At once, since a process whose pipe is full hangs, and loses the ledger for that.
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def wait_for(self, beginning: str) -> str:
        """Read up to the next line that begins so, and return it."""
        while line := self._next():
            if line.startswith(beginning):
                return line
        raise AssertionError(f"it ended before it said {beginning}")

    def wait_owned(self) -> int:
        """Wait until it owns the ledger and has written; return its term."""
        _, term, _ = self.wait_for("owns ").split()
        self.wait_for("jar ")
        return int(term)

    def wait_ended(self) -> None:
        """Return when the process has ended and all that it said was read."""
        while self._next():
            pass

    def kill(self) -> None:
        """End the process, and read what it has said."""
        self.process.kill()
        self._thread.join()

    def _next(self) -> str:
        line = self._lines.get(timeout=LONG)
        if line.startswith("jar "):
            self.acknowledged.append(line.removeprefix("jar "))
        return line


@contextmanager
def running_house(url: str, name: str) -> Generator[House]:
    """Run a process that owns the ledger, or waits to; it is killed at the end."""
    command = [sys.executable, "-m", "tests.cafe.ledger.house_owner", url, name]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        house = House(process)
        try:
            yield house
        finally:
            house.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
