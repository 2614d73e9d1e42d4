"""A Notifier in virtual time with its sending, two receivers, and orders, deliveries and bookings
that are only events.

Rule: what must have been sent is computed from these events alone, without any code of the
department.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection
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
from cafe.ledger.department import Department, Entry, Event, Transitions
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.ledger.sending import Bell
from cafe.notifications.department import NOTIFICATIONS, notifier_factory
from cafe.notifications.desk import NotificationDesk
from cafe.notifications.followers import NotificationLog
from cafe.notifications.messages import Follow
from cafe.notifications.notification import Attempt, Notification, State, Topic
from cafe.notifications.notifier import Notifier, follow_log
from cafe.notifications.queries import hasten, load
from cafe.notifications.sending import MOST_AT_ONCE, post
from cafe.notifications.tables import attempt_of, attempts, notification_of, notifications
from cafe.orders.department import ORDERS
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import open_ledger

T = TypeVar("T")
Step = tuple[str | None, str]


def without_rows(name: str, transitions: Transitions) -> Department[None]:
    """Return a department that has events only."""
    return Department(
        name, tables=(), load=lambda _: None, transitions=transitions, remembers=False
    )


RIDES: dict[str, Step] = {
    "wait": (None, "waiting"),
    "assign": ("waiting", "assigned"),
    "reassign": ("assigned", "assigned"),
    "expire": ("assigned", "waiting"),
    "pick up": ("assigned", "picked_up"),
    "fail": ("picked_up", "failed"),
    "retry": ("failed", "waiting"),
    "finish": ("picked_up", "delivered"),
}
"""What can happen to a delivery."""
REQUESTS: dict[str, Step] = {
    "request": (None, "requested"),
    "accept": ("requested", "accepted"),
    "cancel": ("accepted", "cancelled"),
    "decline": ("requested", "declined"),
}
"""What can happen to a booking."""
EVENTS = without_rows("orders", ORDERS.transitions)
DELIVERY = without_rows("delivery", {(b, action): a for action, (b, a) in RIDES.items()})
BOOKINGS = without_rows("bookings", {(b, action): a for action, (b, a) in REQUESTS.items()})
DEPARTMENTS = (EVENTS, DELIVERY, BOOKINGS, NOTIFICATIONS)
NOTIFIED = {
    "orders": None,
    "delivery": {"assigned", "picked_up", "failed"},
    "bookings": {"requested"},
}
"""By department, the statuses that are told; None for all."""
STEPS: dict[str, Step] = {
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
PARTY = {
    "table_id": "t1",
    "from": "2026-11-18T17:00:00Z",
    "to": "2026-11-18T19:00:00Z",
    "party": 4,
}


def noon() -> float:
    """Return a time that goes on with trio's, from one process to the next."""
    return NOON + trio.current_time()


def step(subject_id: str, action: str, of: Step, at: float, data: str | None) -> Entry:
    """Return what happens to an order, a delivery or a booking as an entry of the ledger."""
    before, after = of
    return Entry(Event(subject_id, action, before, after, at, data=data))


def basket(number: int) -> str:
    """Return the data of the events of a basket's order."""
    return json.dumps({"number": number, "account_id": "a1", "total_cents": 450})


def request() -> str:
    """Return the data of the events of a booking."""
    return json.dumps(PARTY)


@dataclass
class Receiver:
    """Takes notifications; fails or stalls for the orders or bookings that a test names."""

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
        about = one.subject_id
        self.calls.append((trio.current_time(), one))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await trio.sleep(self.seconds.get(about, 0.0))
        finally:
            self.now -= 1
        given = self.outcomes[about]
        outcome = given.pop(0) if given else self.always.get(about, "200")
        if outcome == "200":
            self.taken.append(one)
        return outcome

    def times(self, about: str) -> list[float]:
        """Return when the notifications of an order or a booking were sent."""
        return [at for at, one in self.calls if one.subject_id == about]

    def statuses(self, about: str) -> list[str]:
        """Return what was taken of an order or a booking, in sequence, without repetitions."""
        found = [one.status for one in self.taken if one.subject_id == about]
        return [one for number, one in enumerate(found) if found[:number][-1:] != [one]]


