"""What follows the log for the Couriers actor, and what tells orders of their deliveries' ends.

Rule: an event is passed on until its effect is committed; the actor skips what it has applied. What
an order may not know is asked for again and again: each command to it may be repeated.
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
"""Followed without a turn, at most."""
SETTLE_SECONDS: Final = 5.0
"""Between two looks for orders that may not know of their deliveries; a request tells at once."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("delivery")


async def follow_orders(couriers: Ref[Couriers], ledger: Ledger, followed: Followed) -> None:
    """Follow the log for the Couriers actor; never returns.

    Events that concern no delivery cost no turn: only now and then is their position stored.
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
    """Return whether an event tells of an order that is delivered."""
    event = one.event
    return one.department == "orders" and concerns_delivery(event.before, event.after, event.data)


async def settle_orders(couriers: Ref[Couriers], desk: Desk) -> None:
    """Tell orders what they may not know of their deliveries; never returns.

    First what an earlier process has left; then what a request has not told within some seconds.
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
    """Have the order published, handed over or called off, as far as it may not know.

    Raises what the desk of orders raises.
    """
    if delivery.is_published and delivery.number is None:
        to = Destination(delivery.district_id, delivery.district, delivery.address)
        await desk.publish(PublishOrder(delivery.order_id, delivery.name or "", to, by))
    if delivery.status is Status.DELIVERED:
        await desk.hand_over(delivery.order_id, by)
    elif delivery.status is Status.CANCELLED:
        await desk.call_off(delivery.order_id, by, delivery.reason)
