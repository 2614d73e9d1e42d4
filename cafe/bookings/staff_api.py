"""Managers' routes: the tables of the house, and decisions about bookings.

Rule: routes only translate between HTTP and the desk. A program with a manager's token decides by
the same routes.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from starlette.responses import Response

from cafe.bookings.book import Wish
from cafe.bookings.booking import Action, Status
from cafe.bookings.customer_api import MOST_LISTED, Limit, QueryTime, times_of
from cafe.bookings.desk import BookingDesk, new_id
from cafe.bookings.messages import AddTable, BookTable, ChangeTable, ListTables
from cafe.bookings.queries import Page, Wanted
from cafe.bookings.refusals import SeatsNeeded, TableTaken
from cafe.bookings.schemas import (
    BOOKING,
    BookingsOut,
    ConflictingBookingOut,
    DecidedBookingOut,
    DecisionIn,
    DirectBookingIn,
    ManagedTableOut,
    ManagedTablesOut,
    TableIn,
    TablePatch,
    booking_out,
    found_out,
    managed_table_out,
)
from cafe.bookings.table import TableStatus
from cafe.http.app import BODY, problems
from cafe.http.authentication import Caller, Manager
from cafe.http.pages import (
    LINKED,
    Cursor,
    link_headers,
    no_cursor,
    page_of,
    read_text_cursor,
)
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.worker_guards import BARISTAS_ONLY

LONGEST_CURSOR: Final = 120
LEDGER: Final = problems(503, because="The member `reason` is `ledger`.")
NUMBER_TAKEN: Final = problems(409, because="Another table has this number.")
SEATS_NEEDED: Final = problems(
    409,
    because="Accepted bookings, listed in `booking_ids`, need more seats.",
    refusal=SeatsNeeded([BOOKING["booking_id"]]),
)
UNAVAILABLE: Final = problems(
    409,
    because="The member `reason` says why: the table is `closed`, or `taken` at this time.",
    refusal=TableTaken(),
)
NOT_DECIDED: Final = problems(
    409,
    because="The booking stands as `booking_status` says; or the table is, as `reason` says, "
    "`closed`, `taken`, or has too few `seats`.",
    refusal=TableTaken(),
)


def _checked(cursor: Any) -> str | None:
    if cursor is None:
        return None
    try:
        text = read_text_cursor(cursor, longest=LONGEST_CURSOR)
        if written_place(*read_place(text)) == text and text.isascii() and text.isprintable():
            return text
    except ValueError:
        pass
    raise no_cursor()


def written_place(starts_at: float, booking_id: str) -> str:
    """Return the text of a cursor: the page begins after this booking."""
    return f"{starts_at!r} {booking_id}"


def read_place(text: str) -> tuple[float, str]:
    """Return the beginning and the id of the booking that a cursor names."""
    starts_at, booking_id = text.split(" ")
    return float(starts_at), booking_id


def place_behind(page: Page) -> str | None:
    """Return the cursor's text of the next page of bookings; None if there is none."""
    if not page.goes_on:
        return None
    last, _ = page.bookings[-1]
    return written_place(last.starts_at, last.booking_id)


BookingCursor = Annotated[
    str | None,
    BeforeValidator(_checked),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_CURSOR}),
    Query(description="Where the page begins; take it from the link of the page before."),
]
From = Annotated[QueryTime, Query(alias="from", description="Only those that end after this.")]
To = Annotated[QueryTime, Query(alias="to", description="Only those that begin before this.")]
ByStatus = Annotated[Status | None, Query(description="Only those that stand so.")]


