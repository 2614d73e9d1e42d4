"""The figures of a day, read page by page, are those that `cafe report` prints; and their route."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from pydantic import BaseModel
from sqlalchemy import NullPool, create_engine
from starlette.types import Scope

from cafe.http.app import create_app
from cafe.http.authentication import Caller, Role
from cafe.http.plain_routes import PlainRoutes
from cafe.ledger.database import Link, upgrade
from cafe.ledger.ledger import Ledger
from cafe.operations import manager_api
from cafe.operations.day_reader import DayReader, Place, read_page
from cafe.operations.figures import Day, Hours, as_data
from cafe.operations.manager_api import DayOut, report_routes
from cafe.orders.queries import read_histories
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.ledger.order_histories import (
    RowWriter,
    Tickets,
    abandon,
    basket,
    cancel,
    finish,
    hand_over,
    start,
)
from tests.cafe.orders.counter import open_ledger

EIGHT = 1_795_248_000.0
HOURS = Hours(EIGHT - 8 * 3600, EIGHT + 16 * 3600)


def write_a_day(writer: RowWriter) -> None:
    """Write a day's orders, several of which were placed at the same time, and one before it."""
    write, tickets = writer.write, Tickets()
    write(tickets.place(at=HOURS.since - 1))
    placed = [write(tickets.place(at=EIGHT + n // 3)) for n in range(8)]
    started = [write(start(one, at=EIGHT + 10, barista="Bo")) for one in placed[:5]]
    write(abandon(started[4], at=EIGHT + 11))
    for order in started[:3]:
        write(hand_over(write(finish(order, at=EIGHT + 40)), at=EIGHT + 41))
    write(cancel(placed[5], at=EIGHT + 50))
    write(tickets.place(at=EIGHT + 60, basket=basket()))
    write(tickets.publish(at=EIGHT + 61))
    write(tickets.place(at=HOURS.until))


@asynccontextmanager
async def day_ledger() -> AsyncGenerator[Ledger]:
    """Open a ledger in memory with the orders of a day."""
    store = FaultyStore()
    with Link.transaction(store.link, writing=True) as connection:
        write_a_day(RowWriter(connection))
    async with open_ledger(store) as ledger:
        yield ledger


@pytest.mark.parametrize("page", [1, 2, 3, 7, 500])
async def test_the_figures_are_the_same_however_many_orders_a_page_has(page: int) -> None:
    async with day_ledger() as ledger:
        figures = await DayReader(ledger, page).read(HOURS)
        whole = await ledger.read(lambda connection: read_histories(connection, *HOURS))
    assert figures == Day.of(whole, HOURS)
    assert (figures.orders, figures.ready, figures.cancelled) == (9, 3, 1)


def test_pages_follow_each_other_on_both_databases(durable_url: str) -> None:
    upgrade(durable_url)
    with create_engine(durable_url, poolclass=NullPool).connect() as connection:
        write_a_day(RowWriter(connection))
        first = read_page(connection, HOURS.until, Place(HOURS.since), 4)
        last = first[-1].order
        rest = read_page(connection, HOURS.until, Place(last.placed_at, last.number), 100)
        assert [*first, *rest] == read_histories(connection, *HOURS)


async def authenticate(_scope: Scope) -> Caller | None:
    return Caller(Role.MANAGER, "1", "ada")


@asynccontextmanager
async def visiting() -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a manager's client of an app with the report."""
    async with day_ledger() as ledger:
        app = create_app(
            [report_routes(ledger)],
            title="t",
            description="d",
            version="1",
            prefix="/api",
            authenticate=authenticate,
        )
        transport = httpx.ASGITransport(PlainRoutes(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as client:
            yield client


async def test_a_manager_sees_the_figures_of_a_day() -> None:
    day = datetime.fromtimestamp(EIGHT, UTC).astimezone().date()
    async with visiting() as client, day_ledger() as ledger:
        shown = await client.get("/admin/report", params={"day": day.isoformat()})
        figures = await DayReader(ledger).read(Hours.of(day))
    assert shown.status_code == 200
    assert shown.json() == as_data(day, figures)
    assert DayOut.model_validate(shown.json()).orders == figures.orders > 0


async def test_without_a_day_it_is_today_and_an_empty_one_has_no_figures() -> None:
    async with visiting() as client:
        today = (await client.get("/admin/report")).json()
        empty = (await client.get("/admin/report?day=2001-02-03")).json()
    assert abs(date.fromisoformat(today["day"]) - datetime.now(UTC).date()) <= timedelta(days=1)
    assert (empty["orders"], empty["wait_seconds"], empty["products"]) == (0, None, [])


@pytest.mark.parametrize(
    "day",
    [
        "",
        "today",
        "20261121",
        "2026-02-30",
        "0001-01-01",
        "9999-12-31",
        "1795219200",
        "2026-11-2\u0661",
    ],
)
async def test_what_is_no_day_is_refused(day: str) -> None:
    async with visiting() as client:
        refused = await client.get("/admin/report", params={"day": day})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["query", "day"]


MODELS = [
    one
    for one in vars(manager_api).values()
    if isinstance(one, type)
    and issubclass(one, BaseModel)
    and one.__module__ == manager_api.__name__
]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_an_example_that_is_valid(model: type[BaseModel]) -> None:
    (example,) = model.model_json_schema()["examples"]
    assert model.model_validate(example).model_dump(mode="json") == example
