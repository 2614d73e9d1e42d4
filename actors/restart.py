"""Restart policy: who is restarted when an actor crashes, how soon, and how often at most.

The one rule: the order of start is the order of dependence. An actor may rely on those started
before it in its group, never on those started after it.
"""

import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from actors.errors import RestartLimitExceeded

T = TypeVar("T")

MOST_DOUBLINGS = 60
"""No backoff needs more, and a float does not overflow."""


class Strategy(Enum):
    """What a crash in a group means for the other members; the names are OTP's."""

    ONE_FOR_ONE = "one_for_one"
    """Only the crashed member is restarted."""
    ALL_FOR_ONE = "all_for_one"
    """Every member of the group is restarted: they share what the crash may have corrupted."""
    REST_FOR_ONE = "rest_for_one"
    """The crashed member is restarted, and those that were started after it."""

    def others(self, members: Sequence[T], crashed: T) -> list[T]:
        """Return the members restarted along with the crashed one, in the order of start."""
        if self is Strategy.ONE_FOR_ONE:
            return []
        if self is Strategy.REST_FOR_ONE:
            return list(members[members.index(crashed) + 1 :])
        return [member for member in members if member is not crashed]


@dataclass(frozen=True, slots=True)
class Restart:
    """At most `limit` crashes within any `within` seconds, counted for each actor by itself."""

    limit: int = 3
    within: float = 5.0
    backoff: float = 0.0
    """Seconds from the first crash to the restart; doubled by each further crash that counts."""
    longest: float = 30.0
    """The limit of a backoff, in seconds."""
    jitter: float = 0.5
    """The share by which a backoff is shortened at random, so that actors do not crash in step."""

    def __post_init__(self) -> None:
        # What must hold is tested, not its opposite: every comparison with a NaN is false.
        if not (self.limit >= 0 and self.within > 0):
            raise ValueError(f"no actor can be limited by {self}")
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
