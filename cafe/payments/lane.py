"""A lane of calls: when payments are due, which callers are idle, and whether calls are allowed.

Rule: pure; time is passed in. A payment is on an agenda once, and either waits until it is due or
is taken by one caller. A lane decides which caller gets which payment, and when; the Cashier
decides what becomes of the payment.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Final, Generic, TypeVar

from cafe.payments.breaker import Breaker
from cafe.payments.payment import Verdict

C = TypeVar("C")
"""A caller; for the Cashier, the reply to its NextCall."""

PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
LONGEST_AS_TOLD: Final = 300.0
"""A provider's `Retry-After` is honoured up to this."""


class Agenda:
    """Payments, each with the time at which it is due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._due_at: dict[str, float] = {}
        """When waiting payments are due; other entries of the heap are outdated."""
        self._tries: dict[str, int] = {}
        """How often each payment, waiting or taken, was put back."""

    def __len__(self) -> int:
        return len(self._tries)

    def __contains__(self, payment_id: str) -> bool:
        return payment_id in self._tries

    def add(self, payment_id: str, due_at: float) -> None:
        """Put a payment on the agenda, unless it is there."""
        if payment_id not in self._tries:
            self._tries[payment_id] = 0
            self._wait(payment_id, due_at)

    def take(self, now: float) -> str | None:
        """Return the payment that is due longest, which is taken then; None if none is due."""
        if self.next_at() > now:
            return None
        _, payment_id = heappop(self._heap)
        del self._due_at[payment_id]
        return payment_id

    def put_back(self, payment_id: str, due_at: float) -> None:
        """Schedule another try of a payment that was taken."""
        if payment_id in self._tries and payment_id not in self._due_at:
            self._tries[payment_id] += 1
            self._wait(payment_id, due_at)

    def remove(self, payment_id: str) -> None:
        """Remove a payment from the agenda, waiting or taken."""
        self._tries.pop(payment_id, None)
        self._due_at.pop(payment_id, None)

    def tries(self, payment_id: str) -> int:
        """Return how often a payment was put back."""
        return self._tries.get(payment_id, 0)

    def next_at(self) -> float:
        """Return when the next payment is due; infinity if none waits."""
        while self._heap and self._due_at.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def waiting(self) -> tuple[str, ...]:
        """Return the payments that are not taken."""
        return tuple(self._due_at)

    def _wait(self, payment_id: str, due_at: float) -> None:
        self._due_at[payment_id] = due_at
        heappush(self._heap, (due_at, payment_id))


def pause(tries: int, retry_after: float | None, chance: float) -> float:
    """Return the back-off until the next try, in seconds.

    It doubles with each try up to a minute, less a random share of up to a half; `chance` is from 0
    to 1. It is at least the provider's `retry_after`, up to LONGEST_AS_TOLD.
    """
    doubled = min(LONGEST_PAUSE, PAUSE * 2.0 ** min(tries, 16))
    return max(doubled * (1 - chance / 2), min(LONGEST_AS_TOLD, retry_after or 0.0))


class LaneState(Generic[C]):
    """The payments of a lane, and its idle callers."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.breaker = Breaker()
        self._callers: dict[C, None] = {}
        self._calls: dict[str, int] = {}
        """The breaker's number of each call under way, by payment."""

    def clear(self) -> None:
        """Forget all payments, which are loaded again; callers and calls go on."""
        self.agenda = Agenda()

    def join(self, caller: C) -> None:
        """Add a caller, which waits for a payment."""
        self._callers[caller] = None

    def leave(self, caller: C) -> None:
        """Forget a caller."""
        self._callers.pop(caller, None)

    def take(self, now: float) -> tuple[C, str] | None:
        """Return the caller that waits longest, and the payment that is due longest.

        None if either is missing, or if the breaker lets no call through.
        """
        if not self._callers or not self.breaker.allows(now):
            return None
        payment_id = self.agenda.take(now)
        if payment_id is None:
            return None
        self._calls[payment_id] = self.breaker.begin(now)
        caller = next(iter(self._callers))
        del self._callers[caller]
        return caller, payment_id

    def end(self, payment_id: str, verdict: Verdict, now: float) -> None:
        """Report the outcome of a call to the breaker."""
        call = self._calls.pop(payment_id, None)
        if call is None:
            return
        if verdict in {Verdict.ACCEPTED, Verdict.REFUSED}:
            self.breaker.succeed(call)
        elif verdict is Verdict.LATER:
            self.breaker.ignore(call)
        else:
            self.breaker.fail(call, now)

    def put_back(self, payment_id: str, now: float, least: float | None, chance: float) -> None:
        """Schedule the next try of a payment after its `pause`; `least` is the `retry_after`."""
        seconds = pause(self.agenda.tries(payment_id), least, chance)
        self.agenda.put_back(payment_id, now + seconds)

    def seconds_to_wait(self, now: float) -> float | None:
        """Return the seconds until a payment can be handed out; None if no timer is needed."""
        due, left = self.agenda.next_at(), self.breaker.seconds_left(now)
        if due == inf or not self._callers or (due <= now and left <= 0):
            return None
        return max(left, due - now)
