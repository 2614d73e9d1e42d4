"""What the ledger and the shop need to know of tips: their tables, and what they offer when open.

Rule: values only. The shop starts Tips and the task, and serves the routes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from sqlalchemy import delete, select

from cafe.ledger.department import Department, transitions_of
from cafe.ledger.ledger import Ledger
from cafe.offer import Offer, Start
from docs.examples.tips.checks import CHECKS
from docs.examples.tips.customer_api import customer_routes
from docs.examples.tips.jar import TipJar
from docs.examples.tips.messages import AwaitPosition
from docs.examples.tips.queries import load_position
from docs.examples.tips.staff_api import barista_routes
from docs.examples.tips.tables import brews, followed, tips, totals
from docs.examples.tips.tip import TRANSITIONS, Action, Status
from docs.examples.tips.tips import Tips, follow_orders

TIPS = Department(
    "tips",
    tables=(brews, tips, totals, followed),
    load=load_position,
    transitions=transitions_of(TRANSITIONS, Action.GIVE, Status.PLEDGED),
    checks=CHECKS,
    ended=lambda before: select(brews.c.order_id).where(brews.c.ended_at < before),
    prune=(
        lambda order_ids: delete(tips).where(tips.c.order_id.in_(order_ids)),
        lambda order_ids: delete(brews).where(brews.c.order_id.in_(order_ids)),
    ),
    followed=select(followed.c.position),
    remembers=False,
)


async def open_tips(*, start: Start, ledger: Ledger) -> Offer:
    """Start Tips from what the ledger has, and return what tips offer.

    Waits for the database, however long it is away.
    """
    ref = await start(tips_factory(ledger), name="Tips")
    jar = TipJar(ref, ledger)
    return Offer(
        name="tips",
        customer_routes=(customer_routes(jar),),
        staff_routes=(barista_routes(jar),),
        answers=partial(ref.ask, AwaitPosition(0)),
        tasks=(partial(follow_orders, ref, ledger),),
    )


def tips_factory(ledger: Ledger) -> Callable[[], Awaitable[Tips]]:
    """Return a factory of Tips, for its start and each restart; waits for the database."""

    async def make() -> Tips:
        return Tips(ledger, await ledger.open(TIPS))

    return make
