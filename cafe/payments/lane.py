"""One lane: which payments are due, which callers are free, and whether calls are let through.

Rule: a plain value of the Cashier's. It decides who gets what and when; what becomes of a payment
is the Cashier's to say.
"""

from __future__ import annotations

from math import inf

from actors import Reply
from cafe.payments.agenda import Agenda, pause
from cafe.payments.breaker import Breaker
from cafe.payments.payment import Payment, Verdict


class LaneState:
    """The payments of a lane, and the callers that have nothing in hand."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.breaker = Breaker()
        self._callers: dict[Reply[Payment], None] = {}
        self._calls: dict[str, int] = {}
        """The breaker's number of each call under way, by payment."""

    def clear(self) -> None:
        """Forget all payments, which are loaded again; callers and calls go on."""
        self.agenda = Agenda()

    def join(self, caller: Reply[Payment]) -> None:
        """Let a caller wait for a payment."""
        self._callers[caller] = None

    def leave(self, caller: Reply[Payment]) -> None:
        """Forget a caller."""
        self._callers.pop(caller, None)

    def take(self, now: float) -> tuple[Reply[Payment], str] | None:
        """Return the caller that waits longest, and the payment that is due longest.

        None if there is none of either, or if no call is let through.
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
        """Tell the breaker how a call has ended."""
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
        """Let a payment wait for its next try, `least` seconds or more."""
        seconds = pause(self.agenda.tries(payment_id), least, chance)
        self.agenda.put_back(payment_id, now + seconds)

    def seconds_to_wait(self, now: float) -> float | None:
        """Return after how long to look again; None if something else has to happen first."""
        due, left = self.agenda.next_at(), self.breaker.seconds_left(now)
        if due == inf or not self._callers or (due <= now and left <= 0):
            return None
        return max(left, due - now)
