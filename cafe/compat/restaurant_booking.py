"""The API of restaurant-booking: tables, customers' requests for them, a manager's decisions.

Rule: routes only translate between HTTP and the desks of bookings and accounts;
`restaurant_booking_schemas` has the schemas. A table's `id` is its number, a booking's is ours.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from starlette.responses import Response

from cafe.accounts.customer_api import (
    NO_LEDGER,
    TRIED,
    WRONG,
    address_of,
    counting_wrong,
    folded,
    signed_in,
)
from cafe.accounts.desk import Desk as AccountDesk
from cafe.bookings.booking import HELD, Action, Guest
from cafe.bookings.customer_api import (
    ASKED_OFTEN,
    LEDGER,
    MOST_LISTED,
    NOT_CANCELLED,
    TAKEN,
    Limit,
    QueryTime,
    period_of,
)
from cafe.bookings.desk import BookingDesk, new_id
from cafe.bookings.fields import MOST_CENTS, MOST_SEATS, email_of, name_or_none
from cafe.bookings.messages import AddTable, AskForTable, ChangeTable, FindTable, SearchTables
from cafe.bookings.queries import Wanted
from cafe.bookings.refusals import NotBookable, UnknownBooking
from cafe.bookings.staff_api import (
    NOT_DECIDED,
    SEATS_NEEDED,
    BookingCursor,
    place_behind,
    read_place,
)
from cafe.bookings.table import TableStatus, TableType
from cafe.compat.desks import Desks
from cafe.compat.fields import cents_of
from cafe.compat.restaurant_booking_schemas import (
    ActiveOut,
    BookedOut,
    ChangedOut,
    DoneOut,
    FilterIn,
    SignInIn,
    TableIn,
    TableOut,
    TablePatch,
    TokensOut,
    active_out,
    changed_out,
    done_out,
    table_out,
)
from cafe.http.app import BODY, problems
from cafe.http.authentication import Caller, Customer, Manager
from cafe.http.other_apis import LooseRoute
from cafe.http.pages import LINKED, Cursor, link_headers, page_of
from cafe.http.reply import answer
from cafe.http.schema import MOST_INTEGER, Id, QueryInteger
from cafe.limits.guard import count_refusal
from cafe.offer import OtherApi

DESCRIPTION: Final = """
Clients of restaurant-booking change their base URL to this one and nothing else.

