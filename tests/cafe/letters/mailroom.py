"""A Mailer in virtual time with its tasks, a mail server, and bookings that are only events.

Rule: what must have been sent is computed from the bookings' events alone, without any code of the
department.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import trio
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, select

from actors import ActorCrashed, Message, Ref, Restart, open_system
from cafe.bookings.bookings import Bookings
from cafe.bookings.messages import Facts, FindFacts
from cafe.ledger.checking import check
from cafe.ledger.database import Link
from cafe.ledger.department import Department, Entry, Event
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.ledger.sending import Bell
from cafe.letters.department import LETTERS, Backlog
from cafe.letters.desk import LetterDesk
from cafe.letters.followers import LetterLog, Writer
from cafe.letters.letter import Answer, Attempt, Letter, State
from cafe.letters.mailer import Mailer
from cafe.letters.queries import begin_following, count_backlog, hasten
from cafe.letters.rendering import Stationery
from cafe.letters.sending import post
from cafe.letters.smtp import MOST_AT_ONCE
from cafe.letters.tables import attempt_of, attempts, letter_of, letters
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import open_ledger
from tests.cafe.orders.fragile import BugError

T = TypeVar("T")
STEPS = {
    "request": (None, "requested"),
    "book": (None, "accepted"),
    "accept": ("requested", "accepted"),
    "decline": ("requested", "declined"),
    "expire": ("requested", "expired"),
    "cancel request": ("requested", "cancelled"),
    "cancel": ("accepted", "cancelled"),
    "open table": (None, "open"),
    "close table": ("open", "closed"),
    "note": ("requested", "requested"),
}
EVENTS = Department(
    "bookings",
    tables=(),
    load=lambda _: None,
    transitions={(before, action): after for action, (before, after) in STEPS.items()},
    remembers=False,
)
"""Bookings without rows."""
DEPARTMENTS = (EVENTS, LETTERS)
NOON = 1_795_000_000.0
STATIONERY = Stationery(
    Address("Café", addr_spec="cafe@cafe.example"),
    ZoneInfo("Europe/Berlin"),
    "https://cafe.example/",
)
KIND = {"requested": "received"}
"""Of a letter about a status, where it is not the status."""


def noon() -> float:
    """Return a time that goes on with trio's, from one process to the next."""
    return NOON + trio.current_time()


def facts_of(booking_id: str, email: str | None, name: str | None = "Ada") -> Facts:
    """Return the facts of a booking."""
    seven = NOON + 100_000
    return Facts(
        booking_id, email, name, "regular, 4 seats", 2, seven, seven + 7_200, "t0ken-t0ken"
    )


class FakeBookings(Bookings):
    """Answers with facts that a test has set."""

    def __init__(self, facts: dict[str, Facts]) -> None:
        self.facts = facts

    def on_start(self) -> None:
        pass

    @FindFacts.handler
    async def find_facts(self, message: FindFacts) -> dict[str, Facts]:
        return {one: self.facts[one] for one in message.booking_ids if one in self.facts}


@dataclass(frozen=True)
class CrashMailer(Message["FragileMailer", None]):
    """Crash the Mailer."""


class FragileMailer(Mailer):
    """Crashes on request."""

    @CrashMailer.handler
    def crash(self, _message: CrashMailer) -> None:
        raise BugError


@dataclass
class FakeServer:
    """Takes letters; refuses them or stalls for the addresses that a test names."""

    outcomes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By address, those of the next attempts; then it is that of `always`, or 250."""
    always: dict[str, str] = field(default_factory=dict[str, str])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """By address, how long an answer takes."""
    calls: list[tuple[float, Letter]] = field(default_factory=list[tuple[float, Letter]])
    taken: list[tuple[float, Letter, str]] = field(default_factory=list[tuple[float, Letter, str]])
    """Those that were answered with 250, as often as they were."""
    now: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def send(self, letter: Letter, content: str) -> Answer:
        address = letter.address
        self.calls.append((trio.current_time(), letter))
        self.now[address] += 1
        assert self.now[address] == 1
        try:
            await trio.sleep(self.seconds.get(address, 0.0))
        finally:
            self.now[address] -= 1
        given = self.outcomes[address]
        outcome = given.pop(0) if given else self.always.get(address, "250")
        if outcome == "250":
            self.taken.append((trio.current_time(), letter, content))
        return Answer(outcome, "no" if outcome[0] in "45" else None)

    def kinds(self, booking_id: str) -> list[str]:
        """Return the letters of a booking that were taken, without repetitions."""
        found = [one.kind.value for _, one, _ in self.taken if one.booking_id == booking_id]
        return [one for number, one in enumerate(found) if found[:number][-1:] != [one]]

    def times(self, address: str) -> list[float]:
        """Return when it was attempted to send a letter to an address."""
        return [at for at, one in self.calls if one.address == address]


@dataclass
class Mailroom:
    """A running Mailer with all that is around it."""

    ledger: Ledger
    store: FaultyStore
    disk: Disk
    bookings: Journal
    facts: dict[str, Facts]
    mailer: Ref[FragileMailer]
    desk: LetterDesk
    server: FakeServer
    backlog: Backlog
    registry: CollectorRegistry

    async def happen(
        self, booking_id: str, *actions: str, email: str | None = "", reason: str | None = None
    ) -> None:
        """Let something happen to a booking, and return when it is committed.

        Without an `email` its guest has one of its own.
        """
        address = f"{booking_id}@example.org" if email == "" else email
        self.facts.setdefault(booking_id, facts_of(booking_id, address))
        now = self.ledger.now()
        await self.bookings.commit(*(event(booking_id, one, now, reason) for one in actions))

    async def crash(self) -> None:
        """Crash the Mailer between two turns."""
        with suppress(ActorCrashed):
            await self.mailer.ask(CrashMailer())

    def rows(self, state: State | None = None) -> list[Letter]:
        """Return every letter, or those in a state, in the order of their events."""
        return [one for one in rows_in(self.store) if state in {None, one.state}]

    def states(self, booking_id: str) -> list[State]:
        """Return the states of a booking's letters."""
        return [one.state for one in self.rows() if one.booking_id == booking_id]

    def attempts(self) -> list[Attempt]:
        """Return every attempt that is kept, in the order of its time."""
        query = select(attempts).order_by(attempts.c.at, attempts.c.number)
        rows = looked_up(self.store, lambda connection: connection.execute(query).all())
        return [attempt_of(row) for row in rows]


