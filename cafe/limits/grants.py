"""Requests that a front may admit by itself, since they are counted for all fronts already.

Rule: pure. Time is passed in, as seconds of one clock that never goes back.

Asking Redis about each request would cost a front more than the request does. So an address that
comes again and again is granted some of what remains to it: they are counted in Redis as they are
granted, and the next requests are admitted here until they are used up. A grant ends with its
bucket of the sliding windows; what is left of it then stays counted there.

A grant is at most GRANT_SHARE of what the address has lately asked for at this front. So an address
that comes through many fronts loses at most that part of its limit to grants that are not used.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeVar

GRANT_SHARE: Final = 4
"""For so many requests of an address at this front one more is granted."""
MOST_GRANTED: Final = 16
MOST_GRANTS: Final = 10_000
"""Addresses whose grants are kept; each request of any other one is asked about."""

Key = TypeVar("Key")


class Grant:
    """What an address was granted on one port."""

    __slots__ = ("asked_at", "asking", "left", "quiet_at", "remaining", "until", "used")

    def __init__(self, now: float) -> None:
        self.asked_at = now
        """When Redis was asked the last time."""
        self.left = 0
        """Counted in Redis, and not used as far as is known here."""
        self.until = 0.0
        """The end of the bucket in which they are counted."""
        self.remaining = 0
        """How many more than `left` would be admitted, as of the last answer."""
        self.quiet_at = 0.0
        """When all of the quota is free again, without further requests."""
        self.used = 0
        """Requests that have come lately."""
        self.asking = False
        """Whether a grant is being asked for: one at a time."""


class Grants(OrderedDict[Key, Grant]):
    """The grants of at most MOST_GRANTS addresses, in the order of last use."""

    def __init__(self, width: float) -> None:
        """Forget an address that has not asked for `width` seconds."""
        super().__init__()
        self._width = width

    def take(self, key: Key, let_through: int, now: float) -> Grant | None:
        """Take one request, and those that were passed on before, from the grant of `key`.

        Returns None if they are more than it has; then nothing is taken.
        """
        grant = self.get(key)
        if grant is None or now >= grant.until or grant.left <= let_through:
            return None
        grant.left -= let_through + 1
        grant.used += let_through + 1
        return grant

    def ask(self, key: Key, let_through: int, now: float) -> tuple[int, int]:
        """Return how many of `let_through` are not counted yet, and how many to ask for.

        The grant that there was ends.
        """
        grant = self._grant_of(key, now)
        if grant is None:
            return let_through, 0
        uncounted = max(0, let_through - grant.left)
        grant.left = 0
        grant.asked_at = now
        if now >= grant.until:
            grant.used //= 2
            grant.until = now + self._width  # once in a bucket; the answer says when that ends
        grant.used += let_through + 1
        if grant.asking:
            return uncounted, 0
        wanted = min(grant.used // GRANT_SHARE, MOST_GRANTED)
        grant.asking = wanted > 0
        return uncounted, wanted

    def receive(self, key: Key, granted: int, until: float) -> Grant:
        """Add what was granted, and return all that the address has now."""
        grant = self.get(key)
        if grant is None:  # it has too many beside it: what was granted is not used
            return Grant(until)
        grant.left += granted
        grant.until = until
        return grant

    def end_asking(self, key: Key) -> None:
        """Let the next request ask for a grant again."""
        if (grant := self.get(key)) is not None:
            grant.asking = False

    def _grant_of(self, key: Key, now: float) -> Grant | None:
        grant = self.get(key)
        if grant is not None:
            self.move_to_end(key)
            return grant
        # Two for each new one, so that the table shrinks and no call has to clear all of it.
        self._drop_if_old(now)
        self._drop_if_old(now)
        return None if len(self) >= MOST_GRANTS else self.setdefault(key, Grant(now))

    def _drop_if_old(self, now: float) -> None:
        key = next(iter(self), None)
        if key is None:
            return
        grant = self[key]
        if now >= max(grant.until, grant.asked_at + self._width):
            del self[key]
