"""Answers that wait for the ledger: what has happened goes there first, and then they are given.

Rule: whoever is answered through here is told of nothing that a crash could undo; whoever cannot be
answered in time is refused. `outbox.py` knows what depends on what; here are the replies, and the
timer that gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import Any, TypeVar

from actors import Reply, Timer
from cafe.ledger.messages import LedgerUnavailable
from cafe.orders.messages import Batch
from cafe.orders.order import Change
from cafe.orders.outbox import Outbox
from cafe.orders.refusals import OrderConflict
from cafe.refusals import CafeRefusal

T = TypeVar("T")
After = Callable[[float, Callable[[], None]], Timer]


class Answers:
    """The outbox of one Dispatcher, and who waits for it on either side."""

    def __init__(
        self, outbox: Outbox, after: After, clock: Callable[[], float], seconds: float
    ) -> None:
        """Give up what the ledger does not take within `seconds`, by the actor's timers."""
        self._outbox = outbox
        self._after = after
        self._clock = clock
        self._seconds = seconds
        self._couriers: list[Reply[None]] = []
        self._giving_up: Timer | None = None
        self._impatient = False

    @property
    def unkept(self) -> int:
        """Give the number of records that are not in the ledger yet."""
        return len(self._outbox)

    # Whoever is to be told

    def promise(
        self, keep: Callable[[], object], give_up: Callable[[], object], *, patient: bool = False
    ) -> None:
        """Do something when all that has happened is in the ledger; else, in the end, give up.

        What is patient is given up only when the shop closes.
        """
        if not self.unkept:
            keep()
            return
        if patient and not self._impatient:
            self._outbox.promise(keep, give_up, inf)
            return
        self._outbox.promise(keep, give_up, self._clock() + self._seconds)
        if self._giving_up is None:
            self._giving_up = self._after(self._seconds, self._give_up)

    def send(self, reply: Reply[T], answer: T, *, patient: bool = False) -> None:
        """Answer, as a promise."""
        keep, give_up = partial(reply.send, answer), partial(reply.fail, LedgerUnavailable())
        self.promise(keep, give_up, patient=patient)

    def fail(self, reply: Reply[Any], refusal: CafeRefusal) -> None:
        """Refuse, as a promise: for what depends on what has happened."""
        self.promise(partial(reply.fail, refusal), partial(reply.fail, LedgerUnavailable()))

    @contextmanager
    def telling_conflicts(self, reply: Reply[Any]) -> Generator[None]:
        """Tell of a conflict as of anything else: when the ledger has what led to it."""
        try:
            yield
        except OrderConflict as conflict:
            self.fail(reply, conflict)

    def wait_no_longer(self) -> None:
        """Give up the patient, too, in the usual time from now on: the shop closes."""
        self._impatient = True
        self._after(self._seconds, self._give_up_the_patient)

    def _give_up(self) -> None:
        # The timer stands for the next until then: giving up may make promises.
        for promise in self._outbox.overdue(self._clock()):
            promise.give_up()
        due = self._outbox.next_due()
        wait = None if due is None else max(0.0, due - self._clock())
        self._giving_up = None if wait is None else self._after(wait, self._give_up)

    def _give_up_the_patient(self) -> None:
        for promise in self._outbox.patient():
            promise.give_up()

    # The way to the ledger

    def record(self, change: Change) -> None:
        """Write down what has happened."""
        self._outbox.add(change)
        while self._couriers:
            self._couriers.pop().send(None)

    def call_courier(self, reply: Reply[None]) -> None:
        """Answer the courier as soon as there is something to take."""
        if self._outbox.has_records:
            reply.send(None)
        else:
            self._couriers.append(reply)

    def take(self) -> Batch:
        """Give what has gathered, to be taken to the ledger."""
        return self._outbox.take()

    def kept(self, epoch: int, last: int) -> None:
        """Keep every promise that the ledger allows now."""
        for promise in self._outbox.kept(epoch, last):
            promise.keep()

    def are_of(self, epoch: int) -> bool:
        """Tell whether the records of an epoch are ours."""
        return epoch == self._outbox.epoch
