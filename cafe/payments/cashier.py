"""The Cashier: the actor that owns all payments.

Rule: every change of a payment is one atomic turn here (plain `def`), written to the journal in
that turn. Replies are held until the change is committed: a provider is asked only once the ledger
records that it is asked, and no customer gets an outcome that a crash could undo.

The Cashier calls no other actor. Callers, in tasks of their own, ask it for the next payment of
their lane, charge it, place its order or refund it, and report the outcome. The status of a
committed payment determines what is left to do, so a restart resumes from there.

The Cashier learns from the log that an order is placed or cancelled; the change and the position of
its event are one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Final

import structlog

from actors import Actor, Reply, Timer
from cafe.http.refusals import CafeRefusal, Closing
from cafe.ledger.department import Entry, Event, Put
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.journal import Journal
from cafe.payments.book import PaymentBook
from cafe.payments.lane import LONGEST_PAUSE, LaneState
from cafe.payments.messages import (
    AnswerCustomers,
    AwaitOrder,
    CashierCount,
    Charged,
    CountPayments,
    FindByKey,
    FindPayments,
    Follow,
    Intend,
    Lane,
    LoadPayments,
    NextCall,
    Placed,
    Placing,
    Refunded,
    Untouched,
)
from cafe.payments.payment import (
    Action,
    Answer,
    Change,
    Payment,
    Status,
    Verdict,
    begun,
    change_by_event,
    is_refusal,
    moved,
)
from cafe.payments.queries import Snapshot
from cafe.payments.refusals import (
    RETRY_SECONDS,
    ForgottenPayment,
    ProviderUnavailable,
    outcome_for_key,
    outcome_of,
)
from cafe.payments.tables import entry_of, entry_of_position, payments, row_of

MOST_OPEN: Final = 10_000
"""Payments with something left to do; beyond this, new ones are refused."""
MOST_BEHIND: Final = 1_000
"""The position is stored with each change, and after this many events without one."""

Load = Callable[[], Awaitable[tuple[Journal, Snapshot]]]
"""Opens the next journal; returns it with a snapshot of the ledger's payments."""

LANES: Final = {
    Status.INTENT: Lane.CHARGE,
    Status.ASKED: Lane.CHARGE,
    Status.PAID: Lane.PLACE,
    Status.REFUND_PENDING: Lane.REFUND,
}
"""The lane that works on payments of a status."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("payment")


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that concern payments."""

    customer_seconds: float = 15.0
    """How long a customer waits for the provider; an older intent is withdrawn."""
    key_ttl_seconds: float = 86_400.0


