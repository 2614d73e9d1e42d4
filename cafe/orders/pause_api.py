"""The managers' routes for a pause: look, pause, resume.

Rule: HTTP into one ask of the desk, and its answer into HTTP. Each may be repeated.
"""

from __future__ import annotations

from math import ceil
from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from cafe.http.app import BODY, example, problems
from cafe.http.authentication import Manager
from cafe.http.plain_routes import PlainRoute
from cafe.http.reply import NOTHING, answer
from cafe.http.schema import NFC, Integer, Schema, Text, schema_example
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.orders.desk import Desk
from cafe.orders.messages import Pause
from cafe.orders.schemas import PAUSED, PausedOut, paused_out

LONGEST_MINUTES: Final = 1440
LONGEST_TEXT: Final = 200
PAUSE: Final[dict[str, Any]] = {"paused": {**PAUSED, "by": "ada@example.org"}}
NO_LEDGER: Final = problems(
    503, because="The member `reason` is `ledger`: nothing can be written down."
)
NO_CONTENT: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Orders are taken."}}


class PauseIn(Schema):
    """For how long no new orders are taken, from now on, and what customers are told."""

    model_config = schema_example({"minutes": 15, "text": PAUSED["text"]})

    minutes: Annotated[Integer, Field(ge=1, le=LONGEST_MINUTES)]
    text: Annotated[Text, Field(max_length=LONGEST_TEXT), NFC] = ""


class ManagedPauseOut(PausedOut):
    """A pause as managers see it."""

    model_config = example(PAUSE["paused"])

    by: str | None = Field(description="Who paused, if that is known.")


class PauseOut(BaseModel):
    """Whether the shop is paused."""

    model_config = example(PAUSE)

    paused: ManagedPauseOut | None = Field(description="Null while new orders are taken.")


def pause_routes(desk: Desk) -> APIRouter:
    """Return the routes that managers use."""
    router = APIRouter(tags=["orders"], responses=BARISTAS_ONLY, route_class=PlainRoute)

    @router.get("/admin/pause", response_model=PauseOut, responses=NO_LEDGER)
    async def show(_manager: Manager) -> Response:
        """Show whether the shop is paused."""
        return answer(pause_out((await desk.count()).paused))

    @router.put("/admin/pause", response_model=PauseOut, responses={**BODY, **NO_LEDGER})
    async def pause(manager: Manager, wanted: PauseIn) -> Response:
        """Take no new orders for some minutes from now on; a pause that holds is changed.

        Orders that wait are brewed as usual. New ones are refused with a 503 whose `reason` is
        `paused`, before anything is charged.
        """
        until = float(ceil(desk.now() + 60 * wanted.minutes))
        begun = Pause(until, wanted.text, manager.name)
        await desk.pause(begun)
        return answer(pause_out(begun))

    @router.delete("/admin/pause", status_code=204, responses={**NO_CONTENT, **NO_LEDGER})
    async def resume(manager: Manager) -> Response:
        """Take new orders again, at once."""
        await desk.resume(manager.name)
        return NOTHING

    return router


def pause_out(pause: Pause | None) -> dict[str, Any]:
    """Return the members of `PauseOut`."""
    return {"paused": pause and {**paused_out(pause), "by": pause.by}}