@dataclass
class Post:
    """A running Notifier with all that is around it."""

    ledger: Ledger
    store: FaultyStore
    disk: Disk
    orders: Journal
    delivery: Journal
    bookings: Journal
    notifier: Ref[Notifier]
    desk: NotificationDesk
    receiver: Receiver
    program: Receiver
    """The receiver of bookings."""
    log: NotificationLog
    registry: CollectorRegistry

    async def happen(self, order_id: str, *actions: str, is_basket: bool = True) -> None:
        """Let something happen to an order, and return when it is committed."""
        data, now = basket(17) if is_basket else None, self.ledger.now()
        await self.orders.commit(*(step(order_id, a, STEPS[a], now, data) for a in actions))

    async def ride(self, order_id: str, *actions: str, is_basket: bool = True) -> None:
        """Let something happen to the delivery of an order."""
        data, now = basket(17) if is_basket else None, self.ledger.now()
        await self.delivery.commit(*(step(order_id, a, RIDES[a], now, data) for a in actions))

    async def book(self, booking_id: str, *actions: str) -> None:
        """Let something happen to a booking."""
        data, now = request(), self.ledger.now()
        await self.bookings.commit(*(step(booking_id, a, REQUESTS[a], now, data) for a in actions))

    async def crash(self) -> None:
        """Crash the Notifier between two turns: no batch is empty."""
        with suppress(ActorCrashed):
            await self.notifier.ask(Follow(()))

    def rows(self, state: State | None = None) -> list[Notification]:
        """Return every notification, or those in a state."""
        return rows_in(self.store, state)

    def states(self, about: str) -> list[State]:
        """Return the states of the notifications of an order or a booking."""
        return [one.state for one in self.rows() if one.subject_id == about]

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
    program: Receiver | None = None,
    disk: Disk | None = None,
    restart: Restart = RESTART,
    most: int = MOST_AT_ONCE,
    topics: Collection[Topic] = frozenset(Topic),
    clock: Callable[[], float] = noon,
) -> AsyncGenerator[Post]:
    """Open a Notifier as the shop does, with URLs for these topics."""
    store, disk = store or FaultyStore(), disk or Disk()
    receiver, program = receiver or Receiver(), program or Receiver()
    registry, bell = CollectorRegistry(), Bell()
    receivers = {Topic.ORDER: receiver.send, Topic.BOOKING: program.send}
    senders = {topic: receivers[topic] for topic in topics}
    async with (
        open_ledger(store, disk, clock) as ledger,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        await ledger.prepare(partial(hasten, now=ledger.now()))
        log = NotificationLog(registry, (await ledger.prepare(load)).counts)
        ledger.listen(log.hear)
        orders, _ = await ledger.open(EVENTS)
        rides, _ = await ledger.open(DELIVERY)
        bookings, _ = await ledger.open(BOOKINGS)
        make = notifier_factory(ledger, bell.ring)
        notifier = await system.start(make, name="Notifier", mailbox=10_000, restart=restart)
        since = ledger.statistics().position
        nursery.start_soon(follow_log, notifier, ledger, frozenset(topics), since)
        if senders:
            nursery.start_soon(post(notifier, ledger, bell, senders, most).run)
        desk = NotificationDesk(notifier, ledger)
        yield Post(
            ledger,
            store,
            disk,
            orders,
            rides,
            bookings,
            notifier,
            desk,
            receiver,
            program,
            log,
            registry,
        )
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


def expected_in(store: FaultyStore, *, booked_after: int = 0) -> list[tuple[str, int, str, float]]:
    """Return what the log says that there must be: order or booking, sequence, status and time.

    Bookings count from those on whose events come after the position `booked_after`.
    """
    sequences: dict[str, int] = defaultdict(int)
    found: list[tuple[str, int, str, float]] = []
    for logged in store.logged:
        event = logged.event
        if logged.department not in NOTIFIED or not event.data or event.before == event.after:
            continue
        if logged.department == "bookings" and logged.position <= booked_after:
            continue
        statuses = NOTIFIED[logged.department]
        if statuses is None or event.after in statuses:
            sequences[event.subject] += 1
            found.append((event.subject, sequences[event.subject], event.after, event.at))
    return found


def noted_in(store: FaultyStore) -> list[tuple[str, int, str, float]]:
    """Return what there is, as `expected_in` says it."""
    return [(one.subject_id, one.sequence, one.status, one.occurred_at) for one in rows_in(store)]


def wrong_in(store: FaultyStore) -> list[str]:
    """Return the promises that `cafe db check` would report as broken."""
    promises = looked_up(store, lambda connection: list(check(connection, DEPARTMENTS)))
    return [str(promise) for promise in promises if promise.findings]