def table_routes(desk: BookingDesk) -> APIRouter:
    """Return the routes by which managers administer tables."""
    router = APIRouter(
        tags=["tables"], responses={**BARISTAS_ONLY, **LEDGER}, route_class=PlainRoute
    )

    @router.get("/admin/tables", response_model=ManagedTablesOut, responses=LINKED)
    async def tables(
        request: Request, _manager: Manager, limit: Limit = MOST_LISTED, cursor: Cursor = None
    ) -> Response:
        """List all tables by number."""
        found = await desk.ask(ListTables(cursor or 0, limit + 1))
        shown, behind = page_of(found, limit, lambda one: one.number)
        links = link_headers(request, "/admin/tables", behind, limit=limit)
        return answer({"tables": [managed_table_out(one) for one in shown]}, headers=links)

    @router.post(
        "/admin/tables",
        status_code=201,
        response_model=ManagedTableOut,
        responses={**BODY, **NUMBER_TAKEN},
    )
    async def add(manager: Manager, wish: TableIn) -> Response:
        """Add a table."""
        message = AddTable(
            new_id(), wish.number, wish.type, wish.seats, wish.price_cents, manager.name
        )
        return answer(managed_table_out(await desk.ask(message)), 201)

    async def changed(table_id: str, wish: Wish, manager: Caller) -> Response:
        return answer(managed_table_out(await desk.ask(ChangeTable(table_id, wish, manager.name))))

    @router.patch(
        "/admin/tables/{table_id}",
        response_model=ManagedTableOut,
        responses={**BODY, **problems(404), **SEATS_NEEDED},
    )
    async def change(manager: Manager, table_id: str, wish: TablePatch) -> Response:
        """Change a table; it keeps enough seats for the bookings that are accepted."""
        return await changed(table_id, wish.wish(), manager)

    @router.post(
        "/admin/tables/{table_id}/close", response_model=ManagedTableOut, responses=problems(404)
    )
    async def close(manager: Manager, table_id: str) -> Response:
        """Close a table for booking; what is accepted stays."""
        return await changed(table_id, Wish(status=TableStatus.CLOSED), manager)

    @router.post(
        "/admin/tables/{table_id}/open", response_model=ManagedTableOut, responses=problems(404)
    )
    async def reopen(manager: Manager, table_id: str) -> Response:
        """Open a table for booking again."""
        return await changed(table_id, Wish(status=TableStatus.OPEN), manager)

    return router


def booking_routes(desk: BookingDesk) -> APIRouter:
    """Return the routes by which managers decide about bookings."""
    router = APIRouter(
        tags=["bookings"], responses={**BARISTAS_ONLY, **LEDGER}, route_class=PlainRoute
    )

    @router.get("/admin/bookings", response_model=BookingsOut, responses=LINKED)
    async def bookings(
        *,
        request: Request,
        _manager: Manager,
        status: ByStatus = None,
        starts_at: From = None,
        ends_at: To = None,
        limit: Limit = MOST_LISTED,
        cursor: BookingCursor = None,
    ) -> Response:
        """List bookings, the earliest first."""
        place = None if cursor is None else read_place(cursor)
        statuses = () if status is None else (status,)
        page = await desk.page(Wanted(statuses, starts_at, ends_at, place, limit))
        behind = place_behind(page)
        query = {"status": status, **times_of(request), "limit": limit}
        links = link_headers(request, "/admin/bookings", behind, **query)
        shown = [booking_out(*pair, desk.zone) for pair in page.bookings]
        return answer({"bookings": shown}, headers=links)

    @router.post(
        "/admin/bookings",
        status_code=201,
        response_model=DecidedBookingOut,
        responses={**BODY, **UNAVAILABLE},
    )
    async def book(manager: Manager, wish: DirectBookingIn) -> Response:
        """Book a table directly; open requests that overlap are declined."""
        found = await desk.ask(
            BookTable(new_id(), wish.table_id, wish.period, wish.party, wish.guest, manager.name)
        )
        return answer(found_out(found, desk.zone, "declined"), 201)

    @router.get(
        "/admin/bookings/{booking_id}",
        response_model=ConflictingBookingOut,
        responses=problems(404),
    )
    async def find(_manager: Manager, booking_id: str) -> Response:
        """Show a booking, with what else there is for its time."""
        return answer(found_out(await desk.find(booking_id), desk.zone, "conflicts"))

    @router.post(
        "/admin/bookings/{booking_id}/accept",
        response_model=DecidedBookingOut,
        responses={**BODY, **problems(404), **NOT_DECIDED},
    )
    async def accept(
        manager: Manager, booking_id: str, why: Annotated[DecisionIn | None, Body()] = None
    ) -> Response:
        """Accept a request; the other requests that overlap it are declined."""
        return await moved(manager, booking_id, Action.ACCEPT, why)

    @router.post(
        "/admin/bookings/{booking_id}/decline",
        response_model=DecidedBookingOut,
        responses={**BODY, **problems(404), **NOT_DECIDED},
    )
    async def decline(
        manager: Manager, booking_id: str, why: Annotated[DecisionIn | None, Body()] = None
    ) -> Response:
        """Decline a request."""
        return await moved(manager, booking_id, Action.DECLINE, why)

    @router.post(
        "/admin/bookings/{booking_id}/cancel",
        response_model=DecidedBookingOut,
        responses={**BODY, **problems(404), **NOT_DECIDED},
    )
    async def cancel(
        manager: Manager, booking_id: str, why: Annotated[DecisionIn | None, Body()] = None
    ) -> Response:
        """Cancel a booking, until it is over."""
        return await moved(manager, booking_id, Action.CANCEL, why)

    async def moved(
        manager: Caller, booking_id: str, action: Action, why: DecisionIn | None
    ) -> Response:
        reason = None if why is None else why.reason
        found = await desk.move(booking_id, action, manager.name, reason)
        return answer(found_out(found, desk.zone, "declined"))

    return router
