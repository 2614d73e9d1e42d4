"""Log lines for people, coloured on a terminal.

Rule: untrusted text (names, files' paths, exceptions) cannot add lines, colours or control
characters.

A status comes before all other values. None is left out, and a drawing, such as that of the actors
when the shop closes, follows its line.

Each set of keys has its own template, because an order writes seven lines: structlog's own renderer
for the console takes four times as long as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from time import gmtime, strftime, time_ns
from typing import NamedTuple

from structlog.processors import format_exc_info
from structlog.typing import EventDict

from cafe.operations.printable import printable

MOST_TEMPLATES = 256
"""The most templates that the console keeps, one for each set of keys."""


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
        below: list[str] = event.pop("tree", [])
        if None in event.values():
            event = {key: value for key, value in event.items() if value is not None}
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
            below = exception.splitlines()
        if below:
            line += "".join(f"    {printable(each)}\n" for each in below)
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
    """Returns an event's values, in the order of the line."""
    line: str
    """A format for the values, which shows their repr."""
    escaped_line: str
    """A format for the values as escaped text."""

    @classmethod
    def of(cls, styles: Styles, keys: tuple[str, ...]) -> _Template:
        names = sorted(
            (key for key in keys if key != "event"), key=lambda name: (name != "status", name)
        )
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
