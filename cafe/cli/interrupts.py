"""What Ctrl-C does: end the process at once, or raise KeyboardInterrupt as Python has it.

Rule: at once while there is nothing to tidy up, as during the imports. There KeyboardInterrupt may
be raised in a callback of the garbage collector's or of the import system's, where Python tells of
it in a traceback, drops it, and goes on. Where Ctrl-C is ignored, in a job in the background, it
stays so.

This is imported before all else, and so imports next to nothing.
"""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


def leave_at_once() -> None:
    """Let Ctrl-C end the process there and then."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_signum: int, _frame: object) -> None:
    os._exit(INTERRUPTED)
