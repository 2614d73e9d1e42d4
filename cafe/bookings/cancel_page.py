"""The routes of the page behind a letter's link: one that asks, and one that cancels.

Rule: GET and HEAD never change anything: programs that look for malware in mails follow every link.
Some press buttons, too, so a form that is sent at once is refused. A booking that cannot be
cancelled and a wrong token have the same answer.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response

from actors import Ref
from cafe.bookings import pages
from cafe.bookings.customer_api import LEDGER, Token, check_token
from cafe.bookings.desk import BookingDesk
from cafe.bookings.messages import Found
from cafe.bookings.refusals import BookingConflict, UnknownBooking
from cafe.bookings.schemas import TOKEN
from cafe.bookings.tokens import LONGEST
from cafe.http.app import BODY, problems
from cafe.http.form_route import FormRoute
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import CafeRefusal
from cafe.http.reply import prefers
from cafe.limits.rate_limiter import RateLimiter

FORM_PATTERN: Final = "^[A-Za-z0-9._-]*$"
PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A page of HTML.", "content": {"text/html": {}}},
    **problems(404, because="There is no such booking to cancel; as a page if that is preferred."),
}
NOT_YET: Final = problems(
    409,
    because="The form was sent too soon, or too late: press again; as a page if that is preferred.",
)
MOST_SENT: Final = 4_096
"""Far longer than any token that a mail program has changed; these are answered as wrong tokens."""


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


class PressAgain(CafeRefusal):
    """The form was sent at once, as programs do, or was open for too long."""

    status = 409

    def __init__(self) -> None:
        super().__init__(pages.PRESS_AGAIN)


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


def page_or_problem(request: Request, page: Response, refusal: CafeRefusal) -> Response:
    """Return the page if the client prefers HTML, as browsers do; else raise the refusal."""
    accept = request.headers.get("accept", "")
    if prefers(accept, "text/html", over="application/problem+json"):
        return page
    raise refusal
