"""The standard streams of the process: closed at the start, on a full device, or read by nobody.

Rule: that something cannot be told is never a traceback. The exit code stays what it would be, or
is NOT_WRITTEN where the output was all that the command was for.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

from cafe.printable import printable

NOT_WRITTEN = 1


def open_missing_streams() -> None:
    """Open /dev/null for each standard stream that was closed when the process was started.

    Else the next file that is opened takes its number, and gets what is meant for the stream: a
    database, say, what a library in C complains about. And print() takes a `file` of None, which
    sys.stderr is then, for standard output.
    """
    for fd in range(3):
        with suppress(OSError):
            os.fstat(fd)
            continue
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    if sys.stderr is None:
        sys.stderr = _nowhere()
    sys.stdout = _nowhere() if sys.stdout is None else _watched(sys.stdout)


class Output(TextIOWrapper):
    """Standard output that remembers that it could not be written: print() may tell it or not."""

    error: OSError | None = None

    def write(self, text: str, /) -> int:
        """Write, or keep for later; remember if that is impossible."""
        try:
            return super().write(text)
        except OSError as error:
            self.error = error
            raise


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123 - open until the end


def _watched(stream: TextIO) -> TextIO:
    buffer = stream.buffer
    if not isinstance(stream, TextIOWrapper):
        return stream
    return Output(
        buffer,
        stream.encoding,
        # As on stderr: what the encoding does not know is shown all the same.
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def say(line: str) -> None:
    """Print one line on stderr, if that can be written to."""
    try:
        print(printable(line), file=sys.stderr, flush=True)
    except OSError:
        forget_errors()


def forget_errors() -> None:
    """Let what could not be written to stderr, and all that comes, go nowhere."""
    _let_go(2)


def flush_output() -> OSError | None:
    """Write what has been printed; give the error if that, or anything before, cannot be written.

    What cannot be written is let go of: Python would try again at its end, and complain in lines of
    its own.
    """
    output = sys.stdout
    error = output.error if isinstance(output, Output) else None
    try:
        output.flush()
    except OSError as late:
        error = late
    if error is None:
        return None
    _let_go(1)
    if isinstance(output, Output):
        output.error = error
    return error


def forget_output() -> None:
    """Let what could not be written be no failure of the command: it is told elsewhere."""
    if isinstance(sys.stdout, Output):
        sys.stdout.error = None


def _let_go(fd: int) -> None:
    """Let what is still to be written to `fd` go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)
