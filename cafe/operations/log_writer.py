"""Writes log lines to a file descriptor, without ever blocking on its reader.

Rule: a reader that stalls costs log lines, never an order. Up to `MOST_LINES` unwritten lines are
kept; those beyond are dropped and counted, and a line says so when the reader goes on.

O_NONBLOCK is a flag of the open file description, which is shared with every process that has
inherited it: set on a terminal, it breaks the shell's own reads and writes. So a pipe or a terminal
is opened once more through /proc/self/fd, for a description of our own. If that is impossible
(no /proc, or a pipe that was made by another user), poll(2) comes before each write, which then has
at most PIPE_BUF bytes: a pipe that is ready has room for as many. A write to a regular file does
not block in this sense.
"""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Final, TextIO

import trio

Write = Callable[[bytes], int]
"""Returns how many bytes were written; raises BlockingIOError for none now, OSError for never."""

MOST_LINES: Final = 4_000
"""Lines that are kept for a reader that stalls, besides those in its pipe: about 800 KiB."""
CHUNK: Final = 65_536
"""About how many bytes are written at a time: what a pipe holds on Linux."""
PIPE_BUF: Final = select.PIPE_BUF


class LogWriter(trio.abc.Instrument):
    """Writes lines; while trio runs, those of one iteration of its loop in one write.

    A busy shop writes about ten lines an iteration, and each write is a system call. Lines are
    written before trio waits for I/O, and when its run ends, unless the reader stalls. `notice`
    returns the line that says how many were dropped.
    """

    def __init__(self, write: Write, notice: Callable[[int], bytes] | None = None) -> None:
        self.dropped = 0
        """Lines that were not written, since the start."""
        self._write = write
        self._notice = notice
        self._noticed = 0
        self._lines: list[bytes] = []
        self._runs = False
        self._stalled = False
        self._writing = Lock()

    def msg(self, line: str | bytes) -> None:
        """Write a line, at once or with its iteration; structlog calls this by another name."""
        if len(self._lines) >= MOST_LINES:
            if not (self._runs and self._stalled):  # while trio runs, once an iteration is enough
                self._flush()
            if len(self._lines) >= MOST_LINES:
                self.dropped += 1
                return
        self._lines.append(line if isinstance(line, bytes) else f"{line}\n".encode())
        if not self._runs:
            self._flush()

    info = warning = error = critical = msg

    def before_run(self) -> None:
        """Write once an iteration from now on; trio calls this."""
        self._runs = True

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        """Write the lines of this iteration; trio calls this."""
        if self._lines:
            self._flush()

    def after_run(self) -> None:
        """Write each line at once from now on; trio calls this."""
        self._runs = False
        self._flush()

    def _flush(self) -> None:
        # Not blocking: the lock may be held further up on this very stack, if a finalizer logs a
        # line. The holder goes on until there are no lines left.
        if not self._writing.acquire(blocking=False):
            return
        try:
            self._stalled = False
            while self._lines and not self._stalled:
                self._write_some()
        finally:
            self._writing.release()

    def _write_some(self) -> None:
        """Write the first lines; other threads may append more meanwhile."""
        number = size = 0
        for line in self._lines:
            number += 1
            size += len(line)
            if size >= CHUNK:
                break
        try:
            taken = self._write(b"".join(self._lines[:number]))
        except BlockingIOError:
            taken = 0
        except (OSError, ValueError):  # the reader or the file is closed
            self.dropped += number
            self._noticed += number  # nobody would read the notice
            taken = size
        if taken < size:
            self._stalled = True
            number = self._cut(taken)
        del self._lines[:number]
        if not self._lines and self.dropped > self._noticed and self._notice is not None:
            self._lines.append(self._notice(self.dropped - self._noticed))
            self._noticed = self.dropped

    def _cut(self, taken: int) -> int:
        """Return how many lines were written whole, and cut what was written off the next one."""
        for number, line in enumerate(self._lines):
            if taken < len(line):
                self._lines[number] = line[taken:]
                return number
            taken -= len(line)
        return len(self._lines)


def non_blocking_write(stream: TextIO | None) -> Write:
    """Return a function that writes to `stream` without blocking; None discards everything."""
    if stream is None:
        return len
    try:
        fd = stream.fileno()
    except OSError:  # a stream in memory, as a test has

        def write(data: bytes) -> int:
            stream.buffer.write(data)
            stream.buffer.flush()
            return len(data)

        return write
    return non_blocking_write_fd(fd)


def non_blocking_write_fd(fd: int) -> Write:
    """Return a function that writes to `fd` without blocking, and leaves the flags of `fd`."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):  # as systemd's journal gives
        return partial(_send, fd)
    if stat.S_ISFIFO(mode) or os.isatty(fd):
        with suppress(OSError):
            return partial(os.write, _reopen(fd))
        return partial(_write_when_ready, fd)
    return partial(os.write, fd)


def _reopen(fd: int) -> int:
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return os.open(f"/proc/self/fd/{fd}", flags)


def _send(fd: int, data: bytes) -> int:
    sock = socket.socket(fileno=fd)
    try:
        return sock.send(data, socket.MSG_DONTWAIT)
    finally:
        sock.detach()


def _write_when_ready(fd: int, data: bytes) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    taken = 0
    while taken < len(data) and poll.poll(0):
        taken += os.write(fd, data[taken : taken + PIPE_BUF])
    return taken