Managers keep the tables and decide; customers request them. The `id` of a table is its number, the
`id` of a booking is a text. Each booking is for a time, which a customer may leave out.
"""
USUAL_SEATS: Final = 4


def _read_price(text: Any) -> int | None:
    return None if text is None else cents_of(text, most=MOST_CENTS)


QueryPrice = Annotated[
    int | None,
    BeforeValidator(_read_price),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": MOST_CENTS // 100}),
]
QuerySeats = Annotated[QueryInteger | None, Query(ge=0, le=MOST_SEATS)]
TableId = Annotated[
    QueryInteger, Query(alias="id", ge=1, le=MOST_INTEGER, description="The table's number.")
]
BookingId = Annotated[Id, Query(alias="id", description="As its answer tells it.")]
From = Annotated[QueryTime, Query(alias="from", description="When it begins; with `to`.")]
To = Annotated[QueryTime, Query(alias="to", description="When it ends; with `from`.")]
Party = Annotated[
    QueryInteger | None,
    Query(ge=1, le=MOST_SEATS, description="Else as many as the table has seats."),
]


def filter_of(
    *,
    table_type: TableType | None = None,
    seats_min: QuerySeats = None,
    seats_max: QuerySeats = None,
    price_min: QueryPrice = None,
    price_max: QueryPrice = None,
) -> FilterIn:
    """Return the filter of a query."""
    return FilterIn.model_construct(
        table_type=table_type,
        seats_min=seats_min,
        seats_max=seats_max,
        price_min=price_min,
        price_max=price_max,
    )


QueryFilter = Annotated[FilterIn, Depends(filter_of)]


def restaurant_booking(desks: Desks, prefix: str) -> OtherApi:
    """Return the API of restaurant-booking."""
    return OtherApi(
        prefix=prefix,
        title="restaurant-booking",
        description=DESCRIPTION,
        customer_routes=(
            token_routes(desks),
            table_routes(desks.bookings),
            decision_routes(desks.bookings),
            search_routes(desks.bookings),
            customer_routes(desks),
        ),
    )


def token_routes(desks: Desks) -> APIRouter:
    """Return the route for signing in."""
    router = APIRouter(
        tags=["token"], responses={**BODY, **WRONG, **TRIED, **NO_LEDGER}, route_class=LooseRoute
    )

    @router.post("/api/token/", response_model=TokensOut)
    async def sign_in(request: Request, who: SignInIn) -> Response:
        """Sign in; the `username` is an e-mail address."""
        email, address = folded(who.username), address_of(request.scope)
        signing_in = partial(desks.accounts.sign_in, email, who.password, address)
        pair = await counting_wrong(request.scope, desks.limiter, signing_in)
        return answer({"access": pair.access_token, "refresh": pair.refresh_token})

    return router


def table_routes(desk: BookingDesk) -> APIRouter:
    """Return the routes by which managers administer tables."""
    router = APIRouter(
        tags=["admin"], responses={**BODY, **problems(429), **LEDGER}, route_class=LooseRoute
    )

    @router.post("/api/admin/add_table/", status_code=201, response_model=ChangedOut)
    async def add(manager: Manager, table: Annotated[TableIn | None, Body()] = None) -> Response:
        """Add a table: a regular one with four seats, of no price, unless it is said otherwise."""
        wish = (table or TableIn()).wish
        message = AddTable(
            new_id(),
            None,
            wish.type or TableType.REGULAR,
            wish.seats or USUAL_SEATS,
            wish.price_cents or 0,
            manager.name,
            wish.status or TableStatus.OPEN,
        )
        return answer(changed_out(await desk.ask(message), "added"), 201)

    @router.patch(
        "/api/admin/update_table/",
        response_model=ChangedOut,
        responses={**problems(404), **SEATS_NEEDED},
    )
    @router.post(
        "/api/admin/update_table/",
        response_model=ChangedOut,
        responses={**problems(404), **SEATS_NEEDED},
    )
    async def change(manager: Manager, table: TablePatch) -> Response:
        """Change a table; one that cannot be booked any longer keeps its bookings."""
        found = await desk.ask(FindTable(table.id))
        changed = await desk.ask(ChangeTable(found.table_id, table.wish, manager.name))
        return answer(changed_out(changed, "changed"))

    return router


def decision_routes(desk: BookingDesk) -> APIRouter:
    """Return the routes by which managers list requests and decide about them."""
    router = APIRouter(
        tags=["admin"], responses={**problems(429), **LEDGER}, route_class=LooseRoute
    )

    @router.post(
        "/api/admin/accept_booking/",
        response_model=DoneOut,
        responses={**problems(404), **NOT_DECIDED},
    )
    async def accept(manager: Manager, booking_id: BookingId) -> Response:
        """Accept a request; the other requests that overlap it are declined."""
        found = await desk.move(booking_id, Action.ACCEPT, manager.name, None)
        return answer(done_out(found.booking))

    @router.post(
        "/api/admin/cancel_booking/",
        response_model=DoneOut,
        responses={**problems(404), **NOT_DECIDED},
    )
    async def cancel(manager: Manager, booking_id: BookingId) -> Response:
        """Cancel a booking, until it is over."""
        found = await desk.move(booking_id, Action.CANCEL, manager.name, None)
        return answer(done_out(found.booking))

    @router.get(
        "/api/admin/view_active_bookings/", response_model=list[ActiveOut], responses=LINKED
    )
    async def active(
        request: Request,
        _manager: Manager,
        limit: Limit = MOST_LISTED,
        cursor: BookingCursor = None,
    ) -> Response:
        """List the bookings that are requested or accepted and not over, the earliest first."""
        place = None if cursor is None else read_place(cursor)
        page = await desk.page(Wanted(tuple(HELD), desk.ledger.now(), None, place, limit))
        path = "/api/admin/view_active_bookings/"
        links = link_headers(request, path, place_behind(page), limit=limit)
        return answer([active_out(one, desk.zone) for one, _ in page.bookings], headers=links)

    return router


def search_routes(desk: BookingDesk) -> APIRouter:
    """Return the routes for finding a table."""
    router = APIRouter(
        tags=["customer"], responses={**problems(429), **LEDGER}, route_class=LooseRoute
    )
    path = "/api/customer/view_tables/"

    @router.post(path, response_model=list[TableOut], responses={**BODY, **LINKED})
    async def search(
        *,
        request: Request,
        query: QueryFilter,
        body: Annotated[FilterIn | None, Body()] = None,
        limit: Limit = MOST_LISTED,
        cursor: Cursor = None,
    ) -> Response:
        """List the tables that fit and can be booked, by number; wishes are in JSON or a query."""
        return await listed(request, (body or FilterIn()).joined(query), limit, cursor)

    @router.get(path, response_model=list[TableOut], responses=LINKED)
    async def look(
        request: Request, query: QueryFilter, limit: Limit = MOST_LISTED, cursor: Cursor = None
    ) -> Response:
        """List the tables that fit and can be booked, by number."""
        return await listed(request, query, limit, cursor)

    async def listed(request: Request, wish: FilterIn, limit: int, cursor: int | None) -> Response:
        found = await desk.ask(SearchTables(wish.wanted, None, cursor or 0, limit + 1))
        shown, behind = page_of(found, limit, lambda one: one.table.number)
        links = link_headers(request, path, behind, **wish.query, limit=limit)
        return answer([table_out(one.table) for one in shown], headers=links)

    return router


def customer_routes(desks: Desks) -> APIRouter:
    """Return the routes by which customers request a table, and cancel."""
    desk = desks.bookings
    router = APIRouter(tags=["customer"], responses=LEDGER, route_class=LooseRoute)

    @router.post(
        "/api/customer/book_table/",
        response_model=BookedOut,
        responses={**problems(404), **TAKEN, **ASKED_OFTEN},
    )
    async def book(
        *,
        request: Request,
        customer: Customer,
        number: TableId,
        starts_at: From = None,
        ends_at: To = None,
        party: Party = None,
    ) -> Response:
        """Request a table: from the next full hour for two hours, where no times are given.

        For the same table and time again it is the same booking, until that has ended.
        """
        period = period_of(starts_at, ends_at, desk.ledger.now())
        table = await desk.ask(FindTable(number))
        message = AskForTable(
            new_id(),
            table.table_id,
            period,
            party,
            await guest_of(desks.accounts, customer),
            address_of(request.scope),
            customer.account_id,
        )
        try:
            booking = (await desk.ask(message)).booking
        except NotBookable as refused:  # its members are in the query here
            raise NotBookable(refused.member, refused.sentence, "query") from None
        return answer({**done_out(booking), "id": booking.booking_id})

    @router.post(
        "/api/customer/cancel_booking/",
        response_model=DoneOut,
        responses={**problems(404, 429), **NOT_CANCELLED},
    )
    async def cancel(request: Request, customer: Customer, booking_id: BookingId) -> Response:
        """Cancel your booking, until it begins."""
        try:
            await desk.find_own(booking_id, customer.account_id)
        except UnknownBooking:
            await count_refusal(desks.limiter, "unknown", request.scope)
            raise
        return answer(done_out((await desk.cancel(booking_id)).booking))

    return router


async def guest_of(accounts: AccountDesk, customer: Caller) -> Guest:
    """Return the customer as a guest; without the username if a guest's name may not be that."""
    account = await accounts.account(*signed_in(customer))
    return Guest(email_of(account.email), None, name_or_none(account.username))
