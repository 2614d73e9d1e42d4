"""The shop's log on standard error, written without ever blocking on its reader.

Rule: a reader that stalls costs log lines, never an order. Up to `MOST_LINES` unwritten lines are
kept; those beyond are dropped and counted, and a line says so when the reader goes on. A line is
JSON for machines, or for people as `console.py` renders it. What libraries log through the standard
library's logging (hypercorn, actors), and what Python prints by itself, has the same form and goes
the same way. Tracebacks show no local variables: they may be secrets, and are slow to print.

O_NONBLOCK is a flag of the open file description, which is shared with every process that has
inherited it: set on a terminal, it breaks the shell's own reads and writes. So a pipe or a terminal
is opened once more through /proc/self/fd, for a description of our own. If that is impossible
(no /proc, or a pipe that was made by another user), poll(2) comes before each write, which then has
at most PIPE_BUF bytes: a pipe that is ready has room for as many. A write to a regular file does
not block in this sense.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import stat
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
import trio
from structlog.processors import format_exc_info
from structlog.typing import EventDict

from cafe.operations.absent import Absent
from cafe.operations.console import COLOURED, PLAIN, Console

Format = Literal["auto", "console", "json"]
Render = Callable[[object, str, EventDict], bytes]
"""Returns the line for a level and an event, with the signature of a structlog processor."""
Write = Callable[[bytes], int]
"""Returns how many bytes were written; raises BlockingIOError for none now, OSError for never."""

MOST_LINES: Final = 4_000
"""The most lines that are kept for a reader that stalls, besides those in its pipe: about 800 KiB.
"""
CHUNK: Final = 65_536
"""About how many bytes are written at a time: what a pipe holds on Linux."""
PIPE_BUF: Final = select.PIPE_BUF


def set_up_logs(log_format: Format) -> Sequence[LogWriter]:
    """Send every log line to standard error in this form, from now on.

    `auto` is console on a terminal, JSON elsewhere. Returns the instruments for `trio.run`; their
    `dropped` counts the lines that were not written.
    """
    render = _renderer(log_format)
    writer = LogWriter(non_blocking_write(sys.stderr), notice=partial(_dropped_notice, render))
    structlog.configure(
        processors=[render],
        wrapper_class=_logger_class(),
        logger_factory=lambda *_name: writer,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(writer, render)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    return [writer]


def _logger_class() -> type[Any]:
    """Return structlog's logger class with a faster `info`, which nearly all lines use.

    It calls the one processor directly: half the cost of a line was the way there.
    """

    def info(self: Any, event: str, **values: object) -> None:
        (render,) = self._processors
        values["event"] = event
        try:  # noqa: SIM105 - `suppress` costs a fifth of a line
            self._logger.msg(render(self._logger, "info", self._context | values))
        except structlog.DropEvent:  # raised in a test that captures the log
            pass

    return type("Logger", (structlog.make_filtering_bound_logger(logging.INFO),), {"info": info})


def dropped_lines() -> int:
    """Return how many log lines were not written since the log was set up."""
    handlers = [each for each in logging.root.handlers if isinstance(each, _Handler)]
    return sum(handler.writer.dropped for handler in handlers)


def is_json(log_format: Format) -> bool:
    """Return whether the log's lines are JSON in this form."""
    return log_format == "json" or (log_format == "auto" and not _is_terminal())


def json_line(event: str, **values: object) -> str:
    """Return a line in the form of the JSON log, without its end, for printing elsewhere."""
    return _as_json(None, "info", {"event": event, **values}).decode().rstrip("\n")


@contextmanager
def all_else_logged() -> Generator[None]:
    """Log what Python would print by itself: warnings, exceptions in threads and finalizers."""
    log: structlog.stdlib.BoundLogger = structlog.get_logger("python")

    def of_thread(args: threading.ExceptHookArgs) -> None:
        log.error("bug", thread=args.thread and args.thread.name, exc_info=args.exc_value)

    def of_finalizer(args: sys.UnraisableHookArgs) -> None:
        log.error("bug", detail=args.err_msg, exc_info=args.exc_value)

    before = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = of_thread, of_finalizer
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        threading.excepthook, sys.unraisablehook = before


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _renderer(log_format: Format) -> Render:
    return _as_json if is_json(log_format) else Console(COLOURED if _is_terminal() else PLAIN)


class _Handler(logging.Handler):
    """Writes what libraries log through the standard library's logging."""

    def __init__(self, writer: LogWriter, render: Render) -> None:
        super().__init__()
        self.writer = writer
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: EventDict = {"event": record.getMessage()}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            self.writer.msg(self._render(None, record.levelname.lower(), event))
        except Exception:  # noqa: BLE001 - a wrong log call must not break its caller
            self.handleError(record)


def _dropped_notice(render: Render, number: int) -> bytes:
    """Return the line that says how many lines are missing before it."""
    return render(None, "warning", {"event": "log lines dropped", "lines": number})


def _as_json(_logger: object, method: str, event: EventDict) -> bytes:
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    if "exc_info" in event:
        event = format_exc_info(None, method, event)
    return orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


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
            self._noticed += number  # the notice would not be read either
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
    """Return a function that writes to `stream` without blocking.

    Where the stream is absent each write fails, so that the lines count as dropped.
    """
    if stream is None or isinstance(stream, Absent):
        return _fail
    try:
        fd = stream.fileno()
    except OSError:  # a stream in memory, as a test has

        def write(data: bytes) -> int:
            stream.buffer.write(data)
            stream.buffer.flush()
            return len(data)

        return write
    return non_blocking_write_fd(fd)


def _fail(_data: bytes) -> int:
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


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
