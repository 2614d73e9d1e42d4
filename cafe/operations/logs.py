"""The shop's log on standard error: lines for people, or JSON for machines.

Rule: what libraries log through the standard library's logging (hypercorn, actors) has the same
form and goes the same way. Tracebacks show no local variables: they may be secrets, and are slow
to print. Untrusted text (names, exceptions) cannot add lines, colours or control characters.

Each form is one function that makes a line, because an order writes seven lines: structlog's own
renderer for the console takes four times as long as JSON.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from time import gmtime, strftime, time_ns
from typing import Any, Literal, NamedTuple

import orjson
import structlog
from structlog.processors import format_exc_info
from structlog.typing import EventDict

from cafe.operations.log_writer import LogWriter, non_blocking_write
from cafe.printable import printable

Format = Literal["auto", "console", "json"]
Render = Callable[[object, str, EventDict], bytes]
"""Returns the line for a level and an event, with the signature of a structlog processor."""


MOST_TEMPLATES = 256
"""Sets of keys that the console keeps a template for: each log call of ours needs one."""


@dataclass(frozen=True, slots=True)
class Styles:
    """The escape sequences of a console line."""

    time: str = ""
    levels: Mapping[str, str] = field(default_factory=dict[str, str])
    event: str = ""
    key: str = ""
    value: str = ""
    end: str = ""


_HARMLESS = frozenset({str, int, float, bool, type(None)})
_SECOND = 1_000_000_000
PLAIN = Styles()
_RED, _YELLOW, _GREEN = "\x1b[31m\x1b[1m", "\x1b[33m\x1b[1m", "\x1b[32m\x1b[1m"
COLOURED = Styles(
    time="\x1b[2m",
    levels={"critical": _RED, "error": _RED, "warning": _YELLOW, "info": _GREEN},
    event="\x1b[1m",
    key="\x1b[36m",
    value="\x1b[35m",
    end="\x1b[0m",
)


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


def _renderer(log_format: Format) -> Render:
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if log_format == "json" or (log_format == "auto" and not terminal):
        return _as_json
    return Console(COLOURED if terminal else PLAIN)


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
    """Return the line that says how many are missing at this place."""
    return render(None, "warning", {"event": "log lines dropped", "lines": number})


def _as_json(_logger: object, method: str, event: EventDict) -> bytes:
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    if "exc_info" in event:
        event = format_exc_info(None, method, event)
    return orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


class Console:
    """Renders lines like `2026-11-26T08:00:00.000000Z [info     ] order name='Zoë' number=17`.

    A traceback follows its line, indented, so that no exception's text starts a line.
    """

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._templates: dict[tuple[str, ...], _Template] = {}
        self._second = 0
        self._date = ""
        self._levels = {level: self._level(level) for level in COLOURED.levels}

    def __call__(self, _logger: object, method: str, event: EventDict) -> bytes:
        """Return the line, or the lines if there is a traceback."""
        exception: str | None = None
        if "exc_info" in event:
            event = format_exc_info(None, method, event)
            exception = event.pop("exception", None)
        keys = tuple(event)
        template = self._templates.get(keys) or self._prepare(keys)
        passed = time_ns() - self._second
        if not 0 <= passed < _SECOND:
            second, passed = divmod(passed + self._second, _SECOND)
            self._second = second * _SECOND
            self._date = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        level = self._levels.get(method) or self._level(method)
        take, line, escaped_line = template
        said, values = event["event"], take(event)
        # The repr of these types is always printable.
        if type(said) is str and said.isprintable() and _HARMLESS.issuperset(map(type, values)):
            line %= (self._date, passed // 1000, level, said, *values)
        else:
            texts = [printable(str(said)), *[printable(repr(value)) for value in values]]
            line = escaped_line % (self._date, passed // 1000, level, *texts)
        if exception is not None:
            line += "".join(f"    {printable(each)}\n" for each in exception.splitlines())
        return line.encode()

    def _level(self, level: str) -> str:
        return f"{self._styles.levels.get(level, '')}{level:<9}{self._styles.end}"

    def _prepare(self, keys: tuple[str, ...]) -> _Template:
        if len(self._templates) >= MOST_TEMPLATES:
            self._templates.clear()
        self._templates[keys] = template = _Template.of(self._styles, keys)
        return template


class _Template(NamedTuple):
    """The line for all events with the same keys."""

    take: Callable[[EventDict], Sequence[object]]
    """Returns an event's values, in the order in which the line has them."""
    line: str
    """A format that takes the values, and has their repr."""
    escaped_line: str
    """A format that takes the values as escaped text."""

    @classmethod
    def of(cls, styles: Styles, keys: tuple[str, ...]) -> _Template:
        names = sorted(key for key in keys if key != "event")
        key, value, end = styles.key, styles.value, styles.end
        head = f"{styles.time}%s.%06dZ{end} [%s] {styles.event}%s{end}"
        shown = [printable(name).replace("%", "%%") for name in names]
        line, escaped_line = (
            f"{head}{''.join(f' {key}{name}{end}={value}{form}{end}' for name in shown)}\n"
            for form in ("%r", "%s")
        )
        return cls(_getter(names), line, escaped_line)


def _getter(names: list[str]) -> Callable[[EventDict], Sequence[object]]:
    """Return a function that returns an event's values of these names."""
    if len(names) > 1:  # for a single name, itemgetter returns the bare value
        return itemgetter(*names)
    return lambda event: [event[name] for name in names]
