"""The late imports of a command: when it runs, since its help and completion need none of them.

Rule: modules that a command's help needs are imported at the top of its module, all others in an
`importing` block of its function.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from cafe.cli import exit_on_interrupt, raise_on_interrupt


@contextmanager
def importing(*, without: Sequence[str] = ()) -> Generator[None]:
    """Let Ctrl-C end the process at once in the block, as while `main` imports.

    In the block, packages in `without` look as if they were not installed.
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
