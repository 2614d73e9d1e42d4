"""The tasks that follow the log for the Couriers actor, and tell orders of their deliveries.

Rule: an event is sent again until its effect is committed; the actor skips events it has applied.
An order is told again until the log says that it knows: each command to it may be repeated.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
import trio

from actors import ActorCrashed, Ref
from cafe.delivery.couriers import Couriers
from cafe.delivery.delivery import Delivery, Status, concerns_delivery
from cafe.delivery.messages import Follow, ListUnsettled
from cafe.delivery.queries import load_position
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Logged
from cafe.ledger.following import Followed
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import until_done
from cafe.orders.messages import Destination, PublishOrder

if TYPE_CHECKING:
    from cafe.orders.messages import Desk

MOST_EVENTS: Final = 1_000
"""The most events that are followed without a message to the actor."""
SETTLE_SECONDS: Final = 5.0
"""The interval of the search for orders that were not told; a request tells its order at once."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("delivery")


async def follow_orders(couriers: Ref[Couriers], ledger: Ledger, followed: Followed) -> None:
    """Follow the log for the Couriers actor; never returns.

    Events that concern no delivery cost the actor no turn, except one for each MOST_EVENTS.
    """
    after = passed_on = await until_done(partial(ledger.read, load_position))
    followed.advance(after)
    async with ledger.follow(after) as batches:
        async for batch in batches:
            position = batch[-1].position
            events = tuple(one for one in batch if concerns_delivery_in(one))
            if events or position - passed_on >= MOST_EVENTS:
                await until_done(partial(couriers.ask, Follow(events, position)))
                passed_on = position
            followed.advance(position)


def concerns_delivery_in(one: Logged) -> bool:
    """Return whether an event is of an order that a courier brings, and concerns its delivery."""
    event = one.event
    return one.department == "orders" and concerns_delivery(event.before, event.after, event.data)


async def settle_orders(couriers: Ref[Couriers], desk: Desk) -> None:
    """Tell orders of changes that they may not know; never returns.

    At first all that an earlier process left; then those older than SETTLE_SECONDS.
    """
    seconds = 0.0
    while True:
        for one in await until_done(partial(couriers.ask, ListUnsettled(seconds))):
            try:
                await tell_order(desk, one)
            except (CafeRefusal, ActorCrashed) as no:
                log.warning("order not told", status=one.status.value, why=str(no))
        await trio.sleep(SETTLE_SECONDS)
        seconds = SETTLE_SECONDS


async def tell_order(desk: Desk, delivery: Delivery, by: str | None = None) -> None:
    """Publish, hand over or call off the order, so that it knows of its delivery.

    Raises the errors of the desk of orders.
    """
    if delivery.is_published and delivery.number is None:
        to = Destination(delivery.district_id, delivery.district, delivery.address)
        await desk.publish(PublishOrder(delivery.order_id, delivery.name or "", to, by))
    if delivery.status is Status.DELIVERED:
        await desk.hand_over(delivery.order_id, by)
    elif delivery.status is Status.CANCELLED:
        await desk.call_off(delivery.order_id, by, delivery.reason)
