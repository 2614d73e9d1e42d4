"""Restart: how often an actor may crash before its system gives up."""

from collections import deque
from dataclasses import dataclass

from actors.errors import RestartLimitExceeded


@dataclass(frozen=True, slots=True)
class Restart:
    """At most `limit` crashes within any `within` seconds, counted for each actor by itself."""

    limit: int = 3
    within: float = 5.0

    def __post_init__(self) -> None:
        if self.limit < 0 or not self.within > 0:
            raise ValueError(f"no actor can live by {self}")


class Budget:
    """The crashes of one actor that still count."""

    __slots__ = ("_crashes", "_restart")

    def __init__(self, restart: Restart) -> None:
        self._restart = restart
        self._crashes: deque[float] = deque()

    def spend(self, now: float) -> bool:
        """Count a crash; tell whether the actor may be restarted."""
        self._crashes.append(now)
        while self._crashes[0] <= now - self._restart.within:
            self._crashes.popleft()
        return len(self._crashes) <= self._restart.limit

    def exceeded(self, name: str) -> RestartLimitExceeded:
        """Return the error that says so."""
        return RestartLimitExceeded(name, self._restart.limit, self._restart.within)
