"""`cafe serve`: its options, one for each setting; `opening.py` does the rest.

Rule: the options are made from the fields of Settings. Nothing else of the shop is imported for
them: help and a TAB do without.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Annotated, Final

import typer

from cafe.cli import exit_on_interrupt, raise_on_interrupt
from cafe.cli.imports import hidden
from cafe.cli.plain_help import kind_of
from cafe.settings import Settings, default_of, option_name
from cafe.variables import variable_of

NOT_IMPORTED: Final = ("rich", "pygments", "cryptography")
"""What libraries import if it is installed, and a server never uses.

structlog imports rich, which imports pygments; so does alembic. They would take 7 MiB. PyJWT
imports cryptography for signatures of other kinds than ours: as much again.
"""


def serve(**options: str | None) -> None:
    """Open the shop: customers on one port, baristas on the other.

    Each option is also a variable, as in CAFE_LEASE_SECONDS; the option goes first. SIGTERM or
    Ctrl-C shuts the shop down in good order, a second one at once.
    """
    # Until the shop handles signals itself there is nothing to clean up.
    exit_on_interrupt()
    try:
        with hidden(NOT_IMPORTED):
            from cafe.cli.opening import open_shop  # noqa: PLC0415 - not for help

        status = open_shop(options)
    finally:
        raise_on_interrupt()
    if status:
        raise typer.Exit(status)


def options_of_settings() -> Signature:
    """Return a signature with one option per setting; its text is parsed as a variable's is."""
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


# typer reads a command's parameters from its signature and its annotations.
serve.__signature__ = options_of_settings()  # type: ignore[attr-defined] # functions have one
serve.__annotations__ = {
    name: parameter.annotation for name, parameter in options_of_settings().parameters.items()
}
