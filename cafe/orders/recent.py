"""Which orders that have ended may be forgotten.

Rule: pure. So many of the last ones are kept, and none whose end is not committed: what the ledger
does not have yet would be read back from it as if it had never happened.
"""

from __future__ import annotations

from collections.abc import Iterator


class Recent:
    """The ids of ended orders, and how much had been written when each changed last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._written: dict[str, int] = {}

    def add(self, order_id: str, written: int) -> None:
        """Note that an ended order has changed."""
        self._written.pop(order_id, None)
        self._written[order_id] = written

    def forgettable(self, committed: int) -> Iterator[str]:
        """Give the orders that are to be forgotten, the oldest first; they are noted no more."""
        while len(self._written) > self._most:
            order_id, written = next(iter(self._written.items()))
            if written > committed:
                return
            del self._written[order_id]
            yield order_id
