"""The department of payments: its tables for the ledger, and what it offers to the shop.

Rule: the shop runs the tasks and serves the routes that are returned here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from random import SystemRandom
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import structlog
from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Executable, Select, delete, select

from actors import ActorCrashed, Ref
from cafe.delivery.messages import Coverage
from cafe.http.refusals import Closing
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.following import Followed, FollowedElsewhere, for_others
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import load_when_refused
from cafe.ledger.tables import events
from cafe.limits.rate_limiter import RateLimiter
from cafe.menu.messages import Board
from cafe.offer import Front, House, Offer
from cafe.payments.breaker import State
from cafe.payments.calls import place_orders
from cafe.payments.cashier import Cashier, Rules
from cafe.payments.checks import CHECKS
from cafe.payments.customer_api import customer_routes
from cafe.payments.followers import follow_orders
from cafe.payments.messages import AnswerCustomers, CashierCount, CountPayments, Lane, LoadPayments
from cafe.payments.payment import OPEN, TRANSITIONS, Status
from cafe.payments.queries import (
    Snapshot,
    count_open,
    find_of_orders,
    has_key_since,
    list_by_status,
    load_payments,
    look_up,
)
from cafe.payments.staff_api import staff_routes
from cafe.payments.tables import followed, payments
from cafe.payments.till import CUSTOMER_SECONDS, Till
from cafe.settings import Settings

if TYPE_CHECKING:
    from cafe.orders.messages import Desk

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
FOLLOWED_CALL: Final = "payments.followed"
"""Answered when the effects of all that is committed are committed."""
CHARGES_CALL: Final = "payments.charges"
"""Answered with whether there is a provider, which only the settings of the house say."""
QUERIES: Final = (find_of_orders, list_by_status, look_up)
"""The queries with which the till reads the ledger."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("payment")


def _ended(before: float) -> Select[Any]:
    # While the log has its order, the order may be cancelled, and the payment refunded.
    has_order = (
        select(events.c.position)
        .where(events.c.subject == payments.c.order_id, events.c.department == "orders")
        .exists()
    )
    is_open = payments.c.status.in_([one.value for one in OPEN])
    return select(payments.c.payment_id).where(payments.c.changed_at < before, ~is_open, ~has_order)


def _prune(subjects: Sequence[str]) -> Executable:
    return delete(payments).where(payments.c.payment_id.in_(subjects))


