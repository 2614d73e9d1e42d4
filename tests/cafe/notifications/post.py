"""A Notifier in virtual time with its delivery, a receiver, and orders that are only events.

Rule: what must have been sent is computed from the orders' events alone, without any code of the
department.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import trio
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, select

from actors import ActorCrashed, Ref, Restart, open_system
from cafe.ledger.checking import check
from cafe.ledger.database import Link
from cafe.ledger.department import Department, Entry, Event
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.ledger.sending import Bell
from cafe.notifications.delivery import MOST_AT_ONCE, delivery
from cafe.notifications.department import NOTIFICATIONS, notifier_factory
from cafe.notifications.desk import NotificationDesk
from cafe.notifications.followers import NotificationLog
from cafe.notifications.messages import Follow
from cafe.notifications.notification import Attempt, Notification, State
from cafe.notifications.notifier import Notifier, follow_nothing, follow_orders
from cafe.notifications.queries import hasten, load
from cafe.notifications.tables import attempt_of, attempts, notification_of, notifications
from cafe.orders.department import ORDERS
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import open_ledger

T = TypeVar("T")
EVENTS = Department(
    "orders", tables=(), load=lambda _: None, transitions=ORDERS.transitions, remembers=False
)
"""Orders without rows."""
DEPARTMENTS = (EVENTS, NOTIFICATIONS)
STEPS = {
    "place": (None, "waiting"),
    "start": ("waiting", "preparation"),
    "release": ("preparation", "waiting"),
    "finish": ("preparation", "ready"),
    "hand over": ("ready", "delivered"),
    "cancel": ("waiting", "cancelled"),
    "unbind": ("waiting", "waiting"),
}
NOON = 1_795_000_000.0
LIFE = ("place", "start", "finish", "hand over")


def noon() -> float:
    """Return a time that goes on with trio's, from one process to the next."""
    return NOON + trio.current_time()


def step(order_id: str, action: str, at: float, data: str | None) -> Entry:
    """Return what happens to an order as an entry of the ledger."""
    before, after = STEPS[action]
    return Entry(Event(order_id, action, before, after, at, data=data))


def basket(number: int) -> str:
    """Return the data of the events of a basket's order."""
    return json.dumps({"number": number, "account_id": "a1", "total_cents": 450})


@dataclass
class Receiver:
    """Takes notifications; fails or stalls for the orders that a test names."""

    outcomes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By order, those of its next attempts; then it is that of `always`, or 200."""
    always: dict[str, str] = field(default_factory=dict[str, str])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """By order, how long an answer takes."""
    calls: list[tuple[float, Notification]] = field(
        default_factory=list[tuple[float, Notification]]
    )
    taken: list[Notification] = field(default_factory=list[Notification])
    """Those that were answered with 200, as often as they were."""
    now: int = 0
    most: int = 0
    """How many were sent at once."""

    async def send(self, one: Notification) -> str:
        self.calls.append((trio.current_time(), one))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await trio.sleep(self.seconds.get(one.order_id, 0.0))
        finally:
            self.now -= 1
        given = self.outcomes[one.order_id]
        outcome = given.pop(0) if given else self.always.get(one.order_id, "200")
        if outcome == "200":
            self.taken.append(one)
        return outcome

    def times(self, order_id: str) -> list[float]:
        """Return when an order's notifications were sent."""
        return [at for at, one in self.calls if one.order_id == order_id]

    def statuses(self, order_id: str) -> list[str]:
        """Return what was taken of an order, in that order and without repetitions."""
        found = [one.status for one in self.taken if one.order_id == order_id]
        return [one for number, one in enumerate(found) if found[:number][-1:] != [one]]


