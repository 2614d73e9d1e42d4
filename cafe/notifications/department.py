"""What the ledger and the shop need to know of notifications: their tables, and what they offer.

Rule: values only. The shop starts the Notifier and the tasks, and serves the routes.

Without a URL nothing is followed and no notification is made; which is stored, so that a shop that
is given one later begins with the events from then on, and pruning waits for no one. Notifications
that were made before the URL was taken away stay, and are delivered once there is one again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from pydantic import SecretStr
from sqlalchemy import case, func, select

from actors import Ref
from cafe.ledger.department import Department
from cafe.ledger.ledger import Ledger
from cafe.notifications.checks import CHECKS
from cafe.notifications.delivery import Bell, Delivery
from cafe.notifications.desk import NotificationDesk
from cafe.notifications.followers import NotificationLog
from cafe.notifications.messages import CheckIn
from cafe.notifications.notification import TRANSITIONS
from cafe.notifications.notifier import Notifier, follow_orders
from cafe.notifications.queries import PRUNE, ended, hasten, load
from cafe.notifications.staff_api import manager_routes
from cafe.notifications.tables import (
    attempts,
    counts,
    entry_of_position,
    followed,
    notifications,
)
from cafe.notifications.webhook import open_webhook
from cafe.offer import Offer, Start
from cafe.settings import Settings

NOT_FOLLOWING: Final = 2**62
"""In place of a position: nothing is kept for a department that does not follow."""
_position = case((followed.c.follows, followed.c.position), else_=NOT_FOLLOWING)

NOTIFICATIONS: Final = Department(
    "notifications",
    tables=(notifications, attempts, counts, followed),
    load=load,
    transitions={
        (None if before is None else before.value, action.value): after.value
        for (before, action), after in TRANSITIONS.items()
    },
    checks=CHECKS,
    ended=ended,
    prune=PRUNE,
    followed=select(func.coalesce(select(_position).scalar_subquery(), NOT_FOLLOWING)),
    remembers=False,
)


async def open_notifications(
    *, settings: Settings, start: Start, ledger: Ledger, registry: CollectorRegistry
) -> Offer:
    """Start the Notifier from what the ledger has, and return what notifications offer.

    Waits for the database, however long it is away. Open it after orders.
    """
    url, secret = settings.notification_url, settings.notification_secret
    await ledger.prepare(partial(hasten, now=ledger.now()))
    log = NotificationLog(registry, (await ledger.prepare(load)).counts)
    ledger.listen(log.hear)
    bell = Bell()
    make = notifier_factory(ledger, bell.ring, follows=url is not None)
    notifier = await start(make, name="Notifier")
    tasks: tuple[Callable[[], Awaitable[None]], ...] = ()
    if url is not None:
        tasks = (
            partial(follow_orders, notifier, ledger),
            partial(deliver, notifier, ledger, bell, url, secret),
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


def notifier_factory(
    ledger: Ledger, wake: Callable[[], None], *, follows: bool
) -> Callable[[], Awaitable[Notifier]]:
    """Return a factory of Notifiers, for its start and each restart; waits for the database.

    Stores whether events are followed; those before the first that is are not.
    """

    async def make() -> Notifier:
        journal, kept = await ledger.open(NOTIFICATIONS)
        if kept.follows is not follows:
            kept = replace(kept, position=kept.last_position, follows=follows)
            await journal.commit(entry_of_position(kept.position, follows=follows))
        wake()  # for what an instance before this one has committed
        return Notifier(ledger, (journal, kept), wake)

    return make


async def deliver(
    notifier: Ref[Notifier], ledger: Ledger, bell: Bell, url: str, secret: SecretStr | None
) -> None:
    """Deliver what is due to a URL; never returns."""
    key = None if secret is None else secret.get_secret_value()
    async with open_webhook(url, key) as webhook:
        await Delivery(notifier, ledger, bell, webhook.send).run()