PAYMENTS = Department(
    "payments",
    tables=(payments, followed),
    load=load_payments,
    transitions=transitions_of(TRANSITIONS),
    checks=CHECKS,
    ended=_ended,
    prune=(_prune,),
    followed=select(followed.c.position),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsOffer(Offer):
    """The offer of payments to the shop and other packages."""

    till: Till


async def open_payments(
    house: House, *, desk: Desk, board: Board, coverage: Coverage
) -> PaymentsOffer:
    """Start the Cashier from the ledger's payments, and return what payments offer.

    Waits for the database without a time-out.
    """
    settings, ledger, limiter = house.settings, house.ledger, house.limiter
    rules = Rules(CUSTOMER_SECONDS, settings.key_ttl_seconds)
    cashier = await house.start(cashier_factory(rules, ledger, house.closing), name="Cashier")
    log_followed = Followed()
    has_provider = settings.payment_url is not None

    async def charges() -> bool:
        return has_provider

    since = ledger.now() - settings.key_ttl_seconds
    had_keys = await ledger.prepare(partial(has_key_since, since=since))
    may_know = has_provider or had_keys
    till = Till(cashier, desk, board, coverage, ledger, log_followed, charges, may_know)
    warn_of_waiting(settings, await ledger.prepare(count_open))
    seconds = Histogram(
        "cafe_provider_seconds",
        "How long calls of the payment providers took.",
        ("call",),
        buckets=SECONDS,
        registry=house.registry,
    )
    tasks: list[Callable[[], Awaitable[None]]] = [
        partial(follow_orders, cashier, ledger, log_followed),
        partial(place_orders, cashier, desk, ledger.now),
        partial(load_when_refused, ledger, PAYMENTS, cashier, LoadPayments()),
    ]
    tasks += calling_tasks(settings, cashier, seconds)
    return replace(
        payments_offer(till, limiter),
        answers=partial(cashier.ask, CountPayments()),
        metrics=partial(metrics, cashier),
        tasks=tuple(tasks),
        close=partial(answer_customers, cashier),
        refs=(cashier,),
        queries=QUERIES,
        calls={
            FOLLOWED_CALL: for_others(log_followed, ledger),
            CHARGES_CALL: charges,
        },
    )


def reach_payments(front: Front, *, desk: Desk, board: Board, coverage: Coverage) -> PaymentsOffer:
    """Return what payments offer at a front, which calls no provider."""
    from cafe.payments.front import CashierAtFront  # noqa: PLC0415 - as in the menu's

    house = front.house
    log_followed = FollowedElsewhere(partial(house.call, FOLLOWED_CALL, NoneType))
    charges = partial(house.call, CHARGES_CALL, bool)
    cashier = CashierAtFront(house, front.closing)
    # Any key may be a payment's: only the house knows since when there is a provider.
    till = Till(cashier, desk, board, coverage, front.ledger, log_followed, charges, True)
    return replace(payments_offer(till, front.limiter), close=cashier.close)


def payments_offer(till: Till, limiter: Ref[RateLimiter]) -> PaymentsOffer:
    """Return what payments offer, given the till where baskets are ordered."""
    return PaymentsOffer(
        name="payments",
        customer_routes=(customer_routes(till, limiter),),
        staff_routes=(staff_routes(till, limiter),),
        till=till,
    )


def calling_tasks(
    settings: Settings, cashier: Ref[Cashier], seconds: Histogram
) -> Iterable[Callable[[], Awaitable[None]]]:
    """Yield the tasks that call the providers, as far as the settings name any."""
    if settings.payment_url is None and settings.refund_url is None:
        return
    from cafe.payments.provider import charge_payments, refund_payments  # noqa: PLC0415 - see there

    if settings.payment_url is not None:
        yield partial(charge_payments, cashier, settings.payment_url, seconds)
    if settings.refund_url is not None:
        yield partial(refund_payments, cashier, settings.refund_url, seconds)
    else:
        log.warning("there is no CAFE_REFUND_URL: what has to be refunded waits for one")


def warn_of_waiting(settings: Settings, waiting: Mapping[Status, int]) -> None:
    """Warn of payments that wait for a provider which the settings do not name."""
    for status, setting in ((Status.ASKED, "payment_url"), (Status.REFUND_PENDING, "refund_url")):
        number = waiting.get(status, 0)
        if number and getattr(settings, setting) is None:
            name = f"CAFE_{setting.upper()}"
            log.warning("payments wait for a setting", setting=name, status=status, waiting=number)


def cashier_factory(
    rules: Rules, ledger: Ledger, closing: Closing
) -> Callable[[], Awaitable[Cashier]]:
    """Return a factory of Cashiers, for its start and each restart; waits for the database."""
    load = partial(ledger.open_until_given_up, PAYMENTS, Snapshot())

    async def make() -> Cashier:
        return Cashier(rules, ledger.now, load, await load(), closing, SystemRandom().random)

    return make


async def answer_customers(cashier: Ref[Cashier]) -> Mapping[str, int]:
    """On shutdown, answer all customers that wait for a payment; return how many."""
    while True:
        with suppress(ActorCrashed):
            return {"payments_answered": await cashier.ask(AnswerCustomers())}


async def metrics(cashier: Ref[Cashier]) -> Iterable[Metric]:
    """Return the metrics of the Cashier."""
    return metrics_of(await cashier.ask(CountPayments()))


def metrics_of(count: CashierCount) -> Iterable[Metric]:
    """Yield the metric families of the Cashier's counts."""
    by_status = GaugeMetricFamily(
        "cafe_payments_open", "Payments with something left to do.", labels=("status",)
    )
    for status in OPEN:
        by_status.add_metric((status.value,), count.by_status.get(status, 0))
    yield by_status
    breakers = GaugeMetricFamily(
        "cafe_provider_breaker", "Which state each breaker is in.", labels=("call", "state")
    )
    for lane in (Lane.CHARGE, Lane.REFUND):
        for state in State:
            breakers.add_metric((lane.value, state.value), count.breakers[lane] is state)
    yield breakers
