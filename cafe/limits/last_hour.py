"""How often an address did something within the last hour, exactly.

Rule: pure; time is passed in, as seconds of one clock that never goes back. The times are kept, and
not only counted: of so few in so long a time an estimate would let through half as many again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

HOUR: Final = 3_600.0
MOST_ADDRESSES: Final = 50_000
"""That are counted one by one; those beyond share a count, so no flood of them ends another's."""
_OTHERS: Final = ""


class LastHour:
    """When each address did it last."""

    def __init__(self, most: int, most_addresses: int = MOST_ADDRESSES) -> None:
        """Let each address do it `most` times within any hour."""
        self._most = most
        self._most_addresses = most_addresses
        # In the order of their last times.
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_until_room(self, address: str, now: float) -> float:
        """Return in how many seconds an address may do it once more; 0.0 if it may now."""
        times = self._times.get(self._key(address))
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + HOUR - now)

    def add(self, address: str, now: float) -> None:
        """Count that it was done."""
        key = self._key(address)
        self._times.setdefault(key, deque(maxlen=self._most)).append(now)
        self._times.move_to_end(key)
        # Two for each that comes, so that it shrinks and no turn has to clear all of it.
        self._drop_first_if_old(now)
        self._drop_first_if_old(now)

    def _key(self, address: str) -> str:
        is_counted = address in self._times or len(self._times) < self._most_addresses
        return address if is_counted else _OTHERS

    def _drop_first_if_old(self, now: float) -> None:
        key = next(iter(self._times))
        if self._times[key][-1] + HOUR <= now:
            del self._times[key]
