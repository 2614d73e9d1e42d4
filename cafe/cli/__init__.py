"""The command line: `cafe serve` runs the shop, the others play in it or look into its database."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from cafe.cli.baristas import baristas
from cafe.cli.customers import customers
from cafe.cli.db import db
from cafe.cli.report_day import report
from cafe.cli.run import run
from cafe.cli.rush import rush
from cafe.cli.serve import serve

app = typer.Typer(
    name="cafe",
    help="A coffee shop as a server: serve it, or play its customers and baristas in it.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # a setting may be a secret
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (serve, baristas, customers, rush, report):
    app.command()(command)
app.add_typer(db, name="db")


def print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    """Print the version and end."""
    if wanted:
        print(version("trio-cafe"))
        raise typer.Exit


@app.callback()
def options(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version)
    ] = False,
) -> None:
    """Serve the shop, or play its customers and baristas."""


def main() -> None:
    """Run the command line; a wrong input is one line on stderr and exit code 2."""
    sys.exit(run(app))
