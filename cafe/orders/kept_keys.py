"""The Idempotency-Keys in the ledger, kept in memory by following its log.

Rule: as in `followers.py`. It imports neither logs nor metrics, since `cafe report` imports it
through the queries.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from math import inf
from typing import Final, NamedTuple

from cafe.ledger.department import Logged, Put
from cafe.orders.tables import keys

MOST_KEYS: Final = 50_000
"""The limit of keys in memory, about 10 MB. Each belongs to an order that waits, or was brewed
within CAFE_KEY_TTL_SECONDS."""


class UsedKey(NamedTuple):
    """A key, and when it was used."""

    address: str
    key: str
    used_at: float


class KeptKeys:
    """A filter of the Idempotency-Keys in the ledger, so that a new key costs no look-up.

    It has no false negatives: keys are added as they are committed, and the Dispatcher knows the
    uncommitted ones. A key that is uncertain counts as present, and is looked up.
    """

    def __init__(self, ttl_seconds: float, most: int = MOST_KEYS) -> None:
        """Keep keys for `ttl_seconds`, and at most the newest `most`."""
        self._ttl_seconds = ttl_seconds
        self._most = most
        self._used_at: OrderedDict[int, float] = OrderedDict()
        """Times of use by the hash of address and key, the most recent last."""
        self._complete_after = -inf
        """Every key used after this time is in the filter."""

    def begin(self, used: Iterable[UsedKey]) -> None:
        """Replace all keys by these, which are in the order of their use."""
        self._used_at.clear()
        self._complete_after = -inf
        for one in used:
            self.add(*one)

    def doubt(self) -> None:
        """Count every key as present until the next `begin`: keys may have been missed."""
        self._complete_after = inf

    def may_have(self, address: str, key: str, since: float) -> bool:
        """Return whether the ledger may have a key that an address used at `since` or later."""
        return hash((address, key)) in self._used_at or since <= self._complete_after

    def add(self, address: str, key: str, used_at: float) -> None:
        """Add a key; call this in the order of use."""
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
        """Add and delete keys by committed events; a callback for `Ledger.listen`."""
        for one in logged:
            for change in one.changes:
                if change.table is not keys:
                    continue
                if isinstance(change, Put):
                    address, key, _order_id, used_at = change.row
                    self.add(address, key, used_at)
                else:
                    self._used_at.pop(hash(change.key), None)
