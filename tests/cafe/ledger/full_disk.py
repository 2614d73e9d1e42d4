"""A shop on a disk that fills up; `python -m tests.cafe.ledger.full_disk FILE`.

A limit on the size of files stands for the disk: the kernel then refuses to let any file grow, as
it does where there is no room. It holds for a process, so this needs one of its own.
"""

from __future__ import annotations

import resource
import sys
from functools import partial
from itertools import count
from pathlib import Path

from cafe.ledger.errors import DatabaseGone
from cafe.ledger.log import read_page
from cafe.ledger.store import Store, Unit, open_store
from tests.cafe.ledger.order_histories import Tickets, find, last_position, load, unit_each

ROOM = 200_000


def fill(store: Store, tickets: Tickets) -> None:
    """Write until there is no room."""
    for number in count():
        units = unit_each(tickets.delivered(f"order {number}"))
        try:
            store.commit(units)
        except DatabaseGone as error:
            assert find(store, f"order {number - 1}") is not None
            assert find(store, f"order {number}") is None
            assert len(store.read(partial(read_page, after=4 * number - 1))) == 1
            # A little may still find room where the whole commit did not.
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            assert is_full(store)
            raise SystemExit(free(store, units, number, str(error))) from None


def is_full(store: Store) -> bool:
    """Return what a ping finds."""
    try:
        store.ping()
    except DatabaseGone:
        return True
    return False


def free(store: Store, units: list[Unit], number: int, label: str) -> int:
    """Make room, and go on with the same store: first with what had no room."""
    print(label)  # noqa: T201 - for the test
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.ping()
    positions = [one.position for one in store.commit(units).logged]
    assert positions == [4 * number + place for place in (1, 2, 3, 4)]
    store.commit(unit_each(Tickets(load(store).last_number).delivered("after")))
    assert last_position(store) == 4 * number + 8
    store.close()
    return 0


if __name__ == "__main__":
    ledger = open_store(f"sqlite:///{Path(sys.argv[1])}")
    ledger.begin()
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
    fill(ledger, Tickets())
