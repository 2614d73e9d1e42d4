"""The standard streams of the process: closed at the start, on a full device, or not read.

Rule: a stream that cannot be written never causes a traceback. The exit code stays what it would
be, or is NOT_WRITTEN if the output was all that the command was for.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

from cafe.operations.absent import Absent
from cafe.operations.printable import printable

NOT_WRITTEN = 1
"""The exit code of a command whose output could not be written."""


def open_missing_streams() -> None:
    """Open /dev/null for each standard stream that was closed when the process was started.

    Otherwise the next file that is opened gets its number, and the stream's output: a database
    would get the messages of a library in C. And print() writes to standard output if its `file` is
    None, as sys.stderr is then.
    """
    for fd in range(3):
        with suppress(OSError):
            os.fstat(fd)
            continue
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    if sys.stderr is None:
        sys.stderr = Absent()
    sys.stdout = Absent() if sys.stdout is None else _recording_errors(sys.stdout)


class Output(TextIOWrapper):
    """Standard output that remembers a failed write, whether print() raises the error or not."""

    error: OSError | None = None

    def write(self, text: str, /) -> int:
        """Write or buffer the text; remember an OSError and raise it."""
        try:
            return super().write(text)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Write the buffer; remember an OSError and raise it.

        Text that is longer than the buffer is then lost: another flush would have nothing to write.
        """
        try:
            super().flush()
        except OSError as error:
            self.error = error
            raise


def _recording_errors(stream: TextIO) -> TextIO:
    buffer = stream.buffer
    if not isinstance(stream, TextIOWrapper):
        return stream
    return Output(
        buffer,
        stream.encoding,
        # As on stderr: characters that cannot be encoded are escaped.
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def print_error(line: str) -> None:
    """Print one line on stderr, if that can be written."""
    try:
        print(printable(line), file=sys.stderr, flush=True)
    except OSError:
        discard_stderr()


def discard_stderr() -> None:
    """Send what stderr has buffered, and all that follows, to /dev/null."""
    _redirect_to_null(2)


def flush_output() -> OSError | None:
    """Flush stdout; return the error if that, or a write before, failed.

    Then stdout's buffer is discarded: Python would retry at its end, and print its own lines about
    it.
    """
    output = sys.stdout
    error = output.error if isinstance(output, Output) else None
    try:
        output.flush()
    except OSError as late:
        error = late
    if error is None:
        return None
    _redirect_to_null(1)
    if isinstance(output, Output):
        output.error = error
    return error


def ignore_output_error() -> None:
    """Forget a failed write, so that the command does not fail: the text went elsewhere too."""
    if isinstance(sys.stdout, Output):
        sys.stdout.error = None


def _redirect_to_null(fd: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)
