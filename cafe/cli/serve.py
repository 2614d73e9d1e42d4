"""`cafe serve`: read the settings, run the shop, tell in one line what is wrong.

Rule: the options are made of the settings' fields, so that neither can miss one of the other's.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import suppress
from inspect import Parameter, Signature
from typing import Annotated, cast

import structlog
import trio
import typer
from pydantic import SecretStr

from actors import RestartLimitExceeded
from cafe.cli.interrupts import leave_at_once, raise_interrupts
from cafe.cli.streams import flush_output, forget_output, say
from cafe.ledger.errors import LedgerError
from cafe.operations.logs import set_up_logs
from cafe.printable import printable
from cafe.server.config import ConfigError
from cafe.settings import (
    PREFIX,
    Settings,
    SettingsError,
    option_name,
    read_settings,
    unknown_variables,
)
from cafe.shop.shop import run_shop

CRASHED = 1
WRONG_SETTING = 2


def serve(**options: str | None) -> None:
    """Open the shop: customers on one port, baristas on the other.

    Each option is also a variable, as in CAFE_LEASE_SECONDS; the option goes first. SIGTERM or
    Ctrl-C closes the shop in good order, a second one at once.
    """
    # Until the shop listens for signals there is nothing that would have to be closed.
    leave_at_once()
    try:
        status = open_shop(options)
    finally:
        raise_interrupts()
    if status:
        raise typer.Exit(status)


def open_shop(options: Mapping[str, str | None]) -> int:
    """Run the shop to its end, and give the exit code."""
    wrong: list[Exception] = []
    crashed: list[Exception] = []
    try:
        settings = read_settings(options)
        instruments = set_up_logs(settings.log_format)
        for sentence in unknown_variables():
            say(f"cafe: warning: {sentence}")
        look_for_garbage_seldom()
        trio.run(run_shop, settings, announce, instruments=instruments)
    except* (SettingsError, ConfigError, LedgerError) as group:
        wrong = leaves(group)
    except* RestartLimitExceeded as group:
        crashed = leaves(group)
    forget_output()  # the log has the addresses
    for error in wrong:
        say(f"cafe: {error}")
    for error in crashed:
        structlog.get_logger("shop").error("crashed", exc_info=error)
    return WRONG_SETTING if wrong else CRASHED if crashed else 0


def look_for_garbage_seldom() -> None:
    """Let the collector of cycles leave alone what it would look through again and again.

    What has been imported lives as long as the process. A waiting customer is some hundreds of
    objects; he outlives many collections, and goes by reference count when he has his coffee. With
    200 of them Python's own thresholds cost a seventh of the processor.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def announce(line: str) -> None:
    """Print one of the shop's addresses, at once, for people and for the program that started us.

    A device that is full does not stop the shop: the log has the address then.
    """
    with suppress(OSError):
        print(printable(line))
    if (error := flush_output()) is not None:
        structlog.get_logger("shop").warning(
            "address not printed", line=line, reason=error.strerror
        )


def leaves(error: Exception) -> list[Exception]:
    """Give the exceptions that a group is made of, however deep; of another one, itself."""
    if not isinstance(error, ExceptionGroup):
        return [error]
    group = cast("ExceptionGroup[Exception]", error)  # isinstance cannot tell of what
    return [leaf for inner in group.exceptions for leaf in leaves(inner)]


def options_of_settings() -> Signature:
    """Make one option of each setting; its value is read by the settings, like a variable's."""
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
                        metavar="TEXT",
                    ),
                ],
            )
            for name in Settings.model_fields
        ]
    )


def help_text(name: str) -> str:
    """Say what a setting is, its variable and its default."""
    field = Settings.model_fields[name]
    value: object = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()  # a default is no secret
    default = "" if value in {None, ""} else f", default {value}"
    return f"{field.description} ({PREFIX}{name.upper()}{default})"


# typer reads a command's parameters from its signature and its annotations.
serve.__signature__ = options_of_settings()  # type: ignore[attr-defined] # functions have one
serve.__annotations__ = {
    name: parameter.annotation for name, parameter in options_of_settings().parameters.items()
}
