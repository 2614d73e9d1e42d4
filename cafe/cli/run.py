"""Runs a command line, so that every expected failure is one line on stderr and an exit code.

Rule: no traceback and no box of help for a wrong input; the line says what is wrong.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from typer.exceptions import TyperException

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer


def run(app: typer.Typer, args: Sequence[str] | None = None) -> int:
    """Run `app` and return its exit code: 2 for wrong usage, or that of the error raised."""
    try:
        # typer hands back the code of a raised Exit, or what the command returned: None.
        code: object = app(args, standalone_mode=False)
    except TyperException as error:
        # Empty when `cafe` alone has already printed its help.
        if line := " ".join(error.format_message().split()):
            print(f"cafe: {line}", file=sys.stderr)
        return error.exit_code
    return code if isinstance(code, int) else 0
