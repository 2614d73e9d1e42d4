"""`cafe mail`: the letters to guests, the text of one, and to have it attempted again.

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
from cafe.letters.letter import State
from cafe.operations.printable import printable

mail = typer.Typer(
    help="List letters, show them, and have them attempted again.", no_args_is_help=True
)

MOST_ON_PAGE = 500
WIDTH = 160
"""Of the table where it is not printed on a terminal."""
COLUMNS = ("id", "letter", "to", "written", "state", "attempts", "last outcome", "next attempt")
Shown = dict[str, Any]


LetterId = Annotated[str, typer.Argument(metavar="ID", help="As listed.", show_default=False)]


@mail.command("list")
def list_letters(
    *,
    booking: Annotated[
        str | None,
        typer.Option(help="Only those of the booking with this id.", show_default=False),
    ] = None,
    state: Annotated[
        State | None, typer.Option(help="Only those in this state.", show_default=False)
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="How many, at most.")] = 100,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """List letters, the newest first."""

    async def work(client: httpx.AsyncClient) -> list[Shown]:
        found: list[Shown] = []
        page: httpx.Response | None = await first_page(client, booking, state)
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


@mail.command()
def show(letter_id: LetterId, *, database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """Show a letter: where it stands, each attempt to send it, and its text."""

    async def work(client: httpx.AsyncClient) -> Shown:
        shown: Shown = answer_of(await client.get(path_of(letter_id)))
        return shown

    shown = managed(work, database_url=database_url, url=url)
    for line in lines_of(shown):
        print(printable(line))


@mail.command()
def retry(
    letter_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="As listed.", show_default=False)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that are set aside.")] = False,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """Attempt a letter at once, and again for a day if that fails."""
    if (letter_id is None) is not every:
        raise CommandRefusedError("Name one letter, or give --all.")

    async def work(client: httpx.AsyncClient) -> int:
        if letter_id is not None:
            answer_of(await client.post(f"{path_of(letter_id)}/retry"))
            return 1
        number = 0
        page: httpx.Response | None = await first_page(client, None, State.SET_ASIDE)
        while page is not None:
            for one in shown_on(page):
                response = await client.post(f"{path_of(one['letter_id'])}/retry")
                if response.status_code != HTTPStatus.CONFLICT:  # else it was retried meanwhile
                    answer_of(response)
                    number += 1
            page = await page_after(client, page)
        return number

    number = managed(work, database_url=database_url, url=url)
    print(f"{number:,} {'is' if number == 1 else 'are'} attempted again.")


def path_of(letter_id: str) -> str:
    """Return the path of a letter."""
    return f"/admin/letters/{quote(letter_id, safe='')}"


async def first_page(
    client: httpx.AsyncClient, booking_id: str | None, state: State | None
) -> httpx.Response:
    """Return the first page of letters."""
    query = {"limit": str(MOST_ON_PAGE)}
    if booking_id is not None:
        query["booking_id"] = booking_id
    if state is not None:
        query["state"] = state.value
    return await client.get("/admin/letters", params=query)


def shown_on(page: httpx.Response) -> list[Shown]:
    """Return the letters of a page."""
    found: list[Shown] = answer_of(page)["letters"]
    return found


def table_of(found: list[Shown]) -> Table:
    """Return a table of letters; all texts are escaped."""
    table = Table(box=SIMPLE)
    for column in COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for one in found:
        attempts = one["attempts"]
        cells = (
            one["letter_id"],
            one["kind"],
            one["address"],
            one["created_at"],
            one["state"],
            attempts[-1]["number"] if attempts else 0,
            attempts[-1]["outcome"] if attempts else "",
            one["due_at"] or "",
        )
        table.add_row(*(Text(printable(str(cell))) for cell in cells))
    return table


def lines_of(shown: Shown) -> list[str]:
    """Return what is printed of a letter."""
    heads = {
        "To": shown["address"],
        "Subject": shown["subject"],
        "Message-ID": shown["message_id"],
        "Booking": shown["booking_id"],
        "State": shown["state"],
        "Next attempt": shown["due_at"] or "none",
    }
    attempts = [
        f"Attempt {one['number']}: {one['at']} {one['outcome']} {one['said'] or ''}".rstrip()
        for one in shown["attempts"]
    ]
    return [*(f"{name}: {value}" for name, value in heads.items()), *attempts, "", *_text(shown)]


def _text(shown: Shown) -> list[str]:
    text: str = shown["text"]
    return text.splitlines()
