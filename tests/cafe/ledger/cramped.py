"""A shop on a disk that fills up; `python -m tests.cafe.ledger.cramped FILE`.

A limit on the size of files stands for the disk: the kernel then refuses to let any file grow, as
it does where there is no room. It holds for a process, so this needs one of its own.
"""

from __future__ import annotations

import resource
import sys
from itertools import count
from pathlib import Path

from cafe.ledger.errors import DatabaseGone
from cafe.ledger.opening import open_store
from cafe.ledger.store import Store
from tests.cafe.ledger.lives import Writer

ROOM = 200_000


def fill(store: Store, epoch: int, writer: Writer) -> None:
    """Write until there is no room."""
    for number in count():
        records = writer.life(f"order {number}")
        try:
            store.commit(epoch, records)
        except DatabaseGone as error:
            assert store.load().last_sequence == records[0].event.sequence - 1
            assert store.find(f"order {number - 1}") is not None
            assert store.find(f"order {number}") is None
            # A little may still find room where the whole group did not.
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            assert is_full(store)
            raise SystemExit(free(store, records[-1].event.sequence, str(error))) from None


def is_full(store: Store) -> bool:
    """Say what a ping finds."""
    try:
        store.ping()
    except DatabaseGone:
        return True
    return False


def free(store: Store, sequence: int, told: str) -> int:
    """Make room, and go on with the same store."""
    print(told)  # noqa: T201 - for the test
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.ping()
    snapshot = store.load()
    writer = Writer(snapshot.last_sequence, snapshot.last_number)
    store.commit(snapshot.epoch, writer.life("after"))
    assert store.load().last_sequence == sequence
    store.close()
    return 0


if __name__ == "__main__":
    ledger = open_store(f"sqlite:///{Path(sys.argv[1])}")
    begun = ledger.load().epoch
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
    fill(ledger, begun, Writer())
