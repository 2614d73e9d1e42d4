"""The managers' route for the figures of a day.

Rule: it only reads, and shows what `cafe report --json` prints.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from cafe.http.app import example, problems
from cafe.http.authentication import Manager
from cafe.http.disconnect import unless_disconnected
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import Invalid
from cafe.http.reply import DISCONNECTED, answer
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.ledger.view import LedgerView
from cafe.operations.day_reader import DayReader
from cafe.operations.figures import Hours, as_data

DAY_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
NO_LEDGER: Final = problems(503, because="The member `reason` is `ledger`: it cannot be read.")
SPREAD: Final = {"median": 45.81, "p95": 61.2, "worst": 93.4}
WORK: Final[dict[str, Any]] = {
    "name": "Bo",
    "ready": 3,
    "released": 0,
    "lapsed": 1,
    "brewing_seconds": SPREAD,
}
PRODUCT: Final[dict[str, Any]] = {"name": "americano", "ready": 3, "brewing_seconds": SPREAD}
HOUR: Final = {"start": "2026-03-14T09:00:00Z", "orders": 5}
DAY: Final[dict[str, Any]] = {
    "day": "2026-03-14",
    "orders": 5,
    "ready": 3,
    "handed_over": 2,
    "to_be_handed_over": 1,
    "brewed_in_vain": 0,
    "not_ready_yet": 1,
    "cancelled": 1,
    "cut_off": 0,
    "abandoned": 0,
    "wait_seconds": SPREAD,
    "brewing_seconds": SPREAD,
    "baristas": [WORK],
    "products": [PRODUCT],
    "hours": [HOUR],
}

WhichDay = Annotated[
    str | None,
    Query(
        pattern=DAY_PATTERN,
        max_length=10,
        description="Such as 2026-03-14, midnight to midnight on the shop's clock; else today.",
    ),
]


class NoDay(Invalid):
    """There is no such day, or it is too far away."""

    kind = "day"

    def __init__(self) -> None:
        super().__init__("This is no day of our time", "query", "day")


class SpreadOut(BaseModel):
    """How long something took, in seconds; percentiles by nearest rank."""

    model_config = example(SPREAD)

    median: float
    p95: float
    worst: float


class BaristaOut(BaseModel):
    """What one barista did."""

    model_config = example(WORK)

    name: str | None
    ready: int
    released: int
    lapsed: int = Field(description="Claims whose lease expired.")
    brewing_seconds: SpreadOut | None


class ProductOut(BaseModel):
    """How long one product took."""

    model_config = example(PRODUCT)

    name: str | None = Field(description="Null for all baskets of several products.")
    ready: int
    brewing_seconds: SpreadOut | None


class HourOut(BaseModel):
    """How many orders were placed in one hour."""

    model_config = example(HOUR)

    start: datetime
    orders: int


class DayOut(BaseModel):
    """The figures of the orders that were placed on one day, whenever they ended."""

    model_config = example(DAY)

    day: date
    orders: int
    ready: int = Field(description="All that became ready: the three below.")
    handed_over: int
    to_be_handed_over: int
    brewed_in_vain: int
    not_ready_yet: int
    cancelled: int
    cut_off: int
    abandoned: int
    wait_seconds: SpreadOut | None = Field(description="From the order until it was ready.")
    brewing_seconds: SpreadOut | None
    baristas: list[BaristaOut]
    products: list[ProductOut] = Field(description="At most 100, that brewed most is first.")
    hours: list[HourOut] = Field(description="From the first to the last with an order.")


def report_routes(ledger: LedgerView) -> APIRouter:
    """Return the route that managers use."""
    router = APIRouter(tags=["operation"], responses=BARISTAS_ONLY, route_class=PlainRoute)
    reader = DayReader(ledger)

    @router.get("/admin/report", response_model=DayOut, responses=NO_LEDGER)
    async def report(request: Request, _manager: Manager, day: WhichDay = None) -> Response:
        """Show the figures of a day: orders, waits, brewing times, baristas, products, hours.

        It counts the orders that were placed on that day, as they stand now.
        """
        wanted = reader.today() if day is None else parsed(day)
        figures = await unless_disconnected(request, partial(reader.read, hours_of(wanted)))
        return DISCONNECTED if figures is None else answer(as_data(wanted, figures))

    return router


def parsed(day: str) -> date:
    """Return a day; raises NoDay."""
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise NoDay from None


def hours_of(day: date) -> Hours:
    """Return the hours of a day; raises NoDay for one that is far from our time."""
    try:
        return Hours.of(day)
    except (ValueError, OverflowError, OSError):
        raise NoDay from None
