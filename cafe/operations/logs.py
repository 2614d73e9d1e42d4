"""How the shop writes its log: lines for people, or JSON for machines, on standard error.

Rule: what others log through the standard library (hypercorn, actors) comes out in the same form
and the same way. Tracebacks show no local variables: those may be secrets, and cost much. Text of
others (names, exceptions) cannot write lines, colours or control characters of its own.

Each form is one function that makes a line, because an order writes seven of them: structlog's own
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

from cafe.operations.lines import Lines, writing_to
from cafe.printable import printable

Format = Literal["auto", "console", "json"]
Render = Callable[[object, str, EventDict], bytes]
"""Makes a line of the level's name and the event, as one of structlog's processors."""


MOST_TEMPLATES = 256
"""Sets of names that the console's lines are prepared for: there are as many as calls of ours."""


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


def set_up_logs(log_format: Format) -> Sequence[Lines]:
    """Send every log line to standard error in this form, from now on.

    `auto` is console on a terminal, JSON elsewhere. Gives what `trio.run` has to be given as its
    instruments; `dropped` of them are the lines that were not written.
    """
    render = _renderer(log_format)
    lines = Lines(writing_to(sys.stderr), notice=partial(_say_dropped, render))
    structlog.configure(
        processors=[render],
        wrapper_class=_logger_class(),
        logger_factory=lambda *_name: lines,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(lines, render)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    return [lines]


def _logger_class() -> type[Any]:
    """Give structlog's logger with a shorter way for `info`, by which nearly all lines go.

    It calls the one processor itself: half the cost of a line was on the way there.
    """

    def info(self: Any, event: str, **values: object) -> None:
        (render,) = self._processors
        values["event"] = event
        try:  # noqa: SIM105 - `suppress` costs a fifth of a line
            self._logger.msg(render(self._logger, "info", self._context | values))
        except structlog.DropEvent:  # by a test that captures what is logged
            pass

    return type("Logger", (structlog.make_filtering_bound_logger(logging.INFO),), {"info": info})


def dropped_lines() -> int:
    """Give how many lines of the log were not written since it was set up: for a metric."""
    handlers = [each for each in logging.root.handlers if isinstance(each, _Handler)]
    return sum(handler.lines.dropped for handler in handlers)


def _renderer(log_format: Format) -> Render:
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if log_format == "json" or (log_format == "auto" and not terminal):
        return _as_json
    return Console(COLOURED if terminal else PLAIN)


class _Handler(logging.Handler):
    """Writes what others log through the standard library."""

    def __init__(self, lines: Lines, render: Render) -> None:
        super().__init__()
        self.lines = lines
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: EventDict = {"event": record.getMessage()}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            self.lines.msg(self._render(None, record.levelname.lower(), event))
        except Exception:  # noqa: BLE001 - a wrong log call is not an error of what it tells of
            self.handleError(record)


def _say_dropped(render: Render, number: int) -> bytes:
    """Make the line that stands where lines are missing."""
    return render(None, "warning", {"event": "log lines dropped", "lines": number})


def _as_json(_logger: object, method: str, event: EventDict) -> bytes:
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    if "exc_info" in event:
        event = format_exc_info(None, method, event)
    return orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


class Console:
    """Makes lines like `2026-11-26T08:00:00.000000Z [info     ] order name='Zoë' number=17`.

    A traceback follows its line, indented, so that no text of an exception begins a line.
    """

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._templates: dict[tuple[str, ...], _Template] = {}
        self._second = 0
        self._date = ""
        self._levels = {level: self._level(level) for level in COLOURED.levels}

    def __call__(self, _logger: object, method: str, event: EventDict) -> bytes:
        """Make a line."""
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
        # The text that Python writes for these types never has what could not be seen.
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
    """The line of every event that has the same keys."""

    take: Callable[[EventDict], Sequence[object]]
    """Takes the values out of an event, in the order in which the line has them."""
    line: str
    """Takes the values as they are, and has them as Python writes them."""
    escaped_line: str
    """Takes them as texts."""

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
    """Give what takes the values of these names out of an event."""
    if len(names) > 1:  # of a single name, itemgetter gives the value alone
        return itemgetter(*names)
    return lambda event: [event[name] for name in names]
