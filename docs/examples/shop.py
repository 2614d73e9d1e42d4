"""The café with the two example departments in it; takes the options of `cafe serve`.

Rule: as in `cafe/shop/departments.py`, what one department needs of another is passed in here. Its
database is a file of its own: `cafe serve` and `cafe db` do not know these departments.
"""

from __future__ import annotations

from cafe.cli import exit_on_interrupt

if __name__ == "__main__":
    # Ctrl-C prints nothing, as in `cafe`: importing the rest takes most of the start.
    exit_on_interrupt()

import sys
from functools import wraps
from typing import Final

import typer
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, inspect

from cafe.cli.commands import run
from cafe.cli.serve import open_shop, serve
from cafe.menu.department import MENU, open_menu
from cafe.offer import Offer
from cafe.orders.department import ORDERS, open_orders
from cafe.settings import variables
from cafe.shop.departments import Departments, House
from docs.examples.music.department import open_music
from docs.examples.tips.department import TIPS, open_tips
from docs.examples.tips.v0008_tips import upgrade


async def open_departments(house: House) -> tuple[Offer, ...]:
    """Open each department after those that it asks; return what they offer, in this order."""
    menu = await open_menu(start=house.start, ledger=house.ledger)
    orders = await open_orders(
        settings=house.settings,
        start=house.start,
        ledger=house.ledger,
        limiter=house.limiter,
        closing=house.closing,
        registry=house.registry,
        board=menu.board,
    )
    music = await open_music(start=house.start, dispatcher=orders.dispatcher, closing=house.closing)
    await house.ledger.prepare(make_tables)
    tips = await open_tips(start=house.start, ledger=house.ledger)
    return menu, orders, music, tips


def make_tables(connection: Connection) -> None:
    """Make the tables of tips, once: the migrations of the café do not know them."""
    if not inspect(connection).has_table(TIPS.tables[0].name):
        with Operations.context(MigrationContext.configure(connection)):
            upgrade()


EXTENDED: Final = Departments((MENU, ORDERS, TIPS), open_departments)
DATABASE: Final = "sqlite:///examples.db"
HELP: Final = f"""Open the café with two more departments in it, music and tips.

Signals and options are those of `cafe serve`. The database is {DATABASE}, not the café's, unless
--database-url or CAFE_DATABASE_URL names another."""


@wraps(serve)  # with its options
def serve_extended(**options: str | None) -> None:
    """Run the shop until it has shut down."""
    if "database_url" not in variables():
        options["database_url"] = options["database_url"] or DATABASE
    if status := open_shop(options, EXTENDED):
        raise typer.Exit(status)


def main() -> None:
    """Run the command line."""
    app = typer.Typer()
    app.command(help=HELP)(serve_extended)
    sys.exit(run(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
