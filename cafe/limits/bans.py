"""Which addresses are banned, until when, and for how long the next time.

Rule: pure. An address earns a ban by being refused too often, never by requests that were served.

A ban is imposed when an address has been refused `after` times within the window. Refusals in the
window that follows belong to the same offence: the burst that was under way when the ban began. If
the address goes on after that, banned or not, it earns the next ban in the same way, twice as long
as its last one, up to LONGEST. After LONGEST without a new ban, or after a lifted one, the next is
a short one again.
"""

from collections import OrderedDict
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from itertools import islice, takewhile

from cafe.limits.window import WindowTable

LONGEST = 3600.0
"""Seconds: the maximum of a ban, and how long it is remembered from its beginning."""
_SAME = 1.0  # seconds by which the end of one ban may differ between two clocks


@dataclass(frozen=True, slots=True)
class Ban:
    """An address is banned until `until`, which is `seconds` after the ban was imposed."""

    address: str
    until: float
    seconds: float

    @property
    def since(self) -> float:
        """When it was imposed."""
        return self.until - self.seconds

    @property
    def is_lifted(self) -> bool:
        """Whether this stands for a ban that was lifted at `until`: it lasts no time."""
        return not self.seconds


class BanBook:
    """Keeps the bans of at most `most` addresses, and counts the refusals that earn them.

    While it is full no other address is banned. An address that shares its window with others,
    because the table of windows is full, earns no ban: the refusals may be the others'.
    """

    def __init__(
        self,
        *,
        after: int,
        seconds: float,
        window_seconds: float,
        most: int,
        revision: int = 0,
        longest: float = LONGEST,
    ) -> None:
        self.revision = revision
        self.imposed = 0
        self._after = after
        self._seconds = seconds
        self._longest = max(seconds, longest)
        self._grace = window_seconds
        self._most = most
        self._refusals = WindowTable(window_seconds, most)
        # In the order of their revisions: the newest last, the next to be dropped first.
        self._bans: OrderedDict[str, tuple[int, Ban]] = OrderedDict()
        # A heap of the times at which a ban may have ended, with one entry for each that has not.
        self._ends: list[tuple[float, str]] = []

    def seconds_left(self, address: str, now: float) -> float:
        """Return for how long `address` is still banned, 0.0 if it is not."""
        _, ban = self._bans.get(address, (0, None))
        return 0.0 if ban is None else max(0.0, ban.until - now)

    def record(self, address: str, times: int, now: float) -> None:
        """Count that `address` was refused `times` times, which may impose or lengthen a ban."""
        last = self._last_ban(address, now)
        if last is not None and now < last.since + self._grace:
            return
        window = self._refusals.window_of(address, now)
        if window is self._refusals.shared:
            return
        window.add(now, times)
        if window.estimate(now) >= self._after:
            self._refusals.forget(address)
            seconds = self._seconds if last is None else min(2 * last.seconds, self._longest)
            self._impose(Ban(address, now + seconds, seconds), now)

    def learn(self, ban: Ban, now: float) -> None:
        """Enter a ban that was imposed elsewhere, or lifted there; do nothing for a known one."""
        _, known = self._bans.get(ban.address, (0, None))
        if ban.is_lifted:
            self.lift(ban.address, now)
        elif known is None or known.is_lifted or abs(known.until - ban.until) > _SAME:
            self._refusals.forget(ban.address)
            self._impose(ban, now)

    def since(self, seen: int, now: float) -> tuple[Ban, ...]:
        """Return the bans in force that were imposed or lengthened after revision `seen`.

        The oldest is first. It takes time only for those that are newer than `seen`.
        """
        newest_first = takewhile(lambda entry: entry[0] > seen, reversed(self._bans.values()))
        return tuple(ban for _, ban in newest_first if now < ban.until)[::-1]

    def lifted_since(self, seen: int) -> tuple[str, ...]:
        """Return the addresses that were lifted after revision `seen`, and not banned again."""
        newest_first = takewhile(lambda entry: entry[0] > seen, reversed(self._bans.values()))
        return tuple(ban.address for _, ban in newest_first if ban.is_lifted)

    def newest(self, most: int, now: float) -> tuple[Ban, ...]:
        """Return at most `most` of the bans in force, the newest first."""
        return tuple(
            islice((ban for _, ban in reversed(self._bans.values()) if now < ban.until), most)
        )

    def lift(self, address: str, now: float) -> bool:
        """End a ban and forget the refusals; return whether there was one.

        Watchers are notified even if there was none: they may have one of an earlier book. The time
        grows with the number of bans in force, so only people may cause this.
        """
        is_banned = self.seconds_left(address, now) > 0
        self.count(now)  # takes ended bans off the heap before one is dropped
        self._refusals.forget(address)
        if is_banned:
            self._ends = [one for one in self._ends if one[1] != address]
            heapify(self._ends)
        elif not (self._make_room(now) or address in self._bans):
            return False
        self._enter(Ban(address, now, 0.0))
        return is_banned

    def count(self, now: float) -> int:
        """Return how many addresses are banned now."""
        while self._ends and self._ends[0][0] <= now:
            _, ban = self._bans[self._ends[0][1]]
            if now < ban.until:  # lengthened meanwhile
                heapreplace(self._ends, (ban.until, ban.address))
            else:
                heappop(self._ends)
        return len(self._ends)

    def _last_ban(self, address: str, now: float) -> Ban | None:
        _, ban = self._bans.get(address, (0, None))
        return None if ban is None or ban.is_lifted or self._is_past(ban, now) else ban

    def _is_past(self, ban: Ban, now: float) -> bool:
        # Not before it ends: by rounding the sum may be slightly less than `until`.
        return now >= max(ban.until, ban.since + self._longest)

    def _impose(self, ban: Ban, now: float) -> None:
        self.count(now)  # takes ended bans off the heap before one is dropped
        if not self.seconds_left(ban.address, now):
            if not (self._make_room(now) or ban.address in self._bans):
                return
            heappush(self._ends, (ban.until, ban.address))
        self.imposed += 1
        self._enter(ban)

    def _enter(self, ban: Ban) -> None:
        self.revision += 1
        self._bans[ban.address] = (self.revision, ban)
        self._bans.move_to_end(ban.address)

    def _make_room(self, now: float) -> bool:
        """Drop the oldest ban if it no longer counts; return whether there is room for another.

        A lifted one is kept as long, for watchers to learn of it, unless its place is needed.
        """
        is_full = len(self._bans) >= self._most
        _, oldest = next(iter(self._bans.values()), (0, None))
        if oldest is not None and (self._is_past(oldest, now) or (oldest.is_lifted and is_full)):
            del self._bans[oldest.address]
        return len(self._bans) < self._most
