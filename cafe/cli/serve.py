"""`cafe serve`, `house` and `front`: an option for each setting; `opening.py` does the rest.

Rule: the options are made from the fields of Settings. Nothing else of the shop is imported for
help and completion.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from inspect import Parameter, Signature
from typing import Annotated, Final, Literal

import typer

from cafe.cli import exit_on_interrupt, raise_on_interrupt
from cafe.cli.imports import hidden
from cafe.cli.options import WRONG_SETTING
from cafe.cli.plain_help import kind_of
from cafe.cli.streams import print_error
from cafe.settings import Settings, default_of, option_name
from cafe.variables import variable_of

NOT_IMPORTED: Final = ("rich", "pygments", "cryptography")
"""Packages that libraries import if they are installed, and that a server never uses.

structlog imports rich, which imports pygments; so does alembic. They would take 7 MiB. PyJWT
imports cryptography for signatures of other kinds than ours: as much again.
"""


def serve(**options: str | None) -> None:
    """Open the shop: customers on one port, baristas on the other.

    Each option is also a variable, as in CAFE_LEASE_SECONDS; the option goes first. SIGTERM or
    Ctrl-C shuts the shop down in good order, a second one at once.
    """
    with opening():
        from cafe.cli.opening import open_shop  # noqa: PLC0415 - not for help

        status = open_shop(options)
    exit_with(status)


def house(**options: str | None) -> None:
    """Own a shop for fronts on other machines, or stand by until its owner ends.

    It keeps the ledger in PostgreSQL and answers fronts over Redis; a port of its own has health
    and metrics only. Each option is also a variable; the option goes first. SIGTERM or Ctrl-C gives
    the shop to the next house.
    """
    with opening():
        from cafe.cli.opening import open_shop  # noqa: PLC0415 - not for help
        from cafe.shop.house import run_house  # noqa: PLC0415

        status = open_shop(options, run=run_house)
    exit_with(status)


def front(*, client_only: bool = False, worker_only: bool = False, **options: str | None) -> None:
    """Serve a shop that a house on another machine owns: both ports, or one of them.

    It needs no database. Each option is also a variable; the option goes first. SIGTERM or Ctrl-C
    shuts it down in good order, a second one at once.
    """
    if client_only and worker_only:
        print_error("cafe: --client-only and --worker-only exclude each other: give one of them")
        raise typer.Exit(WRONG_SETTING)
    only: Literal["client", "worker"] | None = (
        "client" if client_only else "worker" if worker_only else None
    )
    with opening():
        from cafe.cli.opening import open_shop  # noqa: PLC0415 - not for help
        from cafe.shop.front import run_front  # noqa: PLC0415

        status = open_shop(options, run=partial(run_front, only=only))
    exit_with(status)


@contextmanager
def opening() -> Generator[None]:
    """Let Ctrl-C end the process at once until the shop handles it, and hide NOT_IMPORTED."""
    # Until the shop handles signals itself there is nothing to clean up.
    exit_on_interrupt()
    try:
        with hidden(NOT_IMPORTED):
            yield
    finally:
        raise_on_interrupt()


def exit_with(status: int) -> None:
    """Raise typer's Exit for a status that is not 0."""
    if status:
        raise typer.Exit(status)


def options_of_settings() -> Signature:
    """Return a signature with one option per setting, which is parsed like its variable."""
    return Signature(
        [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[
                    str | None,
                    typer.Option(
                        option_name(name),
                        help=help_text(name),
                        show_default=False,
                        metavar=kind_of(Settings.model_fields[name].annotation),
                    ),
                ],
            )
            for name in Settings.model_fields
        ]
    )


def help_text(name: str) -> str:
    """Return the help of a setting: its description, its variable and its default."""
    default = f", default {value}" if (value := default_of(name)) else ""
    return f"{Settings.model_fields[name].description} ({variable_of(name)}{default})"


def with_options(command: Callable[..., None], *first: Parameter) -> None:
    """Set the options of a command: `first`, and one for each setting."""
    signature = options_of_settings()
    parameters = [*first, *signature.parameters.values()]
    # typer reads a command's parameters from its signature and its annotations.
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}


def flag(name: str, help_text: str) -> Parameter:
    """Return the option of a flag."""
    option = typer.Option(f"--{name.replace('_', '-')}", help=help_text, show_default=False)
    annotation = Annotated[bool, option]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=annotation)


with_options(serve)
with_options(house)
with_options(
    front,
    flag("client_only", "Serve the customers' port only."),
    flag("worker_only", "Serve the baristas' port only."),
)
