"""`cafe notifications`: what was not delivered, and to have it attempted again.

Rule: each command is a request of a manager, to the shop that runs or to the house opened here. The
house opened here sends nothing: what is retried there is sent when the shop starts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cafe.cli.managing import CommandRefusedError, DatabaseUrl, ShopUrl, answer_of, managed
from cafe.operations.printable import printable

notifications = typer.Typer(
    help="List notifications, and have them attempted again.", no_args_is_help=True
)

SET_ASIDE = "set_aside"
MOST_AT_ONCE = 500
COLUMNS = ("id", "order", "no.", "status", "state", "attempts", "last outcome", "next attempt")
Shown = dict[str, Any]


@notifications.command("list")
def list_notifications(
    *,
    order: Annotated[
        str | None,
        typer.Option(help="Only those of the order with this id.", show_default=False),
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
        async for one in all_notifications(client, query_of(order, set_aside=set_aside)):
            found.append(one)
            if len(found) > most:
                break
        return found

    found = managed(work, database_url=database_url, url=url)
    if not found:
        print("There are none.")
        return
    Console(highlight=False).print(table_of(found[:most]))
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
        async for one in all_notifications(client, query_of(None, set_aside=True)):
            response = await client.post(retry_path(one["event_id"]))
            if response.status_code != HTTPStatus.CONFLICT:  # else it was retried meanwhile
                answer_of(response)
                number += 1
        return number

    number = managed(work, database_url=database_url, url=url)
    print(f"{number:,} {'is' if number == 1 else 'are'} attempted again.")


def query_of(order_id: str | None, *, set_aside: bool) -> dict[str, str]:
    """Return the query of the first page."""
    query = {"limit": str(MOST_AT_ONCE)}
    if order_id is not None:
        query["order_id"] = order_id
    if set_aside:
        query["state"] = SET_ASIDE
    return query


def retry_path(event_id: str) -> str:
    """Return the path that retries a notification."""
    return f"/admin/notifications/{quote(event_id, safe='')}/retry"


async def all_notifications(
    client: httpx.AsyncClient, query: dict[str, str]
) -> AsyncIterator[Shown]:
    """Yield notifications, page after page."""
    response = await client.get("/admin/notifications", params=query)
    while True:
        for one in answer_of(response)["notifications"]:
            yield one
        page: str | None = response.links.get("next", {}).get("url")
        if page is None:
            return
        response = await client.get(page)


def table_of(found: list[Shown]) -> Table:
    """Return a table of notifications; all texts are escaped."""
    table = Table(*COLUMNS, box=SIMPLE)
    for one in found:
        attempts = one["attempts"]
        cells = (
            one["event_id"],
            one["number"],
            one["sequence"],
            one["status"],
            one["state"],
            attempts[-1]["number"] if attempts else 0,
            attempts[-1]["outcome"] if attempts else "",
            one["due_at"] or "",
        )
        table.add_row(*(Text(printable(str(cell))) for cell in cells))
    return table
