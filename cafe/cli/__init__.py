"""The command line: `cafe serve` runs the shop, the others play in it or look into its database.

Rule: nothing is imported before `main` runs, which knows what to do when it is interrupted; and no
command imports what only another one needs.
"""

from __future__ import annotations

import sys

from cafe.cli.streams import INTERRUPTED, open_missing_streams


def main() -> None:
    """Run the command line; whatever ends it is at most one line on stderr, and an exit code."""
    try:
        open_missing_streams()
        # Importing takes most of the start, during which Ctrl-C is no traceback either.
        from cafe.cli.commands import run_command  # noqa: PLC0415

        status = run_command(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)