@dataclass
class Post:
    """A running Notifier with all that is around it."""

    ledger: Ledger
    store: FaultyStore
    disk: Disk
    orders: Journal
    notifier: Ref[Notifier]
    desk: NotificationDesk
    receiver: Receiver
    log: NotificationLog
    registry: CollectorRegistry

    async def happen(self, order_id: str, *actions: str, is_basket: bool = True) -> None:
        """Let something happen to an order, and return when it is committed."""
        data = basket(17) if is_basket else None
        await self.orders.commit(*(step(order_id, one, self.ledger.now(), data) for one in actions))

    async def crash(self) -> None:
        """Crash the Notifier between two turns: no batch is empty."""
        with suppress(ActorCrashed):
            await self.notifier.ask(Follow(()))

    def rows(self, state: State | None = None) -> list[Notification]:
        """Return every notification, or those in a state."""
        return rows_in(self.store, state)

    def states(self, order_id: str) -> list[State]:
        """Return the states of an order's notifications."""
        return [one.state for one in self.rows() if one.order_id == order_id]

    def attempts(self) -> list[Attempt]:
        """Return every attempt that is kept, in the order of its time."""
        query = select(attempts).order_by(attempts.c.at)
        rows = looked_up(self.store, lambda connection: connection.execute(query).all())
        return [attempt_of(row) for row in rows]


@asynccontextmanager
async def open_post(
    store: FaultyStore | None = None,
    *,
    receiver: Receiver | None = None,
    disk: Disk | None = None,
    restart: Restart = RESTART,
    most: int = MOST_AT_ONCE,
    follows: bool = True,
    clock: Callable[[], float] = noon,
) -> AsyncGenerator[Post]:
    """Open a Notifier as the shop does, with tasks that follow and deliver unless it has no URL."""
    store, disk, receiver = store or FaultyStore(), disk or Disk(), receiver or Receiver()
    registry, bell = CollectorRegistry(), Bell()
    async with (
        open_ledger(store, disk, clock) as ledger,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        await ledger.prepare(partial(hasten, now=ledger.now()))
        log = NotificationLog(registry, (await ledger.prepare(load)).counts)
        ledger.listen(log.hear)
        orders, _ = await ledger.open(EVENTS)
        make = notifier_factory(ledger, bell.ring)
        notifier = await system.start(make, name="Notifier", mailbox=10_000, restart=restart)
        since = ledger.statistics().position
        if not follows:
            nursery.start_soon(follow_nothing, notifier, since)
        else:
            nursery.start_soon(follow_orders, notifier, ledger, since)
            nursery.start_soon(delivery(notifier, ledger, bell, receiver.send, most).run)
        desk = NotificationDesk(notifier, ledger)
        yield Post(ledger, store, disk, orders, notifier, desk, receiver, log, registry)
        nursery.cancel_scope.cancel()


def looked_up(store: FaultyStore, query: Callable[[Connection], T]) -> T:
    """Return the result of a query of what is committed, also during an outage."""
    with Link.transaction(store.link, writing=False) as connection:
        return query(connection)


def rows_in(store: FaultyStore, state: State | None = None) -> list[Notification]:
    """Return every notification, or those in a state, in the order of their events."""
    query = select(*notifications.c).order_by(notifications.c.position)
    if state is not None:
        query = query.where(notifications.c.state == state.value)
    return [
        notification_of(row)
        for row in looked_up(store, lambda connection: connection.execute(query).all())
    ]


def expected_in(store: FaultyStore) -> list[tuple[str, int, str, float]]:
    """Return what the log says that there must be: order, sequence, status and time."""
    sequences: dict[str, int] = defaultdict(int)
    found: list[tuple[str, int, str, float]] = []
    for logged in store.logged:
        event = logged.event
        if logged.department == "orders" and event.data and event.before != event.after:
            sequences[event.subject] += 1
            found.append((event.subject, sequences[event.subject], event.after, event.at))
    return found


def noted_in(store: FaultyStore) -> list[tuple[str, int, str, float]]:
    """Return what there is, as `expected_in` says it."""
    return [(one.order_id, one.sequence, one.status, one.occurred_at) for one in rows_in(store)]


def wrong_in(store: FaultyStore) -> list[str]:
    """Return the promises that `cafe db check` would report as broken."""
    promises = looked_up(store, lambda connection: list(check(connection, DEPARTMENTS)))
    return [str(promise) for promise in promises if promise.findings]


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait in virtual time until a condition holds."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - it is virtual time, which costs nothing
            await trio.sleep(seconds / 1_000)
