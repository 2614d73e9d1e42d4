"""The callers: tasks that do for payments what takes time, and report what came of it.

Rule: a caller has one payment in hand at a time, and no other has it meanwhile, even where a new
instance of the Cashier hands it out again. A report is repeated until it is committed.

Orders of paid baskets are placed here only. So whether an order will never be placed can be known:
no one else is about to place it, and the Dispatcher does not know it.
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
"""Calls of a provider at a time, and orders that are placed at a time."""
ORDER_WITHIN: Final = 300.0
"""Seconds after the intent, until which a charge becomes its order; later it is refunded."""

Ask = Callable[[Payment], Awaitable[Answer]]
"""Asks a provider once: to charge a payment, or to refund it."""
Report = Message[Cashier, None]
Work = Callable[[Payment], Awaitable[Report]]
"""Does what there is to do with a payment, once; returns the report."""


async def work_lane(cashier: Ref[Cashier], lane: Lane, work: Work, callers: int = PARALLEL) -> None:
    """Run the callers of a lane; never returns."""
    in_hand: set[str] = set()
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(keep_calling, cashier, lane, work, in_hand)


async def keep_calling(cashier: Ref[Cashier], lane: Lane, work: Work, in_hand: set[str]) -> None:
    """Do one thing after the other; never returns."""
    while True:
        payment = await until_done(partial(cashier.ask, NextCall(lane)))
        payment_id = payment.payment_id
        if payment_id in in_hand:  # an earlier instance has handed it out
            await until_done(partial(cashier.ask, Untouched(lane, payment_id)))
            continue
        in_hand.add(payment_id)
        try:
            await until_done(partial(cashier.ask, await work(payment)))
        finally:
            in_hand.remove(payment_id)


# What there is to do


def charging(ask: Ask, seconds: Histogram) -> Work:
    """Return what charges a payment."""

    async def work(payment: Payment) -> Report:
        with seconds.labels("charge").time():
            return Charged(payment.payment_id, await ask(payment))

    return work


def refunding(ask: Ask, seconds: Histogram) -> Work:
    """Return what gives a payment back."""

    async def work(payment: Payment) -> Report:
        with seconds.labels("refund").time():
            return Refunded(payment.payment_id, await ask(payment))

    return work


def placing(desk: Desk, now: Callable[[], float]) -> Work:
    """Return what places the order of a payment, or finds out that there will be none."""

    async def work(payment: Payment) -> Report:
        return Placed(payment.payment_id, await place(desk, payment, now()))

    return work


async def place(desk: Desk, payment: Payment, now: float) -> Placing:
    """Place the order of a payment, unless that is too late; it may be placed already."""
    try:
        if now - payment.intended_at <= ORDER_WITHIN:
            # Refused for good: by the database, or as another order has taken the key meanwhile.
            with suppress(NotRecorded, KeyReused):
                standing, _ = await desk.place_basket(order_of(payment))
                if standing.order.order_id == payment.order_id:
                    return Placing.PLACED
        return await look(desk, payment)
    except (CafeRefusal, ActorCrashed):
        return Placing.LATER


async def look(desk: Desk, payment: Payment) -> Placing:
    """Find out whether the order is placed; if not, it never will be."""
    try:
        await desk.find(payment.order_id)
    except UnknownOrder:
        return Placing.IMPOSSIBLE
    return Placing.PLACED


async def place_orders(cashier: Ref[Cashier], desk: Desk, now: Callable[[], float]) -> None:
    """Place the orders of paid baskets; never returns."""
    await work_lane(cashier, Lane.PLACE, placing(desk, now))
