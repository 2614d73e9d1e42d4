"""Bookings in virtual time for tests, with its desk and its routes, as the shop starts it.

Rule: the ledger is in memory and needs no threads; what is committed is read from the store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from zoneinfo import ZoneInfo

import httpx
import trio
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from actors import ActorCrashed, Message, Ref, Restart, open_system
from actors.testing import Probe
from cafe.bookings.booking import Action, Booking, Guest, Status
from cafe.bookings.bookings import Bookings, Rules
from cafe.bookings.department import BOOKINGS, bookings_offer, open_book
from cafe.bookings.desk import BookingDesk, new_id
from cafe.bookings.messages import AddTable, AskForTable, BookTable, Found, LoadBookings
from cafe.bookings.period import Limits, Period
from cafe.bookings.queries import load_secret
from cafe.bookings.table import DiningTable, TableType
from cafe.bookings.tables import booking_of, bookings
from cafe.bookings.tokens import BookingTokens
from cafe.http.app import create_app
from cafe.http.authentication import Caller, Role, Unauthenticated, bearer_of
from cafe.http.plain_routes import PlainRoutes
from cafe.ledger.checking import check
from cafe.ledger.database import Link
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import load_when_refused
from cafe.limits.rate_limiter import RateLimiter
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import open_ledger
from tests.cafe.orders.fragile import BugError

NOON = 1_795_000_000.0
HOUR, DAY = 3_600.0, 86_400.0
ADA = Guest("ada@example.com", None, "Ada")
ADDRESS = "192.0.2.1"
LIMITS = Limits(HOUR, 90 * DAY, 8 * HOUR)
MANAGER = Caller(Role.MANAGER, None, "mia@example.com")
CUSTOMERS = {name: Caller(Role.CUSTOMER, f"id of {name}", name, "s") for name in ("ada", "bo")}
_numbers = count(1)


def noon() -> float:
    """Return a time that goes on with trio's, from one process to the next."""
    return NOON + trio.current_time()


def evening(hours: float, length: float = 2.0) -> Period:
    """Return a period that begins so many hours after NOON."""
    return Period(NOON + hours * HOUR, NOON + (hours + length) * HOUR)


def addresses() -> str:
    """Return an address from which no one has asked yet."""
    number = next(_numbers)
    return f"198.51.{number // 250}.{number % 250}"


@dataclass(frozen=True)
class CrashBookings(Message["FragileBookings", None]):
    """Crash Bookings."""


class FragileBookings(Bookings):
    """Crashes on request."""

    @CrashBookings.handler
    def crash(self, _message: CrashBookings) -> None:
        raise BugError


@dataclass
class Hall:
    """A running Bookings, its desk, its routes and the ledger."""

    ref: Ref[FragileBookings]
    desk: BookingDesk
    limiter: Probe[RateLimiter]
    ledger: Ledger
    store: FaultyStore
    disk: Disk

    async def add_table(self, seats: int = 4, type_: TableType = TableType.REGULAR) -> DiningTable:
        return await self.desk.ask(AddTable(new_id(), None, type_, seats, 500, "mia"))

    async def request(
        self,
        table: DiningTable,
        period: Period | None,
        *,
        party: int | None = 2,
        address: str | None = None,
        account_id: str | None = None,
    ) -> Found:
        address = address or addresses()
        return await self.desk.ask(
            AskForTable(new_id(), table.table_id, period, party, ADA, address, account_id)
        )

    async def book(self, table: DiningTable, period: Period, *, party: int = 2) -> Found:
        return await self.desk.ask(BookTable(new_id(), table.table_id, period, party, ADA, "mia"))

    async def decide(self, found: Found, action: Action, reason: str | None = None) -> Found:
        return await self.desk.move(found.booking.booking_id, action, "mia", reason)

    async def status(self, found: Found) -> Status:
        return (await self.desk.find(found.booking.booking_id)).booking.status

    async def crash(self) -> None:
        with suppress(ActorCrashed):
            await self.ref.ask(CrashBookings())

    def rows(self) -> list[Booking]:
        """Return every committed booking, the earliest first."""
        return rows_in(self.store)

    def events(self, found: Found) -> list[tuple[str, str | None, str]]:
        """Return what has happened to a booking: action, manager, and the status after it."""
        own = [one.event for one in self.store.logged if one.event.subject == id_of(found)]
        return [(one.action, one.by, one.after) for one in own]

    def broken(self) -> list[str]:
        """Return the broken promises of bookings."""
        return broken_in(self.store)

    @asynccontextmanager
    async def visited(self, **headers: str) -> AsyncGenerator[httpx.AsyncClient]:
        """Yield a client of an app with all routes, for a manager unless it sends `Bearer ada`."""
        offer = bookings_offer(self.desk, self.limiter)
        app = create_app(
            [*offer.customer_routes, *offer.staff_routes],
            title="t",
            description="d",
            version="1",
            prefix="/api",
            authenticate=authenticate,
        )
        transport = httpx.ASGITransport(with_address(PlainRoutes(app)))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://cafe", headers=headers
        ) as client:
            yield client


