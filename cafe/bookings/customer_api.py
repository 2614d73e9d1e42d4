"""Guests' routes: which tables are free, and requests for one.

Rule: routes only translate between HTTP and the desk. A booking is shown and cancelled with its
token, or for the account that requested it. Any other request counts against the client's address,
as a wrong password does, and is answered as if the booking did not exist.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from starlette.responses import Response

from actors import Ref
from cafe.bookings.booking import Status
from cafe.bookings.desk import BookingDesk, new_id
from cafe.bookings.fields import MOST_CENTS, MOST_SEATS, TIME_SCHEMA, time_of
from cafe.bookings.messages import AskForTable, SearchTables
from cafe.bookings.period import Period, PeriodError, check_order
from cafe.bookings.refusals import BookingConflict, NotBookable, TableTaken, UnknownBooking
from cafe.bookings.schemas import (
    BookingIn,
    BookingOut,
    ListedTablesOut,
    RequestedBookingOut,
    booking_out,
    listed_out,
)
from cafe.bookings.table import TableFilter, TableType
from cafe.http.app import BODY, problems
from cafe.http.authentication import Caller, Role, Unauthenticated, bearer_of
from cafe.http.pages import LINKED, Cursor, link_headers, page_of
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.schema import QueryInteger
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter

MOST_LISTED: Final = 100
USUALLY_LISTED: Final = 20
LEDGER: Final = problems(503, because="The member `reason` is `ledger`, or `bookings_full`.")
TAKEN: Final = problems(
    409,
    because="The member `reason` says why: the table is `closed`, or `taken` at this time.",
    refusal=TableTaken(),
)
NOT_CANCELLED: Final = problems(
    409,
    because="It has begun, or ended: the member `booking_status` says how it stands.",
    refusal=BookingConflict(Status.ACCEPTED, "This booking has begun."),
)
ASKED_OFTEN: Final = problems(
    429,
    because="This address is over its limit; the member `limit` says over which:"
    " `requests`, `banned` or `bookings`.",
)
REQUESTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "Where the booking stands."}
        }
    }
}


def _read_time(text: Any) -> float | None:
    if text is None:
        return None
    # A plus that is not percent-encoded means a space in a query.
    if isinstance(text, str) and text[-6:-5] == " ":
        text = f"{text[:-6]}+{text[-5:]}"
    return time_of(text)


QueryTime = Annotated[float | None, BeforeValidator(_read_time), WithJsonSchema(TIME_SCHEMA)]
FreeFrom = Annotated[QueryTime, Query(alias="from", description="Free from then on; with `to`.")]
FreeTo = Annotated[QueryTime, Query(alias="to", description="And up to then; with `from`.")]
Seats = Annotated[QueryInteger | None, Query(ge=1, le=MOST_SEATS)]
Cents = Annotated[QueryInteger | None, Query(ge=0, le=MOST_CENTS)]
Limit = Annotated[QueryInteger, Query(ge=1, le=MOST_LISTED, description="How many, at most.")]
Token = Annotated[
    str | None,
    # Any text: a token that a mail program has changed is a wrong token like any other.
    Query(description="The booking's own; or send it as `Authorization: Bearer`."),
]


def guest_routes(desk: BookingDesk, limiter: Ref[RateLimiter]) -> APIRouter:
    """Return the routes for guests' programs."""
    router = APIRouter(tags=["bookings"], responses=problems(429), route_class=PlainRoute)

    @router.get("/tables", response_model=ListedTablesOut, responses={**LINKED, **LEDGER})
    async def tables(
        *,
        request: Request,
        type: TableType | None = None,  # noqa: A002 - its name on the wire
        seats_min: Seats = None,
        seats_max: Seats = None,
        price_min: Cents = None,
        price_max: Cents = None,
        starts_at: FreeFrom = None,
        ends_at: FreeTo = None,
        limit: Limit = USUALLY_LISTED,
        cursor: Cursor = None,
    ) -> Response:
        """List the tables that fit, by number: those free from `from` to `to`, or all open ones.

        Each is shown with the number of open requests for that time, or for any.
        """
        given: dict[str, Any] = {
            "type": type,
            "seats_min": seats_min,
            "seats_max": seats_max,
            "price_min": price_min,
            "price_max": price_max,
        }
        wanted = TableFilter(**{name: one for name, one in given.items() if one is not None})
        period = period_of(starts_at, ends_at, desk.ledger.now())
        found = await desk.ask(SearchTables(wanted, period, cursor or 0, limit + 1))
        shown, behind = page_of(found, limit, lambda one: one.table.number)
        query = {**given, **times_of(request), "limit": limit}
        links = link_headers(request, "/tables", behind, **query)
        return answer({"tables": [listed_out(one) for one in shown]}, headers=links)

    @router.post(
        "/bookings",
        status_code=202,
        response_model=RequestedBookingOut,
        responses={**BODY, **REQUESTED, **TAKEN, **ASKED_OFTEN, **LEDGER},
    )
    async def ask(request: Request, wish: BookingIn) -> Response:
        """Request a table; a manager decides, and letters tell. Others may request it, too.

        With a customer's access token it is of that account, which gets the booking that it has
        where it requests the same table for the same time again.
        """
        try:
            account_id = await account_of(request)
        except Unauthenticated:  # a guest needs no account, so wrong credentials do not matter
            account_id = None
        message = AskForTable(
            new_id(),
            wish.table_id,
            wish.period,
            wish.party,
            wish.guest,
            request.scope["state"]["address"],
            account_id,
        )
        found = await desk.ask(message)
        token = desk.tokens.token_of(found.booking.booking_id)
        location = f"{request.scope.get('root_path', '')}/bookings/{found.booking.booking_id}"
        shown = {**booking_out(found.booking, found.table, desk.zone), "token": token}
        return answer(shown, 202, {"Location": location})

    @router.get(
        "/bookings/{booking_id}",
        response_model=BookingOut,
        responses={**problems(404), **LEDGER},
    )
    async def find(request: Request, booking_id: str, token: Token = None) -> Response:
        """Show a booking to who has its token, or to its account."""
        await check_access(desk, limiter, request, booking_id, token)
        found = await desk.find(booking_id)
        return answer(booking_out(found.booking, found.table, desk.zone))

    @router.delete(
        "/bookings/{booking_id}",
        response_model=BookingOut,
        responses={**problems(404), **NOT_CANCELLED, **LEDGER},
    )
    async def cancel(request: Request, booking_id: str, token: Token = None) -> Response:
        """Cancel a booking, until it begins."""
        await check_access(desk, limiter, request, booking_id, token)
        found = await desk.cancel(booking_id)
        return answer(booking_out(found.booking, found.table, desk.zone))

    return router


