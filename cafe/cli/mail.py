"""`cafe mail`: lists letters to guests, shows one with its text, and retries them.

Rule: that of `outgoing.py`, which does what letters and notifications share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from cafe.cli.managing import answer_of, managed
from cafe.cli.options import DatabaseUrl, ShopUrl
from cafe.cli.outgoing import Most, Outgoing, RetriedId, Shown
from cafe.letters.letter import State
from cafe.operations.printable import printable

if TYPE_CHECKING:
    import httpx

mail = typer.Typer(
    help="List letters, show them, and have them attempted again.", no_args_is_help=True
)


def _cells(one: Shown) -> tuple[object, ...]:
    return one["kind"], one["address"], one["created_at"]


LETTERS: Final = Outgoing("letter", "letter_id", ("letter", "to", "written"), _cells)
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
    most: Most = 100,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """List letters, the newest first."""
    query = {"booking_id": booking, "state": None if state is None else state.value}
    LETTERS.print_list(query, most, database_url, url)


@mail.command()
def show(letter_id: LetterId, *, database_url: DatabaseUrl = None, url: ShopUrl = None) -> None:
    """Show a letter: where it stands, each attempt to send it, and its text."""

    async def work(client: httpx.AsyncClient) -> Shown:
        shown: Shown = answer_of(await client.get(LETTERS.path_of(letter_id)))
        return shown

    shown = managed(work, database_url=database_url, url=url)
    for line in lines_of(shown):
        print(printable(line))


@mail.command()
def retry(
    letter_id: RetriedId = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that are set aside.")] = False,
    database_url: DatabaseUrl = None,
    url: ShopUrl = None,
) -> None:
    """Attempt a letter at once, and again for a day if that fails."""
    LETTERS.retry(letter_id, database_url, url, every=every)


def lines_of(shown: Shown) -> list[str]:
    """Return the lines that are printed of a letter."""
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
