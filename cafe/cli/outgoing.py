"""The common part of `cafe mail` and `cafe notifications`: list items, and retry them.

Rule: each command is a request of a manager, to the running shop or to the house opened here. The
house opened here sends nothing: items that are retried there are sent when the shop starts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from cafe.cli.imports import importing
from cafe.cli.managing import CommandRefusedError, answer_of, managed, page_after
from cafe.operations.printable import printable

if TYPE_CHECKING:
    import httpx

SET_ASIDE: Final = {"state": "set_aside"}
MOST_ON_PAGE: Final = 500
WIDTH: Final = 160
"""The width of the table if it is not printed on a terminal."""
Shown = dict[str, Any]
"""One letter or notification, in the JSON of the shop."""
Most = Annotated[int, typer.Option(min=1, help="How many, at most.")]
RetriedId = Annotated[
    str | None, typer.Argument(metavar="ID", help="As listed.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Letters or notifications: their routes, and their columns in a table."""

    name: str
    """The singular; the routes have its plural."""
    key: str
    """The member that is the id."""
    columns: tuple[str, ...]
    """The titles of the columns between the id and the state."""
    cells: Callable[[Shown], tuple[object, ...]]
    """Returns the cells of these columns."""

    def path_of(self, one_id: str) -> str:
        """Return the path of one item."""
        return f"/admin/{self.name}s/{quote(one_id, safe='')}"

    def print_list(
        self, query: Mapping[str, str | None], most: int, database_url: str | None, url: str | None
    ) -> None:
        """Print a table of at most `most` items, the newest first."""

        async def work(client: httpx.AsyncClient) -> list[Shown]:
            found: list[Shown] = []
            page: httpx.Response | None = await self._first_page(client, query)
            while page is not None and len(found) <= most:
                found += self._shown_on(page)
                page = await page_after(client, page)
            return found

        found = managed(work, database_url=database_url, url=url)
        if not found:
            print("There are none.")
            return
        self._print_table(found[:most])
        if len(found) > most:
            print("There are more: --most shows them.")

    def retry(
        self, one_id: str | None, database_url: str | None, url: str | None, *, every: bool
    ) -> None:
        """Retry one item, or with `every` all that are set aside; print how many."""
        if (one_id is None) is not every:
            raise CommandRefusedError(f"Name one {self.name}, or give --all.")

        async def work(client: httpx.AsyncClient) -> int:
            if one_id is not None:
                answer_of(await client.post(f"{self.path_of(one_id)}/retry"))
                return 1
            number = 0
            page: httpx.Response | None = await self._first_page(client, SET_ASIDE)
            while page is not None:
                for one in self._shown_on(page):
                    response = await client.post(f"{self.path_of(one[self.key])}/retry")
                    if response.status_code != HTTPStatus.CONFLICT:  # else it was retried meanwhile
                        answer_of(response)
                        number += 1
                page = await page_after(client, page)
            return number

        number = managed(work, database_url=database_url, url=url)
        print(f"{number:,} {'is' if number == 1 else 'are'} attempted again.")

    async def _first_page(
        self, client: httpx.AsyncClient, query: Mapping[str, str | None]
    ) -> httpx.Response:
        given = {name: value for name, value in query.items() if value is not None}
        params = {"limit": str(MOST_ON_PAGE), **given}
        return await client.get(f"/admin/{self.name}s", params=params)

    def _shown_on(self, page: httpx.Response) -> list[Shown]:
        shown: list[Shown] = answer_of(page)[f"{self.name}s"]
        return shown

    def _print_table(self, found: list[Shown]) -> None:
        """Print a table; all texts are escaped."""
        with importing():
            from rich.box import SIMPLE  # noqa: PLC0415 - not for help
            from rich.console import Console  # noqa: PLC0415
            from rich.table import Table  # noqa: PLC0415
            from rich.text import Text  # noqa: PLC0415

        table = Table(box=SIMPLE)
        for column in ("id", *self.columns, "state", "attempts", "last outcome", "next attempt"):
            table.add_column(column, overflow="fold", no_wrap=column == "id")
        for one in found:
            table.add_row(*(Text(printable(str(cell))) for cell in self._row_of(one)))
        width = None if sys.stdout.isatty() else WIDTH
        Console(highlight=False, width=width).print(table)

    def _row_of(self, one: Shown) -> tuple[object, ...]:
        attempts = one["attempts"]
        return (
            one[self.key],
            *self.cells(one),
            one["state"],
            attempts[-1]["number"] if attempts else 0,
            attempts[-1]["outcome"] if attempts else "",
            one["due_at"] or "",
        )
