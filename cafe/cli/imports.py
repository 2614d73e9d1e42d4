"""How a command imports what it needs: when it runs, since its help and a TAB need none of it.

Rule: what a command's help needs is imported at the top of its module, all else in an `importing`
block of its function.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from cafe.cli import exit_on_interrupt, raise_on_interrupt


@contextmanager
def importing(*, without: Sequence[str] = ()) -> Generator[None]:
    """Let Ctrl-C end the process at once in the block, as while `main` imports.

    Packages in `without` look in it as if they were not installed.
    """
    exit_on_interrupt()
    try:
        with hidden(without):
            yield
    finally:
        raise_on_interrupt()


@contextmanager
def hidden(packages: Sequence[str]) -> Generator[None]:
    """Make packages that are not imported yet look as if they were not installed, in the block."""
    absent = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None is documented
    try:
        yield
    finally:
        for package in absent:
            del sys.modules[package]
