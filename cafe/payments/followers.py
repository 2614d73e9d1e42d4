"""The follower: passes the log's events of placed and cancelled baskets to the Cashier.

Rule: an event is sent again until its effect is committed; the Cashier skips events it has applied.
Readers of payments wait until the log is followed, so that they return nothing stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from actors import Ref
from cafe.ledger.department import Logged
from cafe.ledger.following import Followed
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import until_done
from cafe.payments.cashier import Cashier
from cafe.payments.messages import Follow
from cafe.payments.queries import find_of_orders, load_position

MOST_EVENTS = 1_000
"""The most events in one message to the Cashier."""
GATHER_SECONDS = 0.1
"""How long events gather for one commit; a commit for each group of orders would halve their rate.
"""


async def follow_orders(cashier: Ref[Cashier], ledger: Ledger, followed: Followed) -> None:
    """Follow the log for the Cashier; never returns."""
    after = await until_done(partial(ledger.read, load_position))
    followed.advance(after)
    async with ledger.follow(after, MOST_EVENTS) as batches:
        async for batch in batches:
            await until_done(partial(pass_on, cashier, ledger, batch))
            followed.advance(batch[-1].position)
            if len(batch) < MOST_EVENTS:
                await followed.pause(GATHER_SECONDS)


async def pass_on(cashier: Ref[Cashier], ledger: Ledger, part: Sequence[Logged]) -> None:
    """Pass on the events that concern payments, with the payments that memory may not have."""
    # Filtered inline first: most events are the plain counter's, and have no data.
    with_data = [one for one in part if one.event.data is not None]
    events = tuple(filter(concerns_payments, with_data))
    cancelled = [one.event.subject for one in events if one.event.after == "cancelled"]
    known = await ledger.read(partial(find_of_orders, order_ids=cancelled)) if cancelled else {}
    await cashier.ask(Follow(events, part[-1].position, known))


def concerns_payments(one: Logged) -> bool:
    """Return whether an event says that a basket was placed or cancelled."""
    event = one.event
    of_basket = one.department == "orders" and event.data is not None
    return of_basket and (event.action == "place" or event.after == "cancelled")
