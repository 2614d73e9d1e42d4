"""Runs a command line, so that every expected failure is one line on stderr and an exit code.

Rule: no traceback and no box of help for a wrong input; the line says what is wrong. So it is for
output that cannot be written, to a full device; of a reader that has gone, as `head` does, nothing
is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.exceptions import TyperException

from cafe.cli.streams import NOT_WRITTEN, flush_output, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer


def run(app: typer.Typer, args: Sequence[str] | None = None) -> int:
    """Run `app` and return its exit code: 2 for wrong usage, or that of the error raised."""
    try:
        status = _run(app, args)
    except OSError:
        if (error := flush_output()) is None:
            raise  # it was another file
        status = 0
    else:
        error = flush_output()
    if error is None:
        return status
    if not isinstance(error, BrokenPipeError):
        say(f"cafe: Standard output cannot be written: {error.strerror}.")
    return status or NOT_WRITTEN


def _run(app: typer.Typer, args: Sequence[str] | None) -> int:
    try:
        # typer hands back the code of a raised Exit, or what the command returned: None.
        code: object = app(args, standalone_mode=False)
    except TyperException as error:
        # Empty when `cafe` alone has already printed its help.
        if line := " ".join(error.format_message().split()):
            say(f"cafe: {line}")
        return error.exit_code
    return code if isinstance(code, int) else 0
