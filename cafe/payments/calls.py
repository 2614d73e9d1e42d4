"""The callers: tasks that make the slow calls for payments, and report the outcome to the Cashier.

Rule: a caller works on one payment at a time, and no other caller does meanwhile, even if a
restarted Cashier hands the payment out again. A report is retried until it is committed.

Orders of paid baskets are placed here only. So an order that the Dispatcher does not know will
never be placed: no other task is about to place it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from prometheus_client import Histogram

from actors import ActorCrashed, Message, Ref
from cafe.http.refusals import CafeRefusal
from cafe.ledger.errors import NotRecorded
from cafe.ledger.retries import until_done
from cafe.orders.messages import KeyReused, UnknownOrder
from cafe.payments.cashier import Cashier
from cafe.payments.messages import (
    Charged,
    Lane,
    NextCall,
    Placed,
    Placing,
    Refunded,
    Untouched,
)
from cafe.payments.payment import Answer, Payment
from cafe.payments.pricing import order_of

if TYPE_CHECKING:
    from cafe.orders.messages import Desk

PARALLEL: Final = 20
"""Callers of a lane: the most concurrent calls of a provider, and orders placed at a time."""
ORDER_WITHIN: Final = 300.0
"""Seconds after the intent in which a charge may become its order; later it is refunded."""

Ask = Callable[[Payment], Awaitable[Answer]]
"""Asks a provider once to charge or to refund a payment."""
Report = Message[Cashier, None]
Work = Callable[[Payment], Awaitable[Report]]
"""Makes one try for a payment; returns the report of its outcome."""


async def work_lane(cashier: Ref[Cashier], lane: Lane, work: Work, callers: int = PARALLEL) -> None:
    """Run the callers of a lane; never returns."""
    in_hand: set[str] = set()
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(keep_calling, cashier, lane, work, in_hand)


async def keep_calling(cashier: Ref[Cashier], lane: Lane, work: Work, in_hand: set[str]) -> None:
    """Work on one payment after the other; never returns."""
    while True:
        payment = await until_done(partial(cashier.ask, NextCall(lane)))
        payment_id = payment.payment_id
        if payment_id in in_hand:  # an earlier Cashier handed it out
            await until_done(partial(cashier.ask, Untouched(lane, payment_id)))
            continue
        in_hand.add(payment_id)
        try:
            await until_done(partial(cashier.ask, await work(payment)))
        finally:
            in_hand.remove(payment_id)


# The work of each lane


def charging(ask: Ask, seconds: Histogram) -> Work:
    """Return the work that tries once to charge a payment."""

    async def work(payment: Payment) -> Report:
        with seconds.labels("charge").time():
            return Charged(payment.payment_id, await ask(payment))

    return work


def refunding(ask: Ask, seconds: Histogram) -> Work:
    """Return the work that tries once to refund a payment."""

    async def work(payment: Payment) -> Report:
        with seconds.labels("refund").time():
            return Refunded(payment.payment_id, await ask(payment))

    return work


def placing(desk: Desk, now: Callable[[], float]) -> Work:
    """Return the work that tries once to place the order of a payment."""

    async def work(payment: Payment) -> Report:
        return Placed(payment.payment_id, await place(desk, payment, now()))

    return work


async def place(desk: Desk, payment: Payment, now: float) -> Placing:
    """Place the order of a payment, unless it is too late; return what became of it."""
    try:
        if now - payment.intended_at <= ORDER_WITHIN:
            # These refusals are final: by the database, or since another order has the key.
            with suppress(NotRecorded, KeyReused):
                standing, _ = await desk.place_basket(order_of(payment))
                if standing.order.order_id == payment.order_id:
                    return Placing.PLACED
        return await look(desk, payment)
    except (CafeRefusal, ActorCrashed):
        return Placing.LATER


async def look(desk: Desk, payment: Payment) -> Placing:
    """Return PLACED if the order is found, else IMPOSSIBLE: no other task will place it."""
    try:
        await desk.find(payment.order_id)
    except UnknownOrder:
        return Placing.IMPOSSIBLE
    return Placing.PLACED


async def place_orders(cashier: Ref[Cashier], desk: Desk, now: Callable[[], float]) -> None:
    """Place the orders of paid baskets; never returns."""
    await work_lane(cashier, Lane.PLACE, placing(desk, now))
