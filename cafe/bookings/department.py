"""The department of bookings: its tables for the ledger, and what it offers to the shop.

Rule: the shop runs the task and serves the routes that are returned here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final
from zoneinfo import ZoneInfo

from actors import Ref
from cafe.bookings import booking, table
from cafe.bookings.bookings import Bookings, Rules
from cafe.bookings.cancel_page import page_routes
from cafe.bookings.checks import CHECKS
from cafe.bookings.customer_api import guest_routes
from cafe.bookings.desk import BookingDesk
from cafe.bookings.messages import CountBookings, LoadBookings
from cafe.bookings.period import Limits
from cafe.bookings.queries import (
    Stored,
    ended,
    find_bookings,
    load,
    load_secret,
    prune,
    read_page,
)
from cafe.bookings.staff_api import booking_routes, table_routes
from cafe.bookings.tables import bookings, dining_tables, secret
from cafe.bookings.tokens import BookingTokens
from cafe.ledger.department import Department, transitions_of
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import load_when_refused, until_done
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import Front, House, Offer
from cafe.settings import Settings

SIGNING_CALL: Final = "bookings.secret"
"""Answered with the secret from which the tokens of bookings are computed."""
QUERIES: Final = (find_bookings, read_page)
"""The queries with which the desk reads the ledger."""

BOOKINGS: Final = Department(
    "bookings",
    tables=(dining_tables, bookings, secret),
    load=partial(load, now=-inf),
    transitions={
        **transitions_of(booking.TRANSITIONS),
        **transitions_of(table.TRANSITIONS, {table.TableAction.ADD: table.TableStatus.OPEN}),
    },
    checks=CHECKS,
    ended=ended,
    prune=(prune,),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingsOffer(Offer):
    """The offer of bookings to the shop and other departments."""

    bookings: Ref[Bookings]
    desk: BookingDesk


async def open_bookings(house: House) -> BookingsOffer:
    """Start Bookings from the ledger, and return what they offer.

    Waits for the database without a time-out.
    """
    ledger = house.ledger
    secret = await ledger.prepare(load_secret)
    tokens = BookingTokens(secret)
    make = bookings_factory(rules_of(house.settings), tokens, ledger)
    ref = await house.start(make, name="Bookings")
    desk = BookingDesk(ref, ledger, tokens, ZoneInfo(house.settings.time_zone))

    async def give_secret() -> bytes:
        return secret

    return replace(
        bookings_offer(desk, house.limiter),
        answers=partial(ref.ask, CountBookings()),
        tasks=(partial(load_when_refused, ledger, BOOKINGS, ref, LoadBookings()),),
        refs=(ref,),
        queries=QUERIES,
        calls={SIGNING_CALL: give_secret},
    )


async def reach_bookings(front: Front) -> BookingsOffer:
    """Return what bookings offer at a front, once the house has answered with the secret."""
    tokens = BookingTokens(await until_done(partial(front.house.call, SIGNING_CALL, bytes)))
    zone = ZoneInfo(front.settings.time_zone)
    desk = BookingDesk(front.house.ref(Bookings), front.ledger, tokens, zone)
    return bookings_offer(desk, front.limiter)


def rules_of(settings: Settings) -> Rules:
    """Return the limits of guests' requests from the settings."""
    return Rules(
        Limits(
            settings.booking_notice_minutes * 60.0,
            settings.booking_days_ahead * 86_400.0,
            settings.booking_max_hours * 3_600.0,
        ),
        zone=ZoneInfo(settings.time_zone),
    )


def bookings_factory(
    rules: Rules, tokens: BookingTokens, ledger: Ledger
) -> Callable[[], Awaitable[Bookings]]:
    """Return a factory of Bookings, for its start and each restart; waits for the database."""
    opening = partial(open_book, ledger)

    async def make() -> Bookings:
        return Bookings(rules, tokens, ledger, opening, await opening())

    return make


async def open_book(ledger: Ledger) -> tuple[Journal, Stored]:
    """Return a journal and the bookings that are not over; a closed and empty pair if given up."""
    # The time is read here, earlier than need be, since the query runs in a thread.
    department = replace(BOOKINGS, load=partial(load, now=ledger.now()))
    return await ledger.open_until_given_up(department, Stored())


def bookings_offer(desk: BookingDesk, limiter: Ref[RateLimiter]) -> BookingsOffer:
    """Return what bookings offer, given their desk."""
    return BookingsOffer(
        name="bookings",
        customer_routes=(guest_routes(desk, limiter), *page_routes(desk, limiter)),
        staff_routes=(table_routes(desk), booking_routes(desk)),
        bookings=desk.bookings,
        desk=desk,
    )
