"""What the ledger and the shop need to know of notifications: their tables, and what they offer.

Rule: values only. The shop starts the Notifier and the tasks, and serves the routes.

Without a URL nothing is followed and no notification is made; which is stored, so that a shop that
is given one later begins with the events from then on, and pruning waits for no one. Notifications
that were made before the URL was taken away stay, and are delivered once there is one again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Final

from prometheus_client.core import Metric
from sqlalchemy import case, func, select

from actors import Ref
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.ledger import Ledger
from cafe.ledger.sending import Bell
from cafe.notifications.checks import CHECKS
from cafe.notifications.delivery import delivery
from cafe.notifications.desk import NotificationDesk
from cafe.notifications.followers import NotificationLog
from cafe.notifications.messages import CheckIn
from cafe.notifications.notification import TRANSITIONS
from cafe.notifications.notifier import Notifier, follow_nothing, follow_orders
from cafe.notifications.queries import PRUNE, ended, hasten, load
from cafe.notifications.staff_api import manager_routes
from cafe.notifications.tables import (
    attempts,
    counts,
    followed,
    notifications,
)
from cafe.offer import House, Offer

if TYPE_CHECKING:
    from cafe.notifications.webhook import Webhook

NOT_FOLLOWING: Final = 2**62
"""In place of a position: nothing is kept for a department that does not follow."""
_position = case((followed.c.follows, followed.c.position), else_=NOT_FOLLOWING)

NOTIFICATIONS: Final = Department(
    "notifications",
    tables=(notifications, attempts, counts, followed),
    load=load,
    transitions=transitions_of(TRANSITIONS),
    checks=CHECKS,
    ended=ended,
    prune=PRUNE,
    followed=select(func.coalesce(select(_position).scalar_subquery(), NOT_FOLLOWING)),
    remembers=False,
)


async def open_notifications(house: House) -> Offer:
    """Start the Notifier from what the ledger has, and return what notifications offer.

    Waits for the database, however long it is away. Open it after orders.
    """
    ledger = house.ledger
    url, secret = house.settings.notification_url, house.settings.notification_secret
    await ledger.prepare(partial(hasten, now=ledger.now()))
    log = NotificationLog(house.registry, (await ledger.prepare(load)).counts)
    ledger.listen(log.hear)
    bell = Bell()
    notifier = await house.start(notifier_factory(ledger, bell.ring), name="Notifier")
    since = ledger.statistics().position
    tasks: tuple[Callable[[], Awaitable[None]], ...] = (partial(follow_nothing, notifier, since),)
    if url is not None:
        # It imports httpx, which a shop without providers does without.
        from cafe.notifications.webhook import open_webhook  # noqa: PLC0415 - see above

        webhook = open_webhook(url, None if secret is None else secret.get_secret_value())
        tasks = (
            partial(follow_orders, notifier, ledger, since),
            partial(deliver, notifier, ledger, bell, webhook),
        )

    async def metrics() -> Iterable[Metric]:
        return log.metrics()

    return Offer(
        name="notifications",
        staff_routes=(manager_routes(NotificationDesk(notifier, ledger)),),
        answers=partial(notifier.ask, CheckIn()),
        metrics=metrics,
        tasks=tasks,
    )


def notifier_factory(ledger: Ledger, wake: Callable[[], None]) -> Callable[[], Awaitable[Notifier]]:
    """Return a factory of Notifiers, for its start and each restart; waits for the database."""

    async def make() -> Notifier:
        opened = await ledger.open(NOTIFICATIONS)
        wake()  # for what an instance before this one has committed
        return Notifier(ledger, opened, wake)

    return make


async def deliver(
    notifier: Ref[Notifier],
    ledger: Ledger,
    bell: Bell,
    opening: AbstractAsyncContextManager[Webhook],
) -> None:
    """Deliver what is due; never returns."""
    async with opening as webhook:
        await delivery(notifier, ledger, bell, webhook.send).run()
