"""A circuit breaker: it stops the calls of a provider that fails, and later probes with one call.

Rule: pure; time is passed in. A call that was let through ends with exactly one of `succeed`,
`fail` and `ignore`.

Closed, it lets all calls through. After some failures in a row it is open and lets none through for
a while; then it is half open and lets exactly one through, whose outcome closes or reopens it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

FAILURES: Final = 5
"""Failures in a row that open it."""
OPEN_SECONDS: Final = 10.0


class State(StrEnum):
    """Whether it lets calls through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Whether a provider may be called."""

    def __init__(self, failures: int = FAILURES, open_seconds: float = OPEN_SECONDS) -> None:
        self._most = failures
        self._open_seconds = open_seconds
        self._failures = 0
        self._opened_at: float | None = None
        self._begun = 0
        self._probe: int | None = None
        """The one call that was let through while half open, until it ends."""

    def state(self, now: float) -> State:
        """Return its state."""
        if self._opened_at is None:
            return State.CLOSED
        return State.OPEN if self.seconds_left(now) > 0 else State.HALF_OPEN

    def allows(self, now: float) -> bool:
        """Return whether a call would be let through."""
        state = self.state(now)
        return state is State.CLOSED or (state is State.HALF_OPEN and self._probe is None)

    def seconds_left(self, now: float) -> float:
        """Return the seconds for which it stays open; 0 if it is not open."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._open_seconds - now)

    def begin(self, now: float) -> int:
        """Begin a call that `allows` has allowed; return its number, with which it ends."""
        self._begun += 1
        if self.state(now) is State.HALF_OPEN:
            self._probe = self._begun
        return self._begun

    def succeed(self, call: int) -> None:
        """Close the breaker: the provider has answered, if only with a refusal."""
        self.ignore(call)
        self._failures, self._opened_at = 0, None

    def fail(self, call: int, now: float) -> None:
        """Count a time-out, a refused connection or a 5xx."""
        self.ignore(call)
        self._failures += 1
        if self._failures >= self._most:
            self._opened_at = now

    def ignore(self, call: int) -> None:
        """Count nothing: the call was cancelled, or its outcome neither proves nor disproves it."""
        if self._probe == call:
            self._probe = None
