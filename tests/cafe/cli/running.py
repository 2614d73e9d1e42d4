"""A command line, run in this process."""

from __future__ import annotations

from collections.abc import Sequence

from cafe.cli.commands import app_for, run


def run_command(args: Sequence[str]) -> int:
    """Run a command line as `cafe` does; return its exit code."""
    return run(app_for(args), args)
