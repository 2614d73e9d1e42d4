"""Which Idempotency-Keys the ledger has: told in memory, so that a new key costs no look-up.

Rule: a key that the ledger has is never denied. Keys are heard of as they are committed; one that
is not is known to the Dispatcher, which knows all orders that live and those that ended last. What
is not sure is answered with yes, and looked up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import inf
from typing import Final

from cafe.ledger.department import Logged, Put
from cafe.orders.tables import keys

MOST_KEYS: Final = 50_000
"""Some 10 MB. Each is an order that waits, or was brewed within CAFE_KEY_TTL_SECONDS."""


class KeptKeys:
    """The keys that were used last."""

    def __init__(self, ttl_seconds: float, most: int = MOST_KEYS) -> None:
        """Know keys for `ttl_seconds`, and the newest only if there are more than `most`."""
        self._ttl_seconds = ttl_seconds
        self._most = most
        self._used_at: OrderedDict[int, float] = OrderedDict()
        """By the hash of address and key; those that were used last are the last."""
        self._complete_after = -inf
        """Whatever was used later is known."""

    def may_have(self, address: str, key: str, since: float) -> bool:
        """Tell whether the ledger may have a key that an address has used at `since` or later."""
        return hash((address, key)) in self._used_at or since <= self._complete_after

    def add(self, address: str, key: str, used_at: float) -> None:
        """Know a key; those come first that were used first."""
        known = hash((address, key))
        self._used_at[known] = used_at
        self._used_at.move_to_end(known)
        while len(self._used_at) > self._most or self._oldest < used_at - self._ttl_seconds:
            _, forgotten = self._used_at.popitem(last=False)
            self._complete_after = max(self._complete_after, forgotten)

    @property
    def _oldest(self) -> float:
        return next(iter(self._used_at.values()))

    def hear(self, logged: Sequence[Logged]) -> None:
        """Take in what has been committed: for a ledger to call."""
        for one in logged:
            for change in one.changes:
                if change.table is not keys:
                    continue
                if isinstance(change, Put):
                    address, key, _order_id, used_at = change.row
                    self.add(address, key, used_at)
                else:
                    self._used_at.pop(hash(change.key), None)
