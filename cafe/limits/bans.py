"""Who is cut off, until when, and for how long next time.

One rule: pure. An address earns a ban by being refused too often, never by asking.

A ban is imposed when an address has been refused `after` times within the window. What it is
refused in the window that follows belongs to the same offence: the burst that was under way when
the ban fell. Whoever goes on after that, banned or not, earns the next ban in the same way, twice
as long as his last, up to LONGEST. Whoever has not earned another within LONGEST begins anew.
"""

from collections import OrderedDict
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from itertools import takewhile

from cafe.limits.window import WindowTable

LONGEST = 3600.0
"""Seconds that a ban lasts at most, and that one is remembered from its beginning."""


@dataclass(frozen=True, slots=True)
class Ban:
    """An address is cut off until `until`, which was `seconds` ahead when the ban was imposed."""

    address: str
    until: float
    seconds: float

    @property
    def since(self) -> float:
        """When it was imposed."""
        return self.until - self.seconds


class BanBook:
    """Keeps the bans of at most `most` addresses, and counts who is about to earn one.

    While the book is full nobody else is banned, and an address that shares its window with others,
    because the table of windows is full, earns none: it would be banned for what they did.
    """

    def __init__(
        self, *, after: int, seconds: float, window_seconds: float, most: int, revision: int = 0
    ) -> None:
        self.revision = revision
        self.imposed = 0
        self._after = after
        self._seconds = seconds
        self._longest = max(seconds, LONGEST)
        self._grace = window_seconds
        self._most = most
        self._refusals = WindowTable(window_seconds, most)
        # By revision: what is new stands at the end, what is to be forgotten at the front.
        self._bans: OrderedDict[str, tuple[int, Ban]] = OrderedDict()
        # When to look whether an address has served its ban, once for each that has not.
        self._ends: list[tuple[float, str]] = []

    def seconds_left(self, address: str, now: float) -> float:
        """Return for how long `address` is still cut off, 0.0 when it is not."""
        _, ban = self._bans.get(address, (0, None))
        return 0.0 if ban is None else max(0.0, ban.until - now)

    def record(self, address: str, times: int, now: float) -> None:
        """Count that `address` was refused, which may impose a ban or lengthen one."""
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
            self._impose(Ban(address, now + seconds, seconds))

    def since(self, seen: int, now: float) -> tuple[Ban, ...]:
        """Return the bans in force that were imposed or lengthened after revision `seen`.

        The oldest comes first; walks no others.
        """
        newest_first = takewhile(lambda entry: entry[0] > seen, reversed(self._bans.values()))
        return tuple(ban for _, ban in newest_first if now < ban.until)[::-1]

    def count(self, now: float) -> int:
        """Count those who are cut off now."""
        while self._ends and self._ends[0][0] <= now:
            _, ban = self._bans[self._ends[0][1]]
            if now < ban.until:  # lengthened meanwhile
                heapreplace(self._ends, (ban.until, ban.address))
            else:
                heappop(self._ends)
        return len(self._ends)

    def _last_ban(self, address: str, now: float) -> Ban | None:
        _, ban = self._bans.get(address, (0, None))
        if ban is None:
            return None
        # Never before it ends: rounding may put the sum a hair before `until`.
        return ban if now < max(ban.until, ban.since + self._longest) else None

    def _impose(self, ban: Ban) -> None:
        self.count(ban.since)  # takes whoever has served off the heap, before he is forgotten
        if not self.seconds_left(ban.address, ban.since):
            if not (self._make_room(ban.since) or ban.address in self._bans):
                return
            heappush(self._ends, (ban.until, ban.address))
        self.revision += 1
        self.imposed += 1
        self._bans[ban.address] = (self.revision, ban)
        self._bans.move_to_end(ban.address)

    def _make_room(self, now: float) -> bool:
        """Drop the oldest ban if it is forgotten; tell whether there is room for one more."""
        address = next(iter(self._bans), None)
        if address is not None and self._last_ban(address, now) is None:
            del self._bans[address]
        return len(self._bans) < self._most
