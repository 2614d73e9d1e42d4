"""The desk, which the routes call: it asks Bookings, and reads pages and old bookings.

Rule: no state, no decisions about bookings. After a crash of Bookings a command is retried: it has
an id, so it takes effect once. Each wait for the ledger has a time-out here.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from actors import Message, Ref
from cafe.bookings.booking import Action, Booking, Step
from cafe.bookings.bookings import Bookings
from cafe.bookings.messages import CancelBooking, FindBooking, Found, MoveBooking
from cafe.bookings.queries import Page, Wanted, find_bookings, read_page
from cafe.bookings.refusals import ForgottenBooking, UnknownBooking, over
from cafe.bookings.tokens import BookingTokens
from cafe.ledger.retries import ask_in_time, ledger_time_out
from cafe.ledger.view import LedgerView

R = TypeVar("R")


def new_id() -> str:
    """Return a new id for a table, a booking or a step of one."""
    return secrets.token_hex(10)


@dataclass(frozen=True, slots=True)
class BookingDesk:
    """The interface of bookings to their routes."""

    bookings: Ref[Bookings]
    ledger: LedgerView
    tokens: BookingTokens
    zone: ZoneInfo
    """The time zone in which times are shown."""

    async def ask(self, message: Message[Bookings, R]) -> R:
        """Ask Bookings with the time-out of the ledger; raises its refusals."""
        return await ask_in_time(self.bookings, message)

    async def find(self, booking_id: str) -> Found:
        """Return a booking, also one that is over; raises UnknownBooking."""
        try:
            return await self.ask(FindBooking(booking_id))
        except ForgottenBooking:
            return await self._look_up(booking_id)

    async def find_own(self, booking_id: str, account_id: str | None) -> Found:
        """Return a booking of an account; raises UnknownBooking, also for another account's."""
        found = await self.find(booking_id)
        if account_id is None or found.booking.account_id != account_id:
            raise UnknownBooking
        return found

    async def move(
        self, booking_id: str, action: Action, by: str | None, reason: str | None
    ) -> Found:
        """Accept, decline or cancel a booking for a manager.

        Raises UnknownBooking, BookingConflict or TableUnavailable.
        """
        step = Step(action, new_id(), by, reason)
        return await self._ask_or_refuse(MoveBooking(booking_id, step), booking_id)

    async def cancel(self, booking_id: str) -> Found:
        """Cancel a booking for its guest; raises UnknownBooking or BookingConflict."""
        step = Step(Action.CANCEL, new_id())
        return await self._ask_or_refuse(CancelBooking(booking_id, step), booking_id)

    async def page(self, wanted: Wanted) -> Page:
        """Return a page of bookings."""
        with ledger_time_out():
            return await self.ledger.read(partial(read_page, wanted=wanted))

    def may_be_cancelled(self, booking: Booking) -> bool:
        """Return whether a guest may still cancel a booking."""
        return booking.may_be_cancelled(self.ledger.now())

    async def _ask_or_refuse(self, message: Message[Bookings, Found], booking_id: str) -> Found:
        try:
            return await self.ask(message)
        except ForgottenBooking:
            found = await self._look_up(booking_id)
            raise over(found.booking.status) from None

    async def _look_up(self, booking_id: str) -> Found:
        if not booking_id.isprintable():
            raise UnknownBooking  # no database could look it up
        query = partial(find_bookings, booking_ids=[booking_id])
        with ledger_time_out():
            pairs = await self.ledger.read(query)
        if not pairs:
            raise UnknownBooking
        return Found(*pairs[0])
