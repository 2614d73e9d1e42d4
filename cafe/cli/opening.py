"""Runs `cafe serve`, `house` and `front`: reads the settings, runs the shop, reports errors.

Rule: the log's form is always that of the settings, and an expected error is one line without a
traceback.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Literal, cast, get_args

import structlog
import trio

from actors import RestartLimitExceeded
from cafe.cli.options import WRONG_SETTING
from cafe.cli.streams import flush_output, ignore_output_error, print_error
from cafe.ledger.errors import LedgerError
from cafe.operations.logs import (
    Format,
    LogWriter,
    all_else_logged,
    is_json,
    json_line,
    set_up_logs,
)
from cafe.operations.printable import printable
from cafe.server.config import ConfigError
from cafe.settings import Settings, SettingsError, read_settings, unknown_variables
from cafe.shop.departments import OURS, Departments
from cafe.shop.shop import run_shop
from cafe.variables import variables

CRASHED = 1


Run = Callable[[Settings, Callable[[str], None], Departments], Awaitable[None]]
"""Runs one kind of process until it has shut down; its second argument announces addresses."""


def open_shop(
    options: Mapping[str, str | None], departments: Departments = OURS, run: Run = run_shop
) -> int:
    """Run the shop, or a part of it, until it has shut down; return the exit code."""
    log_format = log_format_of(options)
    instruments = set_up_logs(log_format)
    with all_else_logged() if is_json(log_format) else nullcontext():
        return _open_shop(options, departments, run, log_format, instruments)


def _open_shop(
    options: Mapping[str, str | None],
    departments: Departments,
    run: Run,
    log_format: Format,
    instruments: Sequence[LogWriter],
) -> int:
    wrong: list[Exception] = []
    crashed: list[Exception] = []
    try:
        settings = read_settings(options)
        for sentence in unknown_variables():
            say(log_format, "warning", sentence)
        collect_garbage_less_often()
        announced = announce_as_json if log_format == "json" else announce
        trio.run(run, settings, announced, departments, instruments=instruments)
    except* (SettingsError, ConfigError, LedgerError) as group:
        wrong = leaves(group)
    except* RestartLimitExceeded as group:
        crashed = leaves(group)
    ignore_output_error()  # the log has the addresses
    for error in wrong:
        say(log_format, "error", str(error))
    for error in crashed:
        structlog.get_logger("shop").error("crashed", exc_info=error)
    return WRONG_SETTING if wrong else CRASHED if crashed else 0


def log_format_of(options: Mapping[str, str | None]) -> Format:
    """Return the form of the log, even if another setting is wrong; console if this one is."""
    text = options.get("log_format") or variables(["log_format"]).get("log_format", "auto")
    return next((one for one in get_args(Format) if one == text), "console")


def say(log_format: Format, level: Literal["warning", "error"], sentence: str) -> None:
    """Write a sentence about the settings or the end on stderr, in the form of the log."""
    if not is_json(log_format):
        print_error(f"cafe: {'warning: ' if level == 'warning' else ''}{sentence}")
        return
    log, detail = structlog.get_logger("shop"), printable(sentence)
    if level == "warning":
        log.warning("setting", detail=detail)
    else:
        log.error("not served", detail=detail)


def collect_garbage_less_often() -> None:
    """Exclude imported objects from garbage collection, and raise the collector's thresholds.

    Imported objects live as long as the process. A waiting customer is some hundreds of objects,
    which survive many collections, and are freed by their reference counts when the coffee is
    ready. With 200 customers Python's default thresholds cost a seventh of the CPU.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def announce(line: str) -> None:
    """Print one of the shop's addresses and flush it, for people and for a parent process.

    If it cannot be written, as on a full device, the address is logged, and the shop goes on.
    """
    _print_line(line, printable(line))


def announce_as_json(line: str) -> None:
    """Announce as `announce` does, with a line of JSON, like all other lines of the process."""
    _print_line(line, json_line("open", detail=line))


def _print_line(line: str, shown: str) -> None:
    with suppress(OSError):
        print(shown)
    if (error := flush_output()) is not None:
        structlog.get_logger("shop").warning(
            "address not printed", line=line, reason=error.strerror
        )


def leaves(error: Exception) -> list[Exception]:
    """Return the exceptions in a group, however deep; for any other exception, that one."""
    if not isinstance(error, ExceptionGroup):
        return [error]
    group = cast("ExceptionGroup[Exception]", error)  # isinstance cannot tell of what
    return [leaf for inner in group.exceptions for leaf in leaves(inner)]
