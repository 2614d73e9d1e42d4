"""The department of delivery: its tables for the ledger, and what it offers to the shop.

Rule: the shop runs the tasks and serves the routes that are returned here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Executable, Select, delete, func, select

from actors import Ref
from cafe.delivery.checks import CHECKS
from cafe.delivery.courier import DUTY_TRANSITIONS
from cafe.delivery.couriers import Couriers, Rules
from cafe.delivery.coverage import Coverage
from cafe.delivery.customer_api import courier_routes
from cafe.delivery.delivery import LIVE, TRANSITIONS, Status
from cafe.delivery.desk import DeliveryDesk
from cafe.delivery.districts import DISTRICT_TRANSITIONS
from cafe.delivery.followers import follow_orders, settle_orders
from cafe.delivery.hands import Hands, read_hands
from cafe.delivery.messages import CountCouriers, CourierCount, ListUnsettled, LoadCouriers
from cafe.delivery.queries import (
    Snapshot,
    districts_of,
    find_by_account,
    find_courier,
    find_delivery,
    list_couriers,
    list_deliveries,
    list_districts,
    load_delivery,
)
from cafe.delivery.staff_api import delivery_routes, manager_routes
from cafe.delivery.tables import couriers, deliveries, districts, followed, served
from cafe.http.refusals import Closing
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.following import Followed, FollowedElsewhere, for_others
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import load_when_refused
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Front, House, Offer

if TYPE_CHECKING:
    from cafe.orders.messages import Desk

FOLLOWED_CALL: Final = "delivery.followed"
"""Answered when the effects of all that is committed are committed."""
QUERIES: Final = (
    districts_of,
    find_by_account,
    find_courier,
    find_delivery,
    list_couriers,
    list_deliveries,
    list_districts,
    read_hands,
)
"""The queries of the desk, and of the copies at fronts."""


def _ended(before: float) -> Select[Any]:
    # The last delivery stays: the next one's place in the queue is one more.
    last = select(func.max(deliveries.c.sequence)).scalar_subquery()
    return select(deliveries.c.order_id).where(
        deliveries.c.ended_at < before,
        deliveries.c.settled.is_(True),
        deliveries.c.sequence < last,
    )


def _prune(subjects: Sequence[str]) -> Executable:
    return delete(deliveries).where(deliveries.c.order_id.in_(subjects))


DELIVERY: Final = Department(
    "delivery",
    tables=(districts, couriers, served, deliveries, followed),
    load=load_delivery,
    transitions={
        **transitions_of(TRANSITIONS),
        **transitions_of(DUTY_TRANSITIONS),
        **transitions_of(DISTRICT_TRANSITIONS),
    },
    checks=CHECKS,
    ended=_ended,
    prune=(_prune,),
    followed=select(followed.c.position),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOffer(Offer):
    """The offer of delivery to the shop and other departments."""

    coverage: Coverage
    desk: DeliveryDesk
    hands: Hands


async def open_delivery(
    house: House, *, desk: Desk, role_of: Callable[[str], Awaitable[str | None]]
) -> DeliveryOffer:
    """Start the Couriers actor from the ledger, and return what delivery offers.

    `role_of` returns the role of an account. Waits for the database without a time-out, and until
    the coverage has its districts.
    """
    settings, ledger = house.settings, house.ledger
    rules = Rules(
        settings.delivery_lease_seconds, partial(day_of, zone=ZoneInfo(settings.time_zone))
    )
    coverage, log_followed = Coverage(), Followed()
    hands = Hands()
    hands.begin(await ledger.prepare(read_hands))  # before anything can change what it loads
    ledger.listen(hands.hear)
    factory = couriers_factory(rules, coverage, ledger, house.closing)
    ref = await house.start(factory, name="Couriers")
    with suppress(LedgerUnavailable):  # the shop closes already
        await ref.ask(ListUnsettled())
    delivery_desk = DeliveryDesk(ref, desk, role_of, ledger, log_followed)
    return replace(
        delivery_offer(delivery_desk, house.limiter, coverage, hands),
        answers=partial(ref.ask, CountCouriers()),
        metrics=partial(metrics, ref),
        tasks=(
            partial(follow_orders, ref, ledger, log_followed),
            partial(settle_orders, ref, desk),
            partial(load_when_refused, ledger, DELIVERY, ref, LoadCouriers()),
        ),
        refs=(ref,),
        queries=QUERIES,
        calls={FOLLOWED_CALL: for_others(log_followed, ledger)},
    )


async def reach_delivery(
    front: Front, *, desk: Desk, role_of: Callable[[str], Awaitable[str | None]]
) -> DeliveryOffer:
    """Return what delivery offers at a front, once its coverage has the house's districts."""
    from cafe.delivery.front import copied_coverage, copied_hands  # noqa: PLC0415 - as in the menu's

    house, ledger, coverage = front.house, front.ledger, Coverage()
    copy, ref = copied_coverage(house, coverage)
    await copy.begin(house, ledger)
    log_followed = FollowedElsewhere(partial(house.call, FOLLOWED_CALL, NoneType))
    delivery_desk = DeliveryDesk(ref, desk, role_of, ledger, log_followed)
    return replace(
        delivery_offer(delivery_desk, front.limiter, coverage, await copied_hands(ledger)),
        serving=(copy.run,),
    )


def delivery_offer(
    desk: DeliveryDesk, limiter: Ref[RateLimiter], coverage: Coverage, hands: Hands
) -> DeliveryOffer:
    """Return what delivery offers, given its parts."""
    return DeliveryOffer(
        name="delivery",
        customer_routes=(courier_routes(desk, limiter),),
        staff_routes=(delivery_routes(desk, limiter), manager_routes(desk)),
        coverage=coverage,
        desk=desk,
        hands=hands,
    )


def couriers_factory(
    rules: Rules, coverage: Coverage, ledger: Ledger, closing: Closing
) -> Callable[[], Awaitable[Couriers]]:
    """Return a factory of Couriers, for its start and each restart; waits for the database."""
    # If loading was given up, the actor shows nothing and answers with refusals.
    load = partial(ledger.open_until_given_up, DELIVERY, Snapshot())

    async def make() -> Couriers:
        return Couriers(rules, coverage, ledger.now, load, await load(), closing)

    return make


def day_of(at: float, zone: ZoneInfo) -> str:
    """Return the local day of a time, as 2026-03-14."""
    return datetime.fromtimestamp(at, zone).date().isoformat()


async def metrics(ref: Ref[Couriers]) -> Iterable[Metric]:
    """Return the metrics of the Couriers actor."""
    return metrics_of(await ref.ask(CountCouriers()))


def metrics_of(count: CourierCount) -> Iterable[Metric]:
    """Yield the metric families of the actor's counts."""
    yield GaugeMetricFamily("cafe_couriers_on_duty", "Couriers on duty.", count.on_duty)
    yield GaugeMetricFamily(
        "cafe_couriers_free", "Couriers on duty with no order in hand.", count.free
    )
    by_status = GaugeMetricFamily(
        "cafe_deliveries", "Deliveries that have not ended.", labels=("status",)
    )
    for status in map(Status, LIVE):
        by_status.add_metric((status.value,), count.by_status.get(status, 0))
    yield by_status
