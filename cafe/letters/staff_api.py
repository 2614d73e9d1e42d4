"""Managers' routes: list letters, show one, and retry one.

Rule: routes only translate between HTTP and the desk.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cafe.http.app import problems
from cafe.http.authentication import Manager
from cafe.http.pages import LINKED, Cursor, link_headers
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import answer
from cafe.http.schema import Id
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.letters.desk import LetterDesk
from cafe.letters.letter import State
from cafe.letters.queries import Wanted
from cafe.letters.refusals import LetterNotRetried, UnknownLetter
from cafe.letters.schemas import LettersOut, WholeLetterOut, letters_out, whole_letter_out

MOST_LISTED: Final = 500
MANAGERS_ONLY: Final = {**BARISTAS_ONLY, **problems(503)}
NOT_RETRIED: Final = problems(
    409,
    because="It is sent, or held: the member `letter_state` says which.",
    refusal=LetterNotRetried(State.SENT),
)

BookingId = Annotated[Id | None, Query(description="Only those of this booking.")]
InState = Annotated[State | None, Query(description="Only those in this state.")]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many, at most.")]


def manager_routes(desk: LetterDesk) -> APIRouter:
    """Return the routes for managers."""
    router = APIRouter(tags=["letters"], responses=MANAGERS_ONLY, route_class=PlainRoute)

    @router.get("/admin/letters", response_model=LettersOut, responses=LINKED)
    async def letters(
        request: Request,
        _manager: Manager,
        booking_id: BookingId = None,
        state: InState = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        """List letters, the newest first."""
        page = await desk.list(Wanted(booking_id, state, cursor, limit))
        behind = page.letters[-1].position if page.goes_on else None
        links = link_headers(
            request, "/admin/letters", behind, limit=limit, booking_id=booking_id, state=state
        )
        return answer({"letters": letters_out(page)}, headers=links)

    @router.get(
        "/admin/letters/{letter_id}",
        response_model=WholeLetterOut,
        responses=problems(404, refusal=UnknownLetter()),
    )
    async def letter(letter_id: str, _manager: Manager) -> Response:
        """Show a letter, with its text and its attempts."""
        return answer(whole_letter_out(await desk.show(_checked(letter_id))))

    @router.post(
        "/admin/letters/{letter_id}/retry",
        response_model=WholeLetterOut,
        responses={**problems(404, refusal=UnknownLetter()), **NOT_RETRIED},
    )
    async def retry(letter_id: str, _manager: Manager) -> Response:
        """Attempt a letter at once, and again for a day if that fails."""
        return answer(whole_letter_out(await desk.retry(_checked(letter_id))))

    return router


def _checked(letter_id: str) -> str:
    if not letter_id.isprintable():
        raise UnknownLetter  # no database could look it up
    return letter_id
