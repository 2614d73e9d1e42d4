"""Kills a restore at each of its steps, one after the other, and prints what a shop finds then.

`python -m tests.cafe.ledger.killed_restores FOLDER` prints a line for each: how the restore ended,
and the orders that the shop has. A step is whatever Python's audit hooks see in the folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from cafe.ledger.backup import restore
from cafe.ledger.store import open_store
from tests.cafe.ledger.order_histories import Tickets, find, last_position, unit_each

FORMER, RESTORED = "former", "restored"


def make_ledger(file: Path, order_id: str, lives: int) -> None:
    """Write orders; the last process was killed, so that the log is full."""
    store = open_store(f"sqlite:///{file}")
    tickets = Tickets()
    for number in range(lives):
        store.commit(unit_each(tickets.delivered(f"{order_id} {number}")))
    beside = file.with_name("aside")
    beside.mkdir()
    for ending in ("", "-wal"):
        shutil.copy(f"{file}{ending}", beside / f"{file.name}{ending}")
    store.close()
    for ending in ("", "-wal"):
        (beside / f"{file.name}{ending}").replace(f"{file}{ending}")
    beside.rmdir()


def holds(file: Path) -> str:
    """Return whose orders a shop has that opens the ledger."""
    store = open_store(f"sqlite:///{file}")
    whose = [
        f"{name} {last_position(store)}"
        for name in (FORMER, RESTORED)
        if find(store, f"{name} 0") is not None
    ]
    store.close()
    return " and ".join(whose)


def die_at(step: int, folder: Path) -> None:
    """Have this process killed before the step with this number."""
    steps = count(1)

    def watch(_event: str, arguments: tuple[object, ...]) -> None:
        if any(str(folder) in str(argument) for argument in arguments) and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def play(folder: Path, step: int) -> int:
    """Restore in a process of its own that dies at a step, and give its exit status."""
    shutil.copytree(folder / "before", folder / "now")
    child = os.fork()
    if child == 0:
        die_at(step, folder / "now")
        restore(f"sqlite:///{folder}/now/cafe.db", folder / "source" / "copy.db")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path) -> None:
    """Play until a restore lives to its end."""
    for name in ("before", "source"):
        (folder / name).mkdir()
    make_ledger(folder / "before" / "cafe.db", FORMER, 3)
    make_ledger(folder / "source" / "copy.db", RESTORED, 2)
    status = -1
    for step in count(1):
        status = play(folder, step)
        print(status, holds(folder / "now" / "cafe.db"), sep=": ")  # noqa: T201 - for the test
        shutil.rmtree(folder / "now")
        if status == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
