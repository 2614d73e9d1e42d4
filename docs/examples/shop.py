"""The café with music in it; takes the options of `cafe serve`.

Rule: as in `cafe/shop/departments.py`, what one department needs of another is passed in here.
"""

from __future__ import annotations

from cafe.cli import exit_on_interrupt, exit_on_termination

if __name__ == "__main__":
    # Signals end it and print nothing, as in `cafe`: importing the rest takes most of the start.
    exit_on_termination(serves=True)
    exit_on_interrupt()

import sys
from functools import wraps
from typing import Final

import typer

from cafe.cli.commands import run
from cafe.cli.opening import open_shop
from cafe.cli.serve import serve
from cafe.offer import Front, House, Offer
from cafe.orders.department import OrdersOffer
from cafe.shop.departments import (
    DEPARTMENTS,
    Departments,
    open_departments,
    reach_departments,
)
from docs.examples.music.department import open_music, reach_music


async def open_extended(house: House) -> tuple[Offer, ...]:
    """Open the departments of the house, and then music, which asks the Dispatcher."""
    offers = await open_departments(house)
    [orders] = [offer for offer in offers if isinstance(offer, OrdersOffer)]
    music = await open_music(house, dispatcher=orders.dispatcher)
    return *offers, music


async def reach_extended(front: Front) -> tuple[Offer, ...]:
    """Offer all of them at a front, whose routes ask the house."""
    return *await reach_departments(front), reach_music(front)


EXTENDED: Final = Departments(DEPARTMENTS, open_extended, reach_extended)
HELP: Final = """Open the café with one more department in it, music.

Signals and options are those of `cafe serve`."""


@wraps(serve)  # with its options
def serve_extended(**options: str | None) -> None:
    """Run the shop until it has shut down."""
    if status := open_shop(options, EXTENDED):
        raise typer.Exit(status)


def main() -> None:
    """Run the command line."""
    app = typer.Typer()
    app.command(help=HELP)(serve_extended)
    sys.exit(run(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
