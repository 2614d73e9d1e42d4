"""Limits how often an address does something within an hour, exactly.

Rule: pure; time is passed in, as seconds of one clock that never goes back. The exact times are
kept: with so few in so long a time, an estimate would allow half as many again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

HOUR: Final = 3_600.0
MOST_ADDRESSES: Final = 50_000
"""Addresses with a count of their own; others share one, so that a flood evicts no count."""
_OTHERS: Final = ""


class LastHour:
    """The last times of each address."""

    def __init__(self, most: int, most_addresses: int = MOST_ADDRESSES) -> None:
        """Allow `most` times for each address within any hour."""
        self._most = most
        self._most_addresses = most_addresses
        # In the order of their last times.
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_until_room(self, address: str, now: float) -> float:
        """Return the seconds until an address may do it again; 0.0 if it may now."""
        times = self._times.get(self._key(address))
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + HOUR - now)

    def add(self, address: str, now: float) -> None:
        """Count one time, at `now`."""
        key = self._key(address)
        self._times.setdefault(key, deque(maxlen=self._most)).append(now)
        self._times.move_to_end(key)
        # Two for each call, so that it shrinks and no call has to clear all of it.
        self._drop_first_if_old(now)
        self._drop_first_if_old(now)

    def _key(self, address: str) -> str:
        is_counted = address in self._times or len(self._times) < self._most_addresses
        return address if is_counted else _OTHERS

    def _drop_first_if_old(self, now: float) -> None:
        key = next(iter(self._times))
        if self._times[key][-1] + HOUR <= now:
            del self._times[key]
