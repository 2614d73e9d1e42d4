"""`cafe notifications`: what was not delivered, and to have it attempted again.

Rule: each command is a request of a manager, to the shop that runs or to the house opened here. The
house opened here sends nothing: what is retried there is sent when the shop starts.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cafe.cli.managing import (
    CommandRefusedError,
    DatabaseUrl,
    ShopUrl,
    answer_of,
    managed,
    page_after,
)
from cafe.operations.printable import printable

notifications = typer.Typer(
    help="List notifications, and have them attempted again.", no_args_is_help=True
)

SET_ASIDE = "set_aside"
MOST_ON_PAGE = 500
WIDTH = 160
"""Of the table where it is not printed on a terminal."""
COLUMNS = ("id", "about", "no.", "status", "state", "attempts", "last outcome", "next attempt")
Shown = dict[str, Any]


@notifications.command("list")
def list_notifications(
    *,
    order: Annotated[
        str | None,
        typer.Option(help="Only those of the order with this id.", show_default=False),
    ] = None,
    booking: Annotated[
        str | None,
        typer.Option(help="Only those of the booking with this id.", show_default=False),
    ] = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Only those whose attempts have all failed.")
    ] = False,
    most: Annotated[int, typer.Option(min=1, help="How many, at most.")] = 100,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """List notifications, the newest first."""

    async def work(client: httpx.AsyncClient) -> list[Shown]:
        found: list[Shown] = []
        page: httpx.Response | None = await first_page(
            client, order_id=order, booking_id=booking, set_aside=set_aside
        )
        while page is not None and len(found) <= most:
            found += shown_on(page)
            page = await page_after(client, page)
        return found

    found = managed(work, database_url=database_url, url=url)
    if not found:
        print("There are none.")
        return
    width = None if sys.stdout.isatty() else WIDTH
    Console(highlight=False, width=width).print(table_of(found[:most]))
    if len(found) > most:
        print("There are more: --most shows them.")


@notifications.command()
def retry(
    event_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="As listed.", show_default=False)
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All whose attempts have all failed.")
    ] = False,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """Attempt a notification at once, and again by the whole schedule if that fails."""
    if (event_id is None) is not every:
        raise CommandRefusedError("Name one notification, or give --all.")

    async def work(client: httpx.AsyncClient) -> int:
        if event_id is not None:
            answer_of(await client.post(retry_path(event_id)))
            return 1
        number = 0
        page: httpx.Response | None = await first_page(client, set_aside=True)
        while page is not None:
            for one in shown_on(page):
                response = await client.post(retry_path(one["event_id"]))
                if response.status_code != HTTPStatus.CONFLICT:  # else it was retried meanwhile
                    answer_of(response)
                    number += 1
            page = await page_after(client, page)
        return number

    number = managed(work, database_url=database_url, url=url)
    print(f"{number:,} {'is' if number == 1 else 'are'} attempted again.")


def retry_path(event_id: str) -> str:
    """Return the path that retries a notification."""
    return f"/admin/notifications/{quote(event_id, safe='')}/retry"


async def first_page(
    client: httpx.AsyncClient,
    *,
    order_id: str | None = None,
    booking_id: str | None = None,
    set_aside: bool,
) -> httpx.Response:
    """Return the first page of notifications."""
    query = {"limit": str(MOST_ON_PAGE)}
    if order_id is not None:
        query["order_id"] = order_id
    if booking_id is not None:
        query["booking_id"] = booking_id
    if set_aside:
        query["state"] = SET_ASIDE
    return await client.get("/admin/notifications", params=query)


def shown_on(page: httpx.Response) -> list[Shown]:
    """Return the notifications of a page."""
    found: list[Shown] = answer_of(page)["notifications"]
    return found


def table_of(found: list[Shown]) -> Table:
    """Return a table of notifications; all texts are escaped."""
    table = Table(box=SIMPLE)
    for column in COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for one in found:
        attempts = one["attempts"]
        cells = (
            one["event_id"],
            f"order {one['number']}" if one["topic"] == "order" else f"booking {one['booking_id']}",
            one["sequence"],
            one["status"],
            one["state"],
            attempts[-1]["number"] if attempts else 0,
            attempts[-1]["outcome"] if attempts else "",
            one["due_at"] or "",
        )
        table.add_row(*(Text(printable(str(cell))) for cell in cells))
    return table
