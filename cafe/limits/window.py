"""Counts how often something happened lately: sliding windows, in constant time and memory.

Rule: pure. Time is passed in, as seconds of one clock that never goes back.

Theory of operation: time is divided into buckets as wide as the window. A window keeps two numbers,
the count of the current bucket and that of the previous one, and assumes that the latter is spread
evenly:

    estimate = current + previous * (share of the previous bucket that the window still covers)

The estimate lies between the count of the current bucket and that of both. So a client that adds
only while there is room adds at most `limit` in one bucket and twice that in any one window; and a
client that stays within `limit` in any two windows always has room. A log of exact times would be
25 times as large at 60 entries, and grow with the limit.
"""

from collections import OrderedDict

_INSTANT = 1e-6  # seconds; a shorter wait is a rounding error, not a wait


class SlidingWindow:
    """Estimates how often something happened within the last `width` seconds."""

    __slots__ = ("_bucket", "_current", "_previous", "_width")

    def __init__(self, width: float) -> None:
        self._width = width
        self._bucket: float = 0.0
        self._current = 0
        self._previous = 0

    def __repr__(self) -> str:
        return f"<SlidingWindow: {self._previous}, then {self._current} in {self._width:g} s>"

    def add(self, now: float, times: int = 1) -> None:
        """Count `times` more, at `now`."""
        self._advance(now)
        self._current += times

    def estimate(self, now: float) -> float:
        """Return the estimated count in the window that ends now."""
        elapsed = self._advance(now)
        return self._current + self._previous * (1 - elapsed / self._width)

    def seconds_until_room(self, limit: int, now: float) -> float:
        """Return the seconds until one more stays within `limit`; 0.0 if it does now.

        If nothing is added until then, there is room then.
        """
        elapsed = self._advance(now)
        spare = limit - 1 - self._current
        if spare >= self._previous:
            return 0.0
        if spare < 0:  # the current bucket is full: it must become the previous one, then fade
            return self._width * (2 - (limit - 1) / self._current) - elapsed
        wait = self._width * (1 - spare / self._previous) - elapsed
        return wait if wait > _INSTANT else 0.0

    def seconds_until_quiet(self, now: float) -> float:
        """Return the seconds until the estimate is 0, at most two widths."""
        elapsed = self._advance(now)
        if self._current:
            return 2 * self._width - elapsed
        return self._width - elapsed if self._previous else 0.0

    def _advance(self, now: float) -> float:
        """Advance to the bucket of `now`; return the seconds that have passed in it."""
        bucket, elapsed = divmod(now, self._width)
        if bucket != self._bucket:
            self._previous = self._current if bucket == self._bucket + 1 else 0
            self._current = 0
            self._bucket = bucket
        return elapsed


class WindowTable:
    """Keeps a window for each of at most `most` keys, and one that all other keys share.

    A key keeps its window while its estimate is not 0. So a flood of new keys finds the table full
    and shares one window, while a key that was there before still has its own.
    """

    def __init__(self, width: float, most: int) -> None:
        self.shared = SlidingWindow(width)
        self._width = width
        self._most = most
        # In the order of last use. A plain dict keeps it, too, but its first key is slow to find
        # after many before it have been removed.
        self._windows: OrderedDict[str, SlidingWindow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def window_of(self, key: str, now: float) -> SlidingWindow:
        """Return the window of `key`, which is `shared` if the table has no room for it."""
        window = self._windows.get(key)
        if window is not None:
            self._windows.move_to_end(key)
            return window
        # Two for each new key, so that the table shrinks and no call has to clear all of it.
        self._drop_if_quiet(now)
        self._drop_if_quiet(now)
        if len(self._windows) >= self._most:
            return self.shared
        return self._windows.setdefault(key, SlidingWindow(self._width))

    def forget(self, key: str) -> None:
        """Drop the window of `key` and its counts."""
        self._windows.pop(key, None)

    def _drop_if_quiet(self, now: float) -> None:
        """Drop the least recently used key, if its estimate is 0."""
        key = next(iter(self._windows), None)
        if key is not None and not self._windows[key].seconds_until_quiet(now):
            del self._windows[key]
