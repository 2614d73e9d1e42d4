"""The command line: `cafe serve` runs the shop, the others play in it or look into its database.

Rule: nothing is imported before `main` runs, which knows what to do when it is interrupted; and no
command imports what only another one needs.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; whatever ends it is at most one line on stderr, and an exit code."""
    try:
        from cafe.cli.interrupts import leave_at_once, raise_interrupts  # noqa: PLC0415

        leave_at_once()
        from cafe.cli.streams import open_missing_streams  # noqa: PLC0415

        open_missing_streams()
        # Importing takes most of the start.
        from cafe.cli.commands import app_for  # noqa: PLC0415
        from cafe.cli.run import run  # noqa: PLC0415

        app = app_for(sys.argv[1:])
        raise_interrupts()
        status = run(app, sys.argv[1:])
        leave_at_once()  # Python would complain as it cleans up
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        if not is_interrupt(error):
            raise
        from cafe.cli.interrupts import INTERRUPTED, leave_at_once  # noqa: PLC0415

        leave_at_once()
        status = INTERRUPTED
    sys.exit(status)


def is_interrupt(error: BaseException) -> bool:
    """Tell whether Ctrl-C is why a program ends; a nursery gives it as one of a group."""
    from typing import cast  # noqa: PLC0415 - as above

    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)  # isinstance cannot tell of what
        return group.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)
