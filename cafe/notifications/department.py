"""The department of notifications: its tables for the ledger, and what it offers to the shop.

Rule: the shop runs the tasks and serves the routes that are returned here.

Each topic has its own URL. Without a URL the topic is not followed, and no notification is made.
This is stored, so that a shop whose settings get a URL later begins with the events from then on,
and pruning does not wait for the topic. Notifications from before a URL was removed stay, and are
delivered once there is one again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from prometheus_client.core import Metric
from sqlalchemy import case, func, select

from actors import Ref
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.ledger import Ledger
from cafe.ledger.sending import Bell
from cafe.notifications.checks import CHECKS
from cafe.notifications.desk import NotificationDesk
from cafe.notifications.followers import NotificationLog
from cafe.notifications.messages import CheckIn
from cafe.notifications.notification import TRANSITIONS, Topic
from cafe.notifications.notifier import Notifier, follow_log
from cafe.notifications.queries import PRUNE, ended, hasten, load, read_attempts, read_page
from cafe.notifications.sending import post
from cafe.notifications.staff_api import manager_routes
from cafe.notifications.tables import (
    attempts,
    counts,
    followed,
    notifications,
)
from cafe.offer import Front, House, Offer

if TYPE_CHECKING:
    from cafe.notifications.webhook import Webhook
    from cafe.settings import Settings

QUERIES: Final = (read_attempts, read_page)
"""The queries with which the desk reads the ledger."""
NOT_FOLLOWING: Final = 2**62
"""In place of a position: pruning keeps no event for a topic that is not followed."""
_position = case((followed.c.follows, followed.c.position), else_=NOT_FOLLOWING)

NOTIFICATIONS: Final = Department(
    "notifications",
    tables=(notifications, attempts, counts, followed),
    load=load,
    transitions=transitions_of(TRANSITIONS),
    checks=CHECKS,
    ended=ended,
    prune=PRUNE,
    followed=select(func.coalesce(func.min(_position), NOT_FOLLOWING)),
    remembers=False,
)


async def open_notifications(house: House) -> Offer:
    """Start the Notifier from the ledger, and return what notifications offer.

    Waits for the database without a time-out. Open it after orders.
    """
    ledger = house.ledger
    urls = _urls_in(house.settings)
    await ledger.prepare(partial(hasten, now=ledger.now()))
    log = NotificationLog(house.registry, (await ledger.prepare(load)).counts)
    ledger.listen(log.hear)
    bell = Bell()
    notifier = await house.start(notifier_factory(ledger, bell.ring), name="Notifier")
    since = ledger.statistics().position
    follow = partial(follow_log, notifier, ledger, frozenset(urls), since)
    tasks: tuple[Callable[[], Awaitable[None]], ...] = (follow,)
    if urls:
        # It imports httpx, which a shop without a URL does not need.
        from cafe.notifications.webhook import open_webhook  # noqa: PLC0415 - see above

        given = house.settings.notification_secret
        secret = None if given is None else given.get_secret_value()
        webhooks = {topic: open_webhook(url, secret) for topic, url in urls.items()}
        tasks = (follow, partial(deliver, notifier, ledger, bell, webhooks))

    async def metrics() -> Iterable[Metric]:
        return log.metrics()

    return replace(
        notifications_offer(NotificationDesk(notifier, ledger)),
        answers=partial(notifier.ask, CheckIn()),
        metrics=metrics,
        tasks=tasks,
        refs=(notifier,),
        queries=QUERIES,
    )


def reach_notifications(front: Front) -> Offer:
    """Return what notifications offer at a front, which delivers none."""
    return notifications_offer(NotificationDesk(front.house.ref(Notifier), front.ledger))


def notifications_offer(desk: NotificationDesk) -> Offer:
    """Return what notifications offer, given their desk."""
    return Offer(name="notifications", staff_routes=(manager_routes(desk),))


def notifier_factory(ledger: Ledger, wake: Callable[[], None]) -> Callable[[], Awaitable[Notifier]]:
    """Return a factory of Notifiers, for its start and each restart; waits for the database."""

    async def make() -> Notifier:
        opened = await ledger.open(NOTIFICATIONS)
        wake()  # for the commits of an earlier instance
        return Notifier(ledger, opened, wake)

    return make


async def deliver(
    notifier: Ref[Notifier],
    ledger: Ledger,
    bell: Bell,
    opening: Mapping[Topic, AbstractAsyncContextManager[Webhook]],
) -> None:
    """Deliver the due notifications of topics that have a webhook; never returns."""
    async with AsyncExitStack() as stack:
        webhooks = {topic: await stack.enter_async_context(one) for topic, one in opening.items()}
        senders = {topic: webhook.send for topic, webhook in webhooks.items()}
        await post(notifier, ledger, bell, senders).run()


def _urls_in(settings: Settings) -> dict[Topic, str]:
    """Return the URL of each topic that has one."""
    urls = {Topic.ORDER: settings.notification_url, Topic.BOOKING: settings.booking_webhook}
    return {topic: url for topic, url in urls.items() if url is not None}
