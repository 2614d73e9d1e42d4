"""Restart: how often an actor may crash before its system gives up, and how soon it is replaced."""

import math
import random
from collections import deque
from dataclasses import dataclass

from actors.errors import RestartLimitExceeded

MOST_DOUBLINGS = 60
"""No backoff needs more, and a float has room for them."""


@dataclass(frozen=True, slots=True)
class Restart:
    """At most `limit` crashes within any `within` seconds, counted for each actor by itself."""

    limit: int = 3
    within: float = 5.0
    backoff: float = 0.0
    """Seconds from the first crash to the restart; doubled by each further crash that counts."""
    longest: float = 30.0
    """Seconds that a backoff does not exceed."""
    jitter: float = 0.5
    """The share by which a backoff is shortened at random, so that actors do not crash in step."""

    def __post_init__(self) -> None:
        # Each is asked for what it has to be, for a NaN is neither.
        if not (self.limit >= 0 and self.within > 0):
            raise ValueError(f"no actor can live by {self}")
        if not (0 <= self.backoff < math.inf and self.longest >= 0 and 0 <= self.jitter <= 1):
            raise ValueError(f"no actor can be restarted by {self}")


class Budget:
    """The crashes of one actor that still count."""

    __slots__ = ("_crashes", "_name", "_restart")

    def __init__(self, name: str, restart: Restart) -> None:
        self._name = name
        self._restart = restart
        self._crashes: deque[float] = deque()

    def spend(self, now: float) -> float:
        """Count a crash; return the seconds until the restart, or raise RestartLimitExceeded."""
        restart, crashes = self._restart, self._crashes
        crashes.append(now)
        while crashes[0] <= now - restart.within:
            crashes.popleft()
        if len(crashes) > restart.limit:
            raise RestartLimitExceeded(self._name, restart.limit, restart.within)
        backoff = min(
            restart.longest, restart.backoff * 2.0 ** min(len(crashes) - 1, MOST_DOUBLINGS)
        )
        return backoff * (1 - restart.jitter * random.random())  # noqa: S311 - no secret
