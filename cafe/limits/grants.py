"""Grants: requests that a front may admit alone, because Redis has counted them in advance.

Rule: pure. Time is passed in, as seconds of one clock that never goes back.

Asking Redis about each request would cost a front more than the request does. So an address that
makes many requests is granted some of its remaining ones: Redis counts them as it grants them, and
the front admits the next requests from the grant until it is used up. A grant ends with its bucket
of the sliding windows; what is left of it stays counted there.

A grant is at most one in GRANT_SHARE of the address's recent requests at this front, which bounds
what an address that comes through many fronts loses to unused grants.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeVar

GRANT_SHARE: Final = 4
"""The recent requests of an address at this front for which one is granted."""
MOST_GRANTED: Final = 16
MOST_GRANTS: Final = 10_000
"""The limit of addresses with grants; Redis is asked about each request of any other address."""

Key = TypeVar("Key")


class Grant:
    """The grant of an address on one port."""

    __slots__ = ("asked_at", "asking", "left", "quiet_at", "remaining", "until", "used")

    def __init__(self, now: float) -> None:
        self.asked_at = now
        """When Redis was last asked."""
        self.left = 0
        """Requests that are counted in Redis, and not known to be used."""
        self.until = 0.0
        """The end of the bucket in which they are counted."""
        self.remaining = 0
        """How many requests beyond `left` would be admitted, as of the last answer."""
        self.quiet_at = 0.0
        """When all of the quota is free again, without further requests."""
        self.used = 0
        """Recent requests; halved in each new bucket."""
        self.asking = False
        """Whether a request for a grant is under way: one at a time."""


class Grants(OrderedDict[Key, Grant]):
    """The grants of at most MOST_GRANTS addresses, in the order of last use."""

    def __init__(self, width: float) -> None:
        """Forget an address that has not asked for `width` seconds."""
        super().__init__()
        self._width = width

    def take(self, key: Key, let_through: int, now: float) -> Grant | None:
        """Use the grant of `key` for one request, and those that the guard let through before.

        Returns None, and uses nothing, if the grant has ended or is not enough.
        """
        grant = self.get(key)
        if grant is None or now >= grant.until or grant.left <= let_through:
            return None
        grant.left -= let_through + 1
        grant.used += let_through + 1
        return grant

    def ask(self, key: Key, let_through: int, now: float) -> tuple[int, int]:
        """Return how many of `let_through` are uncounted, and how many requests to ask for.

        Ends the current grant.
        """
        grant = self._grant_of(key, now)
        if grant is None:
            return let_through, 0
        uncounted = max(0, let_through - grant.left)
        grant.left = 0
        grant.asked_at = now
        if now >= grant.until:
            grant.used //= 2
            grant.until = now + self._width  # halve once a bucket; `receive` sets the real end
        grant.used += let_through + 1
        if grant.asking:
            return uncounted, 0
        wanted = min(grant.used // GRANT_SHARE, MOST_GRANTED)
        grant.asking = wanted > 0
        return uncounted, wanted

    def receive(self, key: Key, granted: int, until: float) -> Grant:
        """Add what was granted, and return the grant."""
        grant = self.get(key)
        if grant is None:  # there are too many grants: this one is not kept
            return Grant(until)
        grant.left += granted
        grant.until = until
        return grant

    def end_asking(self, key: Key) -> None:
        """Allow the next request to ask for a grant."""
        if (grant := self.get(key)) is not None:
            grant.asking = False

    def _grant_of(self, key: Key, now: float) -> Grant | None:
        grant = self.get(key)
        if grant is not None:
            self.move_to_end(key)
            return grant
        # Two for each new grant, so that the table shrinks without a call that clears all of it.
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
