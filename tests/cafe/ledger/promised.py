"""What `cafe db check` would say of a store that has no database."""

from __future__ import annotations

from cafe.ledger.checking import check
from cafe.ledger.opening import open_store
from tests.cafe.ledger.fakes import MemoryStore
from tests.cafe.ledger.scribe import STEPS


def broken_promises(store: MemoryStore) -> list[str]:
    """Have `cafe db check` look at what a fake has."""
    real = open_store("sqlite://")
    try:
        epoch = real.load().epoch
        real.commit(epoch, list(store.events.values()))
        link = real._link  # pyright: ignore[reportPrivateUsage] - a memory has no other reader
        with link.transaction(writing=False) as connection:
            return [str(promise) for promise in check(connection, STEPS) if promise.findings]
    finally:
        real.close()
