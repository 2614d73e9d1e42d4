"""The till, which the routes call: it prices a basket, gets it charged, and finds its order.

Rule: no state, no decisions about payments. After a crash of the Cashier the till retries with the
same id, so that the customer does not notice. The time-outs of the waits for the ledger and for the
provider are here. A key is looked up before anything else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import trio

from actors import ActorCrashed, Message, Ref
from cafe.delivery.messages import Coverage
from cafe.http.refusals import CafeRefusal
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from cafe.ledger.following import Following
from cafe.ledger.retries import ask_again, ledger_time_out
from cafe.ledger.view import LedgerView
from cafe.menu.messages import Board
from cafe.orders.messages import Basket, Standing, basket_order
from cafe.payments.cashier import Cashier
from cafe.payments.messages import AwaitOrder, FindByKey, FindPayments, Intend
from cafe.payments.payment import Payment, Status, status_without_charge
from cafe.payments.pricing import Delivery, Item, destination_of, new_payment, price
from cafe.payments.queries import find_of_orders, look_up
from cafe.payments.refusals import (
    RETRY_SECONDS,
    ForgottenPayment,
    PaymentUnknown,
    WrongTotal,
    outcome_for_key,
    outcome_of,
)

if TYPE_CHECKING:
    from cafe.orders.messages import Desk

R = TypeVar("R")

TRIES: Final = 5
"""Attempts before a crash is passed on to the customer."""
CUSTOMER_SECONDS: Final = 15.0
"""How long a customer waits for the provider."""


class Wish(NamedTuple):
    """An order as a customer wants it."""

    account_id: str
    address: str
    max_waiting: int
    items: tuple[Item, ...]
    fingerprint: str
    metadata: str | None = None
    """JSON, as text."""
    total_cents: int | None = None
    """The total that the customer expects."""
    key: str | None = None
    delivery: Delivery | None = None
    """Where a courier brings it; None if it is handed over at the counter."""


class Ordered(NamedTuple):
    """An order with the status of its payment."""

    standing: Standing
    payment: Status
    is_new: bool = True
    charge_status: int | None = None
    """The HTTP status with which the provider accepted the charge; None if it was not asked."""


@dataclass(frozen=True, slots=True)
class Till:
    """The interface of payments to their routes."""

    cashier: Ref[Cashier]
    desk: Desk
    board: Board
    coverage: Coverage
    ledger: LedgerView
    followed: Following
    charges: Callable[[], Awaitable[bool]]
    """Returns whether there is a provider."""
    has_charged: bool
    """Whether a key may be a payment's: there is a provider, or was one lately."""
    customer_seconds: float = CUSTOMER_SECONDS

    async def order(self, wish: Wish) -> Ordered:
        """Order a basket, once for a key; returns when it is paid and queued."""
        expired: Payment | None = None
        if wish.key is not None:
            known = await self._find_by_key(wish, wish.key)
            if isinstance(known, Ordered):
                return known
            expired = known
        basket, to = priced(wish, self.board), None
        if wish.delivery is not None:
            to = destination_of(self.coverage, wish.delivery)
        placing = partial(
            basket_order, self.desk.ids.new(), address=wish.address, max_waiting=wish.max_waiting
        )
        if not (basket.total_cents and await self._charges()):
            standing, is_new = await self.desk.place_basket(placing(basket, to, key=wish.key))
            return await self._found(standing, is_new=is_new)
        await self.desk.check_room(wish.address, wish.max_waiting)
        order_id, payment_id = self.desk.ids.new(), token_urlsafe(18)
        payment = new_payment(payment_id, order_id, basket, to, wish.address, wish.key)
        try:
            paid = await self._pay(payment, expired)
            return await self._placed(paid, is_new=paid.payment_id == payment_id)
        except LedgerUnavailable:
            # The Cashier may have the payment, and go on when the database is back.
            raise PaymentUnknown from None

    async def with_payments(self, standings: Sequence[Standing]) -> list[Ordered]:
        """Return orders with the statuses of their payments; none is stale."""
        order_ids = tuple(one.order.order_id for one in standings)
        with ledger_time_out():
            await self.followed.wait(self.ledger.statistics().position)
            in_memory = await self._ask(FindPayments(order_ids))
            known = dict(in_memory)
            missing = [one for one in order_ids if one not in known]
            if missing:
                known |= await self.ledger.read(partial(find_of_orders, order_ids=missing))
        return [with_payment(one, known.get(one.order.order_id)) for one in standings]

    async def find(self, order_id: str, hold: float = 0.0) -> Ordered:
        """Return an order with its payment's status; raises UnknownOrder."""
        (ordered,) = await self.with_payments([await self.desk.find(order_id, hold)])
        return ordered

    # Keys

    async def _find_by_key(self, wish: Wish, key: str) -> Ordered | Payment | None:
        """Return the order of a key, or an old payment whose key has expired, or None."""
        account_id, fingerprint = wish.account_id, wish.fingerprint
        expired: Payment | None = None
        if self.has_charged:
            known = await self._ask(FindByKey(account_id, key, fingerprint))
            if known is not None:
                return await self._placed(known)
            for one in await self._kept(account_id, key):
                if self._has_expired(one):
                    expired = one
                else:
                    return await self._placed(payment_or_raise(outcome_for_key(one, fingerprint)))
        standing = await self.desk.find_placed(account_id, key, fingerprint)
        return expired if standing is None else await self._found(standing, is_new=False)

    async def _found(self, standing: Standing, *, is_new: bool) -> Ordered:
        """Return the order that the Dispatcher placed, or found by its key; it may be prepaid."""
        if standing.order.prepaid:
            (ordered,) = await self.with_payments([standing])
            return ordered
        return with_payment(standing, None)._replace(is_new=is_new)

    async def _kept(self, account_id: str, key: str) -> list[Payment]:
        """Return the ledger's payment of a key, if it has one."""
        sought = Payment("", "", account_id, 0, 0.0, key=key)
        with ledger_time_out():
            return await self.ledger.read(partial(look_up, payment=sought))

    def _has_expired(self, payment: Payment) -> bool:
        age = self.ledger.now() - payment.intended_at
        return not payment.is_open and age > self.desk.key_ttl_seconds

    # Payments

    async def _pay(self, payment: Payment, expired: Payment | None) -> Payment:
        """Return a payment once it is charged and its order placed, or an earlier one of its key.

        Raises PaymentUnknown after a time-out: the payment goes on without its customer.
        """
        with trio.move_on_after(self.customer_seconds):
            for _ in range(TRIES):
                try:
                    with ledger_time_out():
                        known = await self.cashier.ask(Intend(payment, expired))
                    if known.payment_id != payment.payment_id:
                        return known
                    return await self.cashier.ask(AwaitOrder(payment.payment_id))
                except (ActorCrashed, JournalClosed, ForgottenPayment):
                    await trio.lowlevel.checkpoint()
                except NotRecorded as refused:
                    if refused.reason != "conflict":  # of all constraints only the key's conflicts
                        raise
                settled = await self._settled(payment)
                if settled is not None:
                    return settled
        raise PaymentUnknown

    async def _settled(self, payment: Payment) -> Payment | None:
        """Return the payment, or another of its key, if the ledger has its outcome; None if not.

        Raises its customer's refusal.
        """
        with ledger_time_out():
            for one in await self.ledger.read(partial(look_up, payment=payment)):
                if one.payment_id != payment.payment_id:
                    if not self._has_expired(one):
                        return payment_or_raise(outcome_for_key(one, payment.fingerprint))
                elif (outcome := outcome_of(one, RETRY_SECONDS)) is not None:
                    return payment_or_raise(outcome)
            return None

    async def _placed(self, payment: Payment, *, is_new: bool = False) -> Ordered:
        standing = await self.desk.find(payment.order_id)
        # Its order is placed, even if the Cashier has not followed that event yet.
        status = Status.PLACED if payment.status is Status.PAID else payment.status
        return Ordered(standing, status, is_new, payment.charge_status)

    # How it asks

    async def _charges(self) -> bool:
        """Return whether baskets are charged for."""
        with ledger_time_out():
            for _ in range(TRIES - 1):
                with suppress(ActorCrashed):
                    return await self.charges()
            return await self.charges()

    async def _ask(self, message: Message[Cashier, R]) -> R:
        """Ask the Cashier, and again after a crash."""
        with ledger_time_out():
            return await ask_again(self.cashier, message, TRIES)


def priced(wish: Wish, board: Board) -> Basket:
    """Return the basket at the menu's prices; raises NotOnMenu or WrongTotal."""
    lines = price(board.menu, wish.items)
    total_cents = sum(line.total_cents for line in lines)
    if wish.total_cents not in {None, total_cents}:
        raise WrongTotal(total_cents)
    return Basket(wish.account_id, lines, total_cents, wish.fingerprint, wish.metadata)


def with_payment(standing: Standing, payment: Payment | None) -> Ordered:
    """Return an order with the status of its payment; None if it was not charged."""
    if payment is not None:
        return Ordered(standing, payment.status, False, payment.charge_status)
    basket = standing.order.basket
    status = status_without_charge(1 if basket is None else basket.total_cents)
    return Ordered(standing, status, is_new=False)


def payment_or_raise(outcome: Payment | CafeRefusal) -> Payment:
    """Return a payment; raise a refusal."""
    if isinstance(outcome, CafeRefusal):
        raise outcome
    return outcome