def event(booking_id: str, action: str, at: float, reason: str | None = None) -> Entry:
    """Return what happens to a booking as an entry of the ledger."""
    before, after = STEPS[action]
    data = '{"table_id": "t1", "from": "", "to": "", "party": 2}'
    return Entry(Event(booking_id, action, before, after, at, reason=reason, data=data))


@asynccontextmanager
async def open_mailroom(
    store: FaultyStore | None = None,
    *,
    server: FakeServer | None = None,
    facts: dict[str, Facts] | None = None,
    disk: Disk | None = None,
    restart: Restart = RESTART,
    most: int = MOST_AT_ONCE,
    clock: Callable[[], float] = noon,
    tasks: bool = True,
) -> AsyncGenerator[Mailroom]:
    """Open a Mailer as the shop does, with the tasks that write and send unless told not to."""
    store, disk, server = store or FaultyStore(), disk or Disk(), server or FakeServer()
    facts = {} if facts is None else facts
    registry, bell = CollectorRegistry(), Bell()
    async with (
        open_ledger(store, disk, clock) as ledger,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        await ledger.prepare(partial(hasten, now=ledger.now()))
        await ledger.prepare(begin_following)
        backlog = Backlog(ledger, await ledger.prepare(count_backlog))
        ledger.listen(LetterLog(registry).hear)
        journal, _ = await ledger.open(EVENTS)

        async def make() -> FragileMailer:
            opened = await ledger.open(LETTERS)
            bell.ring()
            return FragileMailer(ledger, opened, bell.ring)

        bookings = await system.start(lambda: FakeBookings(facts), name="Bookings")
        mailer = await system.start(make, name="Mailer", mailbox=10_000, restart=restart)
        if tasks:
            nursery.start_soon(Writer(bookings, mailer, ledger, STATIONERY).follow)
            nursery.start_soon(post(mailer, ledger, bell, server.send, most).run)
        desk = LetterDesk(mailer, ledger)
        yield Mailroom(ledger, store, disk, journal, facts, mailer, desk, server, backlog, registry)
        nursery.cancel_scope.cancel()


def looked_up(store: FaultyStore, query: Callable[[Connection], T]) -> T:
    """Return the result of a query of what is committed, also during an outage."""
    with Link.transaction(store.link, writing=False) as connection:
        return query(connection)


def rows_in(store: FaultyStore) -> list[Letter]:
    """Return every letter, in the order of their events."""
    query = select(*letters.c).order_by(letters.c.position)
    return [letter_of(row) for row in looked_up(store, lambda c: c.execute(query).all())]


def expected_in(store: FaultyStore, facts: dict[str, Facts]) -> list[tuple[str, str, float]]:
    """Return what the log says that there must be: booking, kind and time."""
    return [
        (one.event.subject, KIND.get(one.event.after, one.event.after), one.event.at)
        for one in store.logged
        if one.department == "bookings"
        and one.event.before != one.event.after
        and one.event.after not in {"open", "closed"}
        and facts[one.event.subject].email is not None
    ]


def written_in(store: FaultyStore) -> list[tuple[str, str, float]]:
    """Return what there is, as `expected_in` says it."""
    return [(one.booking_id, one.kind.value, one.created_at) for one in rows_in(store)]


def wrong_in(store: FaultyStore) -> list[str]:
    """Return the promises that `cafe db check` would report as broken."""
    promises: Any = looked_up(store, lambda connection: list(check(connection, DEPARTMENTS)))
    return [str(promise) for promise in promises if promise.findings]