def period_of(starts_at: float | None, ends_at: float | None, now: float) -> Period | None:
    """Return the period that a query names, None for none; raises NotBookable."""
    if starts_at is None and ends_at is None:
        return None
    if starts_at is None or ends_at is None:
        missing = "from" if starts_at is None else "to"
        raise NotBookable(missing, "Send both times, or none.", "query")
    period = Period(starts_at, ends_at)
    try:
        check_order(period)
    except PeriodError as error:
        raise NotBookable(error.member, error.sentence, "query") from None
    if ends_at <= now:
        raise NotBookable("to", "This is in the past.", "query")
    return period


def times_of(request: Request) -> dict[str, str]:
    """Return the times of a query as they were sent, for the link to the next page."""
    sent = request.query_params
    return {name: sent[name] for name in ("from", "to") if name in sent}


async def account_of(request: Request) -> str | None:
    """Return the account of a customer who is signed in, None for other callers.

    Raises Unauthenticated for wrong credentials, which count against the address.
    """
    caller: Caller | None = await request.app.state.authenticate(request.scope)
    if caller is None or caller.role is not Role.CUSTOMER:
        return None
    return caller.account_id


def bearer_or_none(request: Request) -> str | None:
    """Return the token that a request has as Bearer; None for other credentials."""
    try:
        return bearer_of(request.scope)
    except Unauthenticated:
        return None


async def check_access(
    desk: BookingDesk,
    limiter: Ref[RateLimiter],
    request: Request,
    booking_id: str,
    token: str | None,
) -> None:
    """Raise UnknownBooking, and count it, unless a request has a booking's token or account."""
    bearer = bearer_or_none(request)
    if token is not None or bearer is None or desk.tokens.is_right(booking_id, bearer):
        await check_token(desk, limiter, request, booking_id, token)
        return
    try:
        await desk.find_own(booking_id, await account_of(request))
    except Unauthenticated:
        raise UnknownBooking from None
    except UnknownBooking:
        await count_refusal(limiter, "credentials", request.scope)
        raise


async def check_token(
    desk: BookingDesk,
    limiter: Ref[RateLimiter],
    request: Request,
    booking_id: str,
    token: str | None,
) -> None:
    """Raise UnknownBooking, and count it, unless a request has a booking's token."""
    if token is None:
        token = bearer_or_none(request)
    if not desk.tokens.is_right(booking_id, token):
        await count_refusal(limiter, "credentials", request.scope)
        raise UnknownBooking
