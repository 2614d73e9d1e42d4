"""How often something happened lately: counters that forget, in constant time and memory.

One rule: pure. Time comes in as seconds of one clock that never goes back.

Theory of operation: time is cut into buckets as wide as the window. A window keeps two numbers,
what happened in the current bucket and in the one before, and takes the older ones to be spread
evenly:

    estimate = current + previous * (share of the previous bucket that the window still covers)

It lies between what happened in the current bucket and what happened in both. So whoever adds only
while there is room is never let through more than `limit` times in one bucket, nor twice that in
any one window; and whoever stays within `limit` in any two windows always finds room. A log of
exact times would be 25 times as large at 60 entries, and grow with the limit.
"""

from collections import OrderedDict

_INSTANT = 1e-6  # seconds; a shorter wait is a rounding error, not a wait


class SlidingWindow:
    """Counts what happened within the last `width` seconds, roughly."""

    __slots__ = ("_bucket", "_current", "_previous", "_width")

    def __init__(self, width: float) -> None:
        self._width = width
        self._bucket: float = 0.0
        self._current = 0
        self._previous = 0

    def __repr__(self) -> str:
        return f"<SlidingWindow: {self._previous}, then {self._current} in {self._width:g} s>"

    def add(self, now: float, times: int = 1) -> None:
        """Count that it happened `times` times just now."""
        self._advance(now)
        self._current += times

    def estimate(self, now: float) -> float:
        """Return how often it happened in the window that ends now."""
        elapsed = self._advance(now)
        return self._current + self._previous * (1 - elapsed / self._width)

    def seconds_until_room(self, limit: int, now: float) -> float:
        """Return in how many seconds one more stays within `limit`, 0.0 when it does already.

        Whoever comes back then, with nothing added in between, finds room.
        """
        elapsed = self._advance(now)
        spare = limit - 1 - self._current
        if spare >= self._previous:
            return 0.0
        if spare < 0:  # the current bucket is full: it has to become the previous one, then to fade
            return self._width * (2 - (limit - 1) / self._current) - elapsed
        wait = self._width * (1 - spare / self._previous) - elapsed
        return wait if wait > _INSTANT else 0.0

    def seconds_until_quiet(self, now: float) -> float:
        """Return in how many seconds nothing counts any more, at most two widths."""
        elapsed = self._advance(now)
        if self._current:
            return 2 * self._width - elapsed
        return self._width - elapsed if self._previous else 0.0

    def _advance(self, now: float) -> float:
        """Turn to the bucket of `now`; return the seconds that have elapsed in it."""
        bucket, elapsed = divmod(now, self._width)
        if bucket != self._bucket:
            self._previous = self._current if bucket == self._bucket + 1 else 0
            self._current = 0
            self._bucket = bucket
        return elapsed


class WindowTable:
    """Keeps a window for each of at most `most` keys, and one that all further keys share.

    A key keeps its window until it is quiet. So a flood of new keys finds the table full and shares
    what is left, while whoever was known before is still counted alone.
    """

    def __init__(self, width: float, most: int) -> None:
        self.shared = SlidingWindow(width)
        self._width = width
        self._most = most
        # By last use. A plain dict keeps this order too, but its first key is slow to find when
        # many before it have been removed.
        self._windows: OrderedDict[str, SlidingWindow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def window_of(self, key: str, now: float) -> SlidingWindow:
        """Return the window of `key`, which is `shared` when the table has no room for it."""
        window = self._windows.get(key)
        if window is not None:
            self._windows.move_to_end(key)
            return window
        # Two for one: the table shrinks while keys come and go, and no turn has to clear it all.
        self._drop_if_quiet(now)
        self._drop_if_quiet(now)
        if len(self._windows) >= self._most:
            return self.shared
        return self._windows.setdefault(key, SlidingWindow(self._width))

    def forget(self, key: str) -> None:
        """Drop the window of `key` and what it has counted."""
        self._windows.pop(key, None)

    def _drop_if_quiet(self, now: float) -> None:
        """Drop the key that was used longest ago, if nothing of it counts any more."""
        key = next(iter(self._windows), None)
        if key is not None and not self._windows[key].seconds_until_quiet(now):
            del self._windows[key]
