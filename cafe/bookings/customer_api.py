"""Guests' routes: which tables are free, requests for one, and the page that cancels.

Rule: HTTP into one ask of the desk, and its answer into HTTP. A booking is shown and cancelled with
its token only; a wrong one counts against the client's address, as a wrong password does, and is
answered as a booking that does not exist. GET and HEAD never change anything: programs that look
for malware in mails follow every link.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.responses import HTMLResponse, Response

from actors import Ref
from cafe.bookings import pages
from cafe.bookings.desk import BookingDesk, new_id
from cafe.bookings.fields import MOST_CENTS, MOST_SEATS, TIME_SCHEMA, time_of
from cafe.bookings.messages import AskForTable, Found, SearchTables
from cafe.bookings.period import Period, PeriodError, check_order
from cafe.bookings.refusals import BookingConflict, NotBookable, UnknownBooking
from cafe.bookings.schemas import (
    TOKEN,
    BookingIn,
    BookingOut,
    ListedTablesOut,
    RequestedBookingOut,
    booking_out,
    listed_out,
)
from cafe.bookings.table import TableFilter, TableType
from cafe.bookings.tokens import LONGEST
from cafe.http.app import BODY, problems
from cafe.http.authentication import Unauthenticated, bearer_of
from cafe.http.form_route import FormRoute
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import answer, prefers
from cafe.http.schema import QueryInteger
from cafe.limits.guard import count_refusal
from cafe.limits.rate_limiter import RateLimiter

MOST_LISTED: Final = 100
USUALLY_LISTED: Final = 20
FORM_PATTERN: Final = "^[A-Za-z0-9._-]*$"
LEDGER: Final = problems(503, because="The member `reason` is `ledger`, or `bookings_full`.")
TAKEN: Final = problems(
    409, because="The member `reason` says why: the table is `closed`, or `taken` at this time."
)
NOT_CANCELLED: Final = problems(
    409, because="It has begun, or ended: the member `booking_status` says how it stands."
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
PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A page of HTML.", "content": {"text/html": {}}},
    **problems(404, because="There is no such booking to cancel; as a page if that is preferred."),
}
NOT_YET: Final = problems(
    409,
    because="The form was sent too soon, or too late: press again; as a page if that is preferred.",
)


MOST_SENT: Final = 4_096
"""Far beyond what a mail program makes of a token: each of these is answered as a wrong one."""


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
    # Any text, so that what a mail program has made of a link is a wrong token like any other.
    Query(description="The booking's own; or send it as `Authorization: Bearer`."),
]


class CancelForm(BaseModel):
    """What the button of the page sends."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"token": TOKEN, "form": f"1780300800000000.{TOKEN}"}]},
    )

    token: Annotated[str, Field(min_length=1, max_length=MOST_SENT)]
    form: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST,
            pattern=FORM_PATTERN,
            description="When the page was given out.",
        ),
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
        behind = found[limit - 1].table.number if len(found) > limit else None
        query = {**given, **times_of(request), "limit": limit}
        links = link_headers(request, "/tables", behind, **query)
        return answer({"tables": [listed_out(one) for one in found[:limit]]}, headers=links)

    @router.post(
        "/bookings",
        status_code=202,
        response_model=RequestedBookingOut,
        responses={**BODY, **REQUESTED, **TAKEN, **ASKED_OFTEN, **LEDGER},
    )
    async def ask(request: Request, wish: BookingIn) -> Response:
        """Request a table; a manager decides, and letters tell. Others may request it, too."""
        address: str = request.scope["state"]["address"]
        message = AskForTable(new_id(), wish.table_id, wish.period, wish.party, wish.guest, address)
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
        """Show a booking to who has its token."""
        await check_token(desk, limiter, request, booking_id, token)
        found = await desk.find(booking_id)
        return answer(booking_out(found.booking, found.table, desk.zone))

    @router.delete(
        "/bookings/{booking_id}",
        response_model=BookingOut,
        responses={**problems(404), **NOT_CANCELLED, **LEDGER},
    )
    async def cancel(request: Request, booking_id: str, token: Token = None) -> Response:
        """Cancel a booking, until it begins."""
        await check_token(desk, limiter, request, booking_id, token)
        found = await desk.cancel(booking_id)
        return answer(booking_out(found.booking, found.table, desk.zone))

    return router


def page_routes(desk: BookingDesk, limiter: Ref[RateLimiter]) -> tuple[APIRouter, APIRouter]:
    """Return the routes of the page behind a letter's link: one that asks, and one that cancels."""
    asking = APIRouter(tags=["bookings"], responses=problems(429), route_class=PlainRoute)
    acting = APIRouter(tags=["bookings"], responses=problems(429), route_class=FormRoute)
    path = "/bookings/{booking_id}/cancel"

    def question(request: Request, found: Found, notice: str = "", status: int = 200) -> Response:
        booking_id = found.booking.booking_id
        form = pages.Form(
            f"{request.scope.get('root_path', '')}/bookings/{booking_id}/cancel",
            desk.tokens.token_of(booking_id),
            desk.tokens.form_value(booking_id, desk.ledger.now()),
        )
        return pages.question_page(found, desk.zone, form, notice, status)

    async def cancellable(request: Request, booking_id: str, token: str | None) -> Found:
        await check_token(desk, limiter, request, booking_id, token)
        found = await desk.find(booking_id)
        if not desk.may_be_cancelled(found.booking):
            raise UnknownBooking
        return found

    @asking.get(path, response_class=HTMLResponse, responses={**PAGE, **LEDGER})
    async def ask(request: Request, booking_id: str, token: Token = None) -> Response:
        """Ask whether a booking is to be cancelled; this changes nothing."""
        try:
            return question(request, await cancellable(request, booking_id, token))
        except UnknownBooking as refusal:
            return page_or_problem(request, pages.nothing_page(), refusal)

    @acting.post(
        path,
        response_class=HTMLResponse,
        responses={**PAGE, **NOT_YET, **LEDGER, **BODY},
    )
    async def act(
        request: Request, booking_id: str, form: Annotated[CancelForm, Form()]
    ) -> Response:
        """Cancel a booking, if the page's button was pressed by a person."""
        try:
            found = await cancellable(request, booking_id, form.token)
            if not desk.tokens.is_ripe(booking_id, form.form, desk.ledger.now()):
                again = question(request, found, pages.PRESS_AGAIN, 409)
                return page_or_problem(request, again, PressAgain())
            return pages.cancelled_page(await desk.cancel(booking_id), desk.zone)
        except (UnknownBooking, BookingConflict):  # or ended since it was looked up
            return page_or_problem(request, pages.nothing_page(), UnknownBooking())

    return asking, acting


class PressAgain(CafeRefusal):
    """The form was sent at once, as programs do, or was open for long."""

    status = 409

    def __init__(self) -> None:
        super().__init__(pages.PRESS_AGAIN)


def page_or_problem(request: Request, page: Response, refusal: CafeRefusal) -> Response:
    """Return the page to who prefers one, as browsers do; else raise the refusal."""
    accept = request.headers.get("accept", "")
    if prefers(accept, "text/html", over="application/problem+json"):
        return page
    raise refusal


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


async def check_token(
    desk: BookingDesk,
    limiter: Ref[RateLimiter],
    request: Request,
    booking_id: str,
    token: str | None,
) -> None:
    """Raise UnknownBooking unless a request has the token of a booking; that counts."""
    if token is None:
        try:
            token = bearer_of(request.scope)
        except Unauthenticated:
            token = None
    if not desk.tokens.is_right(booking_id, token):
        await count_refusal(limiter, "credentials", request.scope)
        raise UnknownBooking
