"""The command line's entry point, with the handlers of Ctrl-C and SIGTERM.

Rule: nothing is imported before `main` runs, and handlers come before the imports, which take most
of a start. As process 1 of a container, a signal that has no handler is lost: the kernel ignores
the default actions there. While there is nothing to clean up, as during the imports, a signal ends
the process at once: a KeyboardInterrupt could be raised in a callback of the garbage collector or
of the import system, where Python prints a traceback, drops it and goes on. If a signal is ignored,
as SIGINT is in a background job, it stays ignored.
"""

from __future__ import annotations

import os
import signal
import sys

BY_SIGNAL = 128
"""Plus a signal's number: the exit code that a shell reports for a process that it ended."""
INTERRUPTED = BY_SIGNAL + signal.SIGINT


def main() -> None:
    """Run the command line; print at most one line on stderr, and end with an exit code."""
    try:
        exit_on_termination(serves=sys.argv[1:2] in (["serve"], ["house"], ["front"]))
        exit_on_interrupt()
        from cafe.cli.streams import open_missing_streams  # noqa: PLC0415

        open_missing_streams()
        if sys.argv[1:] == ["health"]:  # run every few seconds beside a shop: without typer
            from cafe.cli.health import health  # noqa: PLC0415

            sys.exit(health())
        # Importing takes most of the start.
        from cafe.cli.commands import app_for, run  # noqa: PLC0415

        app = app_for(sys.argv[1:])
        raise_on_interrupt()
        status = run(app, sys.argv[1:])
        exit_on_interrupt()  # during Python's own cleanup it would print a traceback
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        if not is_interrupt(error):
            raise
        exit_on_interrupt()
        status = INTERRUPTED
    sys.exit(status)


def exit_on_termination(*, serves: bool) -> None:
    """Let SIGTERM end the process at once.

    With exit code 0 if it `serves`: a shop that is not open yet, or no longer, has nothing to clean
    up. While it is open it handles the signal itself.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit_well if serves else exit_at_once)


def exit_on_interrupt() -> None:
    """Let Ctrl-C end the process at once, with exit code INTERRUPTED."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, exit_at_once)


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is exit_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def is_interrupt(error: BaseException) -> bool:
    """Return whether Ctrl-C raised this error; a nursery wraps it in a group."""
    from typing import cast  # noqa: PLC0415 - nothing is imported before `main` runs

    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)  # isinstance cannot tell of what
        return group.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)


def exit_at_once(signum: int, _frame: object) -> None:
    """End the process, with the exit code that a shell reports for this signal."""
    os._exit(BY_SIGNAL + signum)


def _exit_well(_signum: int, _frame: object) -> None:
    os._exit(0)
