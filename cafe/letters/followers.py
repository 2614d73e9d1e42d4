"""The followers of the ledger's log for letters: for bookings' events, log lines, and metrics.

Rule: a task writes letters from the log: it asks Bookings for the facts, and the Mailer to add the
letters, and retries until both have answered. No address is logged, nor a server's text about one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
import trio
from prometheus_client import CollectorRegistry, Counter

from actors import Ref
from cafe.bookings.messages import Facts, FindFacts
from cafe.ledger.department import Logged, Put
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import until_done
from cafe.letters.letter import Kind, State, Written, new_letter
from cafe.letters.mailer import POSITION_SECONDS
from cafe.letters.messages import Follow
from cafe.letters.queries import load_position
from cafe.letters.rendering import AddressError, Stationery
from cafe.letters.tables import attempt_of, attempts

if TYPE_CHECKING:
    from cafe.bookings.messages import Bookings
    from cafe.letters.messages import Mailer

MOST_EVENTS: Final = 100
"""The most events in one turn of the Mailer, and the most that are followed without one."""
KINDS: Final = {
    "requested": Kind.RECEIVED,
    "accepted": Kind.ACCEPTED,
    "declined": Kind.DECLINED,
    "cancelled": Kind.CANCELLED,
    "expired": Kind.EXPIRED,
}
"""By the status of a booking after an event: the kind of its letter."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("letter")


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes letters about the events of bookings, and passes them to the Mailer."""

    bookings: Ref[Bookings]
    mailer: Ref[Mailer]
    ledger: Ledger
    stationery: Stationery

    async def follow(self) -> None:
        """Follow the log from the stored position; never returns.

        Events that need no letter cost the Mailer a turn only now and then.
        """
        after = passed_on = await until_done(partial(self.ledger.read, load_position))
        overdue_at = self.ledger.now() + POSITION_SECONDS
        async with self.ledger.follow(after, MOST_EVENTS) as batches:
            async for batch in batches:
                few = batch[-1].position - passed_on < MOST_EVENTS
                if few and self.ledger.now() < overdue_at and not any(map(kind_of, batch)):
                    continue
                await self._follow(batch)
                passed_on, overdue_at = batch[-1].position, self.ledger.now() + POSITION_SECONDS

    async def _follow(self, batch: Sequence[Logged]) -> None:
        called_for = [one for one in batch if kind_of(one) is not None]
        facts: dict[str, Facts] = {}
        if called_for:
            ids = tuple({one.event.subject: None for one in called_for})
            facts = await until_done(partial(self.bookings.ask, FindFacts(ids)))
        letters: list[Written] = []
        for one in called_for:
            await trio.lowlevel.checkpoint()  # each letter takes some milliseconds
            written = self._write(one, facts.get(one.event.subject))
            letters += () if written is None else (written,)
        follow = Follow(tuple(letters), batch[-1].position)
        await until_done(partial(self.mailer.ask, follow))

    def _write(self, logged: Logged, facts: Facts | None) -> Written | None:
        """Return the letter about an event; None for a guest without a usable address."""
        event, kind = logged.event, kind_of(logged)
        if kind is None or facts is None or facts.email is None:
            return None
        letter = new_letter(
            logged.position,
            event.subject,
            kind,
            event.at,
            address=facts.email,
            domain=self.stationery.sender.domain,
        )
        try:
            return Written(letter, self.stationery.message(letter, facts, event.reason))
        except AddressError:
            log.warning("no letter to this address", booking_id=event.subject)
            return None


def kind_of(logged: Logged) -> Kind | None:
    """Return the kind of letter that an event needs; None if it needs none."""
    event = logged.event
    if logged.department != "bookings" or event.before == event.after:
        return None
    return KINDS.get(event.after)


class LetterLog:
    """Logs and counts every attempt."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the counter in `registry`."""
        self._attempts = Counter(
            "cafe_letter_attempts",
            "Attempts to send a letter, by SMTP status or a word for the error.",
            ("outcome",),
            registry=registry,
        )

    def hear(self, logged: Sequence[Logged]) -> None:
        """Log and count committed attempts."""
        for one in logged:
            if one.department == "letters":
                for change in one.changes:
                    if isinstance(change, Put) and change.table is attempts:
                        self._hear_attempt(change.row, State(one.event.after))

    def _hear_attempt(self, row: Sequence[Any], state: State) -> None:
        attempt = attempt_of(row)
        self._attempts.labels(attempt.outcome).inc()
        line = log.warning if state is State.SET_ASIDE else log.info
        line(
            "attempt",
            letter_id=attempt.letter_id,
            number=attempt.number,
            outcome=attempt.outcome,
            state=state.value,
            seconds=round(attempt.seconds, 3),
        )
