"""A payment provider in virtual time, which outlives every process of the shop.

Rule: it keeps its promises, as a real one does: a key is charged for or refused once, and refunded
once. What it is asked goes on when the asker is killed. How it fails is set by the test.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from cafe.payments.payment import Answer, Payment, Verdict
from cafe.payments.provider import charge_key, refund_key

TIME_OUT = 10.0
NO_ANSWER = Answer(Verdict.BROKEN)


@dataclass
class Mood:
    """How the provider treats the next requests."""

    is_up: bool = True
    """Else no connection is made."""
    refuses: bool = False
    fails: bool = False
    """It answers 500, before it has done anything."""
    fails_late: bool = False
    """It answers 500, though it has done it."""
    is_busy: bool = False
    """It answers 429."""
    before: float = 0.0
    """Seconds until it is done."""
    after: float = 0.0
    """Seconds from then until the answer."""


@dataclass
class World:
    """The provider, and all that it has done."""

    nursery: trio.Nursery
    mood: Mood = field(default_factory=Mood)
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    """By key, the status that was decided."""
    charged: dict[str, int] = field(default_factory=dict[str, int])
    """Cents, by key."""
    refunded: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Cents, by key, and the key of the charge."""
    asked: list[str] = field(default_factory=list[str])
    """The keys of all requests that have arrived."""
    at_once: int = 0
    most_at_once: int = 0

    async def charge(self, payment: Payment) -> Answer:
        """Answer a request to charge."""
        return await self._ask(charge_key(payment), payment.total_cents, None)

    async def refund(self, payment: Payment) -> Answer:
        """Answer a request to refund."""
        return await self._ask(refund_key(payment), payment.total_cents, charge_key(payment))

    async def _ask(self, key: str, value: int, of: str | None) -> Answer:
        mood = self.mood
        if not mood.is_up:
            await trio.lowlevel.checkpoint()
            return Answer(Verdict.UNREACHED)
        self.asked.append(key)
        answers = list[Answer]()
        answered = trio.Event()
        self.nursery.start_soon(self._serve, mood, key, value, of, answers, answered)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with trio.move_on_after(TIME_OUT):
                await answered.wait()
                return answers[0]
            return NO_ANSWER
        finally:
            self.at_once -= 1

    async def _serve(  # noqa: PLR0917 - the request, and how it is treated
        self,
        mood: Mood,
        key: str,
        value: int,
        of: str | None,
        answers: list[Answer],
        answered: trio.Event,
    ) -> None:
        await trio.sleep(mood.before)
        status = self._done(mood, key, value, of)
        await trio.sleep(mood.after)
        verdicts = {200: Verdict.ACCEPTED, 402: Verdict.REFUSED, 429: Verdict.LATER}
        verdict = verdicts.get(status, Verdict.BROKEN)
        answers.append(Answer(verdict, status, "id", "{}", 1.0 if status == 429 else None))
        answered.set()

    def _done(self, mood: Mood, key: str, value: int, of: str | None) -> int:
        if mood.fails:
            return 500
        if mood.is_busy:
            return 429
        if key not in self.outcomes:
            self.outcomes[key] = 402 if mood.refuses and of is None else 200
            if self.outcomes[key] == 200 and of is None:
                self.charged[key] = value
            elif self.outcomes[key] == 200 and of is not None:
                self.refunded[key] = value, of
        return 500 if mood.fails_late else self.outcomes[key]