class Cashier(Actor):
    """Owns every payment, from the intent until it has its order or is refunded."""

    def __init__(  # noqa: PLR0917 - independent parts
        self,
        rules: Rules,
        clock: Callable[[], float],
        load: Load,
        loaded: tuple[Journal, Snapshot],
        closing: Closing,
        chance: Callable[[], float],
    ) -> None:
        """Start from the `loaded` journal and snapshot.

        `clock` returns seconds since the epoch, never less than the time of the last event;
        `chance` a number from 0 to 1.
        """
        self._rules = rules
        self._clock = clock
        self._load = load
        self._closing = closing
        self._chance = chance
        self._customers: dict[str, dict[Reply[Payment], None]] = {}
        """By payment: the replies to customers that wait for its order."""
        self._lanes = {lane: LaneState[Reply[Payment]]() for lane in Lane}
        self._timers: dict[Lane, Timer] = {}
        self._begin(*loaded)

    def _begin(self, journal: Journal, snapshot: Snapshot) -> None:
        self._journal = journal
        self._book = PaymentBook(snapshot.open, snapshot.recent)
        self._position = self._stored = snapshot.position
        for lane in self._lanes.values():
            lane.clear()
        self._asked = {one.payment_id for one in snapshot.open if one.status is Status.ASKED}
        """Payments of which an earlier try may have reached the provider."""
        self._intents: dict[str, float] = {}
        """When each payment that no caller has got yet was intended, the oldest first."""
        self._ordered: set[str] = set()
        """Payments whose order is known to be committed, even before its event is followed."""
        for payment in snapshot.open:
            self._schedule(payment)

    def on_start(self) -> None:
        """Withdraw the intents of a former process; resume the other payments."""
        if self._journal.number == 1:
            for payment in list(self._book.opened.values()):
                if payment.status is Status.INTENT:
                    self._withdraw(payment, "the shop was restarted before it was asked for")
        for lane in Lane:
            self._hand_out(lane)

    @LoadPayments.handler
    async def load(self, _message: LoadPayments) -> None:
        """Load the committed state again; answer the customers whose payment is settled or lost."""
        self._begin(*await self._load())
        for payment_id in list(self._customers):
            self._answer(payment_id)
        for lane in Lane:
            self._hand_out(lane)

    # Customers

    @FindByKey.deferred
    def find_by_key(self, message: FindByKey, reply: Reply[Payment | None]) -> None:
        """Answer with the payment of a key, with a refusal, or with None."""
        known = self._known(message.account_id, message.key)
        self._answer_for_key(known, message.fingerprint, reply)

    @Intend.deferred
    def intend(self, message: Intend, reply: Reply[Payment]) -> None:
        """Answer with the payment of the message's id or key, or begin a new one."""
        wanted = message.payment
        known = self._book.get(wanted.payment_id)
        if known is not None:
            self._journal.reply(reply, known, looks=True)
            return
        if wanted.key is not None:
            known = self._known(wanted.account_id, wanted.key)
            if known is not None:
                self._answer_for_key(known, wanted.fingerprint, reply)
                return
        self._refuse_new()
        freed = self._freed(message)  # first: the book finds one payment by a key
        change = begun(wanted, Action.INTEND, self._clock())
        self._journal.write(*freed, entry_of(change))
        self._keep(change)
        self._journal.reply(reply, change.payment)
        self._hand_out(Lane.CHARGE)

    @AwaitOrder.deferred
    def wait(self, message: AwaitOrder, reply: Reply[Payment]) -> None:
        """Answer when the order of a payment is placed, or when it is known that none will be."""
        if self._closing.refusal is not None:
            raise self._closing.refusal
        self._customers.setdefault(message.payment_id, {})[reply] = None
        reply.on_abandoned(partial(self._leave, message.payment_id, reply))
        self._answer(message.payment_id)

    @FindPayments.deferred
    def find(self, message: FindPayments, reply: Reply[Mapping[str, Payment]]) -> None:
        """Answer with the payments of orders, as far as they are in memory."""
        found = ((one, self._book.of_order(one)) for one in message.order_ids)
        known = {order_id: payment for order_id, payment in found if payment is not None}
        self._journal.reply(reply, known, looks=True)

    # Callers

    @NextCall.deferred
    def next_call(self, message: NextCall, reply: Reply[Payment]) -> None:
        """Hand a payment to a caller as soon as there is one, first come first served."""
        lane = self._lanes[message.lane]
        lane.join(reply)
        reply.on_abandoned(partial(lane.leave, reply))
        self._hand_out(message.lane)

    @Charged.deferred
    def charged(self, message: Charged, reply: Reply[None]) -> None:
        """Apply the outcome of a try to charge."""
        answer = message.answer
        payment = self._ended_call(Lane.CHARGE, message.payment_id, answer.verdict)
        if payment is not None and payment.status is Status.ASKED:
            kept = self._kept(answer, "charge")
            was_asked = payment.payment_id in self._asked
            if answer.verdict is Verdict.ACCEPTED:
                self._change(payment, Action.ACCEPT, **kept)
            elif is_refusal(answer, was_asked=was_asked):
                self._change(payment, Action.REFUSE, **kept)
            elif answer.verdict is Verdict.UNREACHED and not was_asked:
                self._withdraw(payment, "the provider was not reached")
            else:
                self._ask_again(payment, answer)
        self._end_report(Lane.CHARGE, message.payment_id, reply)

    @Placed.deferred
    def placed(self, message: Placed, reply: Reply[None]) -> None:
        """Apply the outcome of placing an order."""
        payment = self._ended_call(Lane.PLACE, message.payment_id)
        if payment is not None and payment.status is Status.PAID:
            if message.placing is Placing.PLACED:
                self._ordered.add(payment.payment_id)  # its event makes it PLACED
            elif message.placing is Placing.IMPOSSIBLE:
                self._change(payment, Action.GIVE_BACK, "its order could not be placed", key=None)
            else:
                self._put_back(Lane.PLACE, payment.payment_id, None)
        self._end_report(Lane.PLACE, message.payment_id, reply)

    @Refunded.deferred
    def refunded(self, message: Refunded, reply: Reply[None]) -> None:
        """Apply the outcome of a try to refund."""
        answer = message.answer
        payment = self._ended_call(Lane.REFUND, message.payment_id, answer.verdict)
        if payment is not None and payment.status is Status.REFUND_PENDING:
            if answer.verdict is Verdict.ACCEPTED:
                self._change(payment, Action.REFUND, **self._kept(answer, "refund"))
            elif answer.verdict is Verdict.REFUSED:
                log.error("refund refused", payment=payment.payment_id, status=answer.status)
                self._put_back(Lane.REFUND, payment.payment_id, LONGEST_PAUSE)
            else:
                self._put_back(Lane.REFUND, payment.payment_id, answer.retry_after)
        self._end_report(Lane.REFUND, message.payment_id, reply)

    @Untouched.deferred
    def untouched(self, message: Untouched, reply: Reply[None]) -> None:
        """Put a payment back: a caller has worked on it since before a restart."""
        self._ended_call(message.lane, message.payment_id)
        self._put_back(message.lane, message.payment_id, RETRY_SECONDS)
        self._end_report(message.lane, message.payment_id, reply)

    # The log

    @Follow.deferred
    def follow(self, message: Follow, reply: Reply[None]) -> None:
        """Apply events, unless they were applied before."""
        new = [one.event for one in message.events if one.position > self._position]
        found = (self._applied(event, message.known) for event in new)
        changes = [change for change in found if change is not None]
        self._position = max(self._position, message.position)
        if changes or self._position - self._stored >= MOST_BEHIND:
            self._stored = self._position
            self._journal.write(*map(entry_of, changes), entry_of_position(self._position))
        self._journal.reply(reply, None)
        for change in changes:
            self._answer(change.payment.payment_id)
        self._hand_out(Lane.REFUND)

    # Operators

    @CountPayments.handler
    def count(self, _message: CountPayments) -> CashierCount:
        """Count the payments with something left to do."""
        now = self._clock()
        breakers = {kind: lane.breaker.state(now) for kind, lane in self._lanes.items()}
        return CashierCount(self._book.by_status(), breakers)

    @AnswerCustomers.handler
    def close(self, _message: AnswerCustomers) -> int:
        """Withdraw intents and refuse all waiting customers; the rest resumes after a restart."""
        for payment in list(self._book.opened.values()):
            if payment.status is Status.INTENT:
                self._withdraw(payment, "the shop closed before it was asked for")
        waiting, self._customers = self._customers, {}
        refusal = self._closing.refusal or LedgerUnavailable()
        return sum(reply.fail(refusal) for replies in waiting.values() for reply in replies)

    # How it changes payments

    def _change(
        self, payment: Payment, action: Action, reason: str | None = None, **changes: Any
    ) -> None:
        """Write one transition, and answer the customers whose outcome it decides."""
        change = moved(payment, action, self._clock(), reason, **changes)
        self._journal.write(entry_of(change))
        self._keep(change)
        self._answer(payment.payment_id)

    def _keep(self, change: Change) -> None:
        self._book.keep(change.payment)
        self._schedule(change.payment)

    def _schedule(self, payment: Payment) -> None:
        """Put a payment on the agenda of its status's lane, and remove it from the others."""
        if payment.status is Status.INTENT:
            self._intents[payment.payment_id] = payment.intended_at
        else:
            self._intents.pop(payment.payment_id, None)
        if payment.status is not Status.ASKED:
            self._asked.discard(payment.payment_id)
        if payment.status is not Status.PAID:
            self._ordered.discard(payment.payment_id)
        for kind, lane in self._lanes.items():
            if LANES.get(payment.status) is kind:
                lane.agenda.add(payment.payment_id, self._clock())
            else:
                lane.agenda.remove(payment.payment_id)

    def _withdraw(self, payment: Payment, reason: str) -> None:
        self._change(payment, Action.WITHDRAW, reason, key=None)

    def _ask_again(self, payment: Payment, answer: Answer) -> None:
        """Schedule a retry with the same key: the outcome is not known yet."""
        if answer.verdict is not Verdict.UNREACHED:
            self._asked.add(payment.payment_id)
        self._put_back(Lane.CHARGE, payment.payment_id, answer.retry_after)

    def _put_back(self, lane: Lane, payment_id: str, least: float | None) -> None:
        self._lanes[lane].put_back(payment_id, self._clock(), least, self._chance())

    def _applied(self, event: Event, known: Mapping[str, Payment]) -> Change | None:
        """Apply an order's event to its payment; return the change, None if there is none."""
        payment = self._book.of_order(event.subject) or known.get(event.subject)
        change = change_by_event(
            event.subject,
            payment,
            self._clock(),
            action=event.action,
            after=event.after,
            data=event.data,
        )
        if change is not None:
            self._keep(change)
        return change

    @staticmethod
    def _kept(answer: Answer, of: str) -> dict[str, Any]:
        """Return the fields of a payment that store a provider's answer."""
        return {f"{of}_status": answer.status, f"{of}_ref": answer.ref, f"{of}_answer": answer.body}

    # Keys

    def _known(self, account_id: str, key: str) -> Payment | None:
        """Return the payment of a key, unless the key has expired."""
        known = self._book.of_key(account_id, key)
        return None if known is None or self._has_expired(known) else known

    def _has_expired(self, payment: Payment) -> bool:
        age = self._clock() - payment.intended_at
        return not payment.is_open and age > self._rules.key_ttl_seconds

    def _answer_for_key(
        self, known: Payment | None, fingerprint: str | None, reply: Reply[Any]
    ) -> None:
        outcome = None
        if known is not None:
            has_order = known.payment_id in self._ordered
            outcome = outcome_for_key(known, fingerprint, has_order=has_order)
        if isinstance(outcome, CafeRefusal):
            self._journal.refuse(reply, outcome)
        else:
            self._journal.reply(reply, outcome, looks=True)

    def _freed(self, message: Intend) -> list[Entry]:
        """Free the key of an old payment for a new one; return the entries for that."""
        wanted, key = message.payment, message.payment.key
        if key is None:
            return []
        old = self._book.of_key(wanted.account_id, key)
        if old is None and message.frees is not None:
            old = self._book.get(message.frees.payment_id) or message.frees
        if old is None or old.key != key or not self._has_expired(old):
            return []
        freed = old._replace(key=None)
        self._book.keep(freed)
        # No event: nothing has happened to the payment.
        return [Entry(None, (Put(payments, row_of(freed)),))]

    def _refuse_new(self) -> None:
        if self._closing.refusal is not None:
            raise self._closing.refusal
        breaker = self._lanes[Lane.CHARGE].breaker
        if not breaker.allows(self._clock()) or len(self._book) >= MOST_OPEN:
            raise ProviderUnavailable(self._retry_after())

    # Waiting customers

    def _answer(self, payment_id: str) -> None:
        """Answer the customers of a payment, if its outcome is known."""
        if payment_id not in self._customers:
            return
        payment = self._book.get(payment_id)
        outcome: Payment | CafeRefusal | None = ForgottenPayment()
        if payment is not None:
            outcome = self._outcome(payment)
        if outcome is None:
            return
        for reply in self._customers.pop(payment_id):
            if isinstance(outcome, CafeRefusal):
                self._journal.refuse(reply, outcome)
            else:
                self._journal.reply(reply, outcome, looks=True)

    def _outcome(self, payment: Payment) -> Payment | CafeRefusal | None:
        if payment.payment_id in self._ordered:
            return payment
        return outcome_of(payment, self._retry_after())

    def _retry_after(self) -> float:
        breaker = self._lanes[Lane.CHARGE].breaker
        return breaker.seconds_left(self._clock()) or RETRY_SECONDS

    def _leave(self, payment_id: str, reply: Reply[Payment]) -> None:
        """Forget a customer who hung up; the payment goes on."""
        waiting = self._customers.get(payment_id, {})
        waiting.pop(reply, None)
        if not waiting:
            self._customers.pop(payment_id, None)

    # Lanes

    def _hand_out(self, kind: Lane) -> None:
        """Hand due payments to idle callers, as far as the breaker allows."""
        now, lane = self._clock(), self._lanes[kind]
        if kind is Lane.CHARGE:
            if self._closing.refusal is not None:
                return
            self._withdraw_hopeless(now)
        while not self._journal.closed and (taken := lane.take(now)) is not None:
            caller, payment_id = taken
            payment = self._book.opened[payment_id]
            if payment.status is Status.INTENT:
                change = moved(payment, Action.ASK, now)
                self._journal.write(entry_of(change))
                self._keep(change)
                payment = change.payment
            self._journal.reply(caller, payment)
        self._set_timer(kind, now)

    def _withdraw_hopeless(self, now: float) -> None:
        """Withdraw the intents of customers that timed out; all, if the breaker allows no call."""
        reason = "its customer waits for it no longer"
        longest = self._rules.customer_seconds
        if not self._lanes[Lane.CHARGE].breaker.allows(now):
            reason, longest = "the provider fails", -inf
        for payment_id, intended_at in list(self._intents.items()):
            payment = self._book.get(payment_id)
            if payment is None or now - intended_at <= longest:
                break
            self._withdraw(payment, reason)

    def _set_timer(self, kind: Lane, now: float) -> None:
        """Set the timer to when the next payment is due and the breaker lets a call through."""
        timer = self._timers.pop(kind, None)
        if timer is not None:
            timer.cancel()
        seconds = self._lanes[kind].seconds_to_wait(now)
        if seconds is not None:
            self._timers[kind] = self.after(seconds, partial(self._hand_out, kind))

    def _ended_call(
        self, kind: Lane, payment_id: str, verdict: Verdict = Verdict.LATER
    ) -> Payment | None:
        """Report a call's end to the breaker; return the payment."""
        self._lanes[kind].end(payment_id, verdict, self._clock())
        return self._book.get(payment_id)

    def _end_report(self, lane: Lane, payment_id: str, reply: Reply[None]) -> None:
        """Answer a report once its effect is committed, and hand out what is due."""
        self._journal.reply(reply, None)
        self._answer(payment_id)
        for one in {lane, Lane.PLACE, Lane.REFUND}:
            self._hand_out(one)