async def authenticate(scope: Scope) -> Caller:
    """Say that a request is of the customer whose name it has as Bearer, or else the manager's."""
    token = bearer_of(scope)
    if token == "expired":
        raise Unauthenticated
    return CUSTOMERS.get(token or "", MANAGER)


def with_address(app: ASGIApp) -> ASGIApp:
    """Return the app behind a layer that finds out the client's address, as the guard does."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["address"] = ADDRESS
        await app(scope, receive, send)

    return guarded


def id_of(found: Found) -> str:
    return found.booking.booking_id


def rows_in(store: FaultyStore) -> list[Booking]:
    """Return every committed booking, the earliest first, also during an outage."""
    query = select(bookings).order_by(bookings.c.starts_at, bookings.c.booking_id)
    with Link.transaction(store.link, writing=False) as connection:
        return [booking_of(row) for row in connection.execute(query)]


def broken_in(store: FaultyStore) -> list[str]:
    """Return what `cafe db check` would report."""
    with Link.transaction(store.link, writing=False) as connection:
        promises = list(check(connection, [BOOKINGS]))
    return [str(promise) for promise in promises if promise.findings]


def overlapping_in(rows: list[Booking]) -> list[tuple[str, str]]:
    """Return each pair of accepted bookings of a table that overlap, found the slow way."""
    accepted = [one for one in rows if one.status is Status.ACCEPTED]
    return [
        (one.booking_id, other.booking_id)
        for place, one in enumerate(accepted)
        for other in accepted[:place]
        if one.table_id == other.table_id
        and max(one.starts_at, other.starts_at) < min(one.ends_at, other.ends_at)
    ]


@asynccontextmanager
async def open_hall(
    store: FaultyStore | None = None,
    *,
    disk: Disk | None = None,
    restart: Restart = RESTART,
    limits: Limits = LIMITS,
    zone: str = "Europe/Berlin",
    clock: Callable[[], float] = noon,
) -> AsyncGenerator[Hall]:
    """Open a system with Bookings, its desk and the task that loads again."""
    store, disk = store or FaultyStore(), disk or Disk()
    async with (
        open_ledger(store, disk, clock) as ledger,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        tokens = BookingTokens(await ledger.prepare(load_secret))
        opening = partial(open_book, ledger)

        async def make() -> FragileBookings:
            return FragileBookings(
                Rules(limits, zone=ZoneInfo(zone)), tokens, ledger, opening, await opening()
            )

        ref = await system.start(make, name="Bookings", mailbox=10_000, restart=restart)
        nursery.start_soon(load_when_refused, ledger, BOOKINGS, ref, LoadBookings())
        desk = BookingDesk(ref, ledger, tokens, ZoneInfo(zone))
        yield Hall(ref, desk, Probe(RateLimiter), ledger, store, disk)
        nursery.cancel_scope.cancel()
