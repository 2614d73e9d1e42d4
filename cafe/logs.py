"""How the shop writes its log: lines for people, or JSON for machines, on standard error.

Rule: what others log through the standard library (hypercorn, actors) comes out in the same form.
Tracebacks show no local variables: those may be secrets, and cost much.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import BinaryIO, Literal

import orjson
import structlog
import trio
from structlog.processors import JSONRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

Format = Literal["console", "json"]


def set_up_logs(log_format: Format) -> Sequence[trio.abc.Instrument]:
    """Send every log line to standard error in this form, from now on.

    Gives what `trio.run` has to be given, as its instruments.
    """
    lines = Lines(sys.stderr.buffer)
    stamped: list[Processor] = [add_log_level, TimeStamper(fmt="iso", utc=True)]
    structlog.configure(
        processors=[_as_json] if log_format == "json" else [*stamped, *_renderers(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_name: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=stamped,
            processors=[ProcessorFormatter.remove_processors_meta, *_renderers(log_format), _text],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    return [lines]


class Lines(trio.abc.Instrument):
    """Writes lines to a file; while trio runs, those of one pass of its loop in one go.

    A busy shop writes some ten lines a pass, and each write is a system call. Nothing is kept
    longer than until the loop has nothing else to do, nor when it ends.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: list[bytes] = []
        self._runs = False

    def msg(self, line: str | bytes) -> None:
        """Write a line, unless the loop will; structlog calls this by one of its other names."""
        self._lines.append(line if isinstance(line, bytes) else f"{line}\n".encode())
        if not self._runs:
            self._write()

    info = warning = error = critical = msg

    def before_run(self) -> None:
        """Leave the writing to the loop; trio calls this."""
        self._runs = True

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        """Write what this pass has said; trio calls this."""
        if self._lines:
            self._write()

    def after_run(self) -> None:
        """Write at once again; trio calls this."""
        self._runs = False
        self._write()

    def _write(self) -> None:
        lines, self._lines = b"".join(self._lines), []
        with suppress(OSError):  # nobody reads the log, which is no reason to close the shop
            self._file.write(lines)
            self._file.flush()


def _as_json(_logger: object, method: str, event: EventDict) -> bytes:
    """Write a line of ours, by one function because an order writes seven of them."""
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    if "exc_info" in event:
        event = format_exc_info(None, method, event)
    return orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


def _renderers(log_format: Format) -> list[Processor]:
    if log_format == "json":
        return [format_exc_info, JSONRenderer(serializer=orjson.dumps)]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
            # A barista's name must not be able to write lines or colours of its own.
            repr_native_str=True,
            pad_event_to=0,
        )
    ]


def _text(_logger: object, _method: str, line: object) -> str:
    """Give the standard library's handlers text, which orjson does not."""
    return line.decode() if isinstance(line, bytes) else str(line)
