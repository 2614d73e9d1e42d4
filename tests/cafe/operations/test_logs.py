"""The log's two forms, for people and for machines, of our lines and of libraries'."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cafe.operations.logs import Format, dropped_lines, set_up_logs
from tests.chance import examples

SECRET = "open-sesame"


@pytest.fixture(autouse=True)
def _set_back() -> Generator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def write(log_format: Format) -> None:
    """Write a line of ours, one of ours with an error, and one of a library's."""
    set_up_logs(log_format)
    log = structlog.get_logger("test")
    log.debug("not logged")
    log.info("order", name="Zoë\n\x1b[31mred", number=17)
    fail(log)
    logging.getLogger("hypercorn.error").warning("a library's %s", "line")
    logging.getLogger("hypercorn.error").info("not logged")


def fail(log: Any) -> None:
    token = SECRET
    try:
        int(f"no number, {len(token)}")
    except ValueError:
        log.exception("bug", request_id="r1")


def test_json_is_one_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    write("json")
    printed = capfd.readouterr()
    assert printed.out == ""
    ours, bug, theirs = [json.loads(line) for line in printed.err.splitlines()]
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {"event": "order", "level": "info", "name": "Zoë\n\x1b[31mred", "number": 17}
    assert (bug["event"], bug["level"], bug["request_id"]) == ("bug", "error", "r1")
    assert "ValueError: invalid literal" in bug["exception"]
    assert (theirs["event"], theirs["level"]) == ("a library's line", "warning")
    assert theirs["timestamp"].endswith("Z")
    assert SECRET not in printed.err


def test_untrusted_text_cannot_add_lines_to_the_console(
    capfd: pytest.CaptureFixture[str],
) -> None:
    write("console")
    printed = capfd.readouterr()
    assert printed.out == ""
    first, *rest = printed.err.splitlines()
    assert "order" in first
    assert r"name='Zoë\n\x1b[31mred'" in first
    assert "number=17" in first
    assert "\x1b" not in printed.err
    assert any("ValueError: invalid literal" in line for line in rest)
    assert "a library's line" in rest[-1]
    assert SECRET not in printed.err


def test_auto_is_json_if_stderr_is_not_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    write("auto")
    assert [json.loads(line)["level"] for line in capfd.readouterr().err.splitlines()] == [
        "info",
        "error",
        "warning",
    ]


def on_a_terminal(code: str, log_format: Format) -> str:
    """Return what a process prints that sets up its log on a terminal, and then runs `code`."""
    ours, theirs = pty.openpty()
    program = f"""
import structlog
from cafe.operations.logs import set_up_logs
set_up_logs({log_format!r})
log = structlog.get_logger("test")
{code}
"""
    with os.fdopen(ours, "rb") as terminal, os.fdopen(theirs, "wb") as stderr:
        subprocess.run([sys.executable, "-c", program], stderr=stderr, check=True)
        return os.read(terminal.fileno(), 65_536).decode()


COLOURS = re.compile(r"\x1b\[[0-9]+m")


def test_auto_is_for_people_on_a_terminal_and_in_colour() -> None:
    printed = on_a_terminal("log.info('order', name='Zoë', number=17)", "auto")
    assert "\x1b[36mname\x1b[0m=\x1b[35m'Zoë'\x1b[0m" in printed
    plain = COLOURS.sub("", printed)
    assert re.fullmatch(LINE + r"\[info     \] order name='Zoë' number=17\r\n", plain)


def test_on_a_terminal_too_only_the_shop_has_colours() -> None:
    code = r"log.info('\x1b[31m', name='\x1b[31m', text=['\x1b'], n=0.5)"
    printed = on_a_terminal(code, "auto")
    assert "\x1b" not in COLOURS.sub("", printed)
    assert r"\x1b[31m n=0.5 name='\x1b[31m' text=['\x1b']" in COLOURS.sub("", printed)
    assert "\x1b[31m" not in printed


def test_json_on_a_terminal_is_json() -> None:
    assert json.loads(on_a_terminal("log.info('order')", "json"))["event"] == "order"


LINE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z "


@pytest.fixture
def console(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return a function that returns the lines since its last call.

    A test sets up the log itself: pytest opens other files for it than for its fixtures.
    """
    return lambda: capfd.readouterr().err.removesuffix("\n").split("\n")


@given(
    event=st.text(),
    values=st.dictionaries(
        st.sampled_from(["name", "number", "address", "100%"]),
        st.one_of(st.text(), st.none(), st.floats(), st.integers(), st.lists(st.text())),
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))
def test_every_event_is_one_printable_line(
    console: Callable[[], list[str]], event: str, values: dict[str, Any]
) -> None:
    set_up_logs("console")
    structlog.get_logger("test").info(event, **values)
    (line,) = console()
    assert line.isprintable()
    known = {name: value for name, value in values.items() if value is not None}
    pairs = "".join(f" {name}={value!r}" for name, value in sorted(known.items()))
    assert line.endswith(pairs)
    assert re.match(LINE + r"\[info     \] ", line)


class Hostile:
    """A value whose repr would add a line of its own, in red."""

    def __repr__(self) -> str:
        return "\n\x1b[31m2026"


def test_the_text_of_an_object_and_of_a_library_is_escaped(
    console: Callable[[], list[str]],
) -> None:
    set_up_logs("console")
    structlog.get_logger("test").info("order", it=Hostile())
    logging.getLogger("hypercorn.error").warning("from %s", "\n\x1b[31m\u202eus")
    ours, theirs = console()
    assert ours.endswith(r"order it=\n\x1b[31m2026")
    assert theirs.endswith(r"[warning  ] from \n\x1b[31m\u202eus")


def refuse(name: str) -> None:
    raise ValueError(name)


def test_no_text_of_an_exception_starts_a_line(console: Callable[[], list[str]]) -> None:
    set_up_logs("console")
    try:
        refuse("\n2026-11-26 [info] order\x1b[31m\r\x852026")
    except ValueError:
        structlog.get_logger("test").exception("bug")
        logging.getLogger("hypercorn.error").exception("theirs")
    lines = console()
    unindented = [line for line in lines if not line.startswith("    ")]
    assert [re.sub(LINE, "", line) for line in unindented] == [
        "[error    ] bug",
        "[error    ] theirs",
    ]
    assert all(line.isprintable() for line in lines)
    assert sum(line.startswith("    2026-11-26 [info] order") for line in lines) == 2


def test_a_library_s_wrong_log_call_is_reported_and_raises_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("json")
    logging.getLogger("hypercorn.error").warning("%d", "many")
    assert "Logging error" in capsys.readouterr().err


def test_lines_count_as_dropped_when_there_is_no_standard_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    (writer,) = set_up_logs("auto")
    structlog.get_logger("test").info("order")
    assert writer.dropped == 1


def test_dropped_lines_are_counted_for_the_metric(capfd: pytest.CaptureFixture[str]) -> None:
    (writer,) = set_up_logs("json")
    assert dropped_lines() == 0
    writer.dropped = 7
    assert dropped_lines() == 7
    assert capfd.readouterr().err == ""


def test_a_status_comes_first_and_what_is_not_known_is_left_out(
    console: Callable[[], list[str]],
) -> None:
    set_up_logs("console")
    for barista in (None, "Bo"):
        structlog.get_logger("test").info("order", action="start", barista=barista, status="ready")
    first, second = (re.sub(LINE, "", line) for line in console())
    assert first == "[info     ] order status='ready' action='start'"
    assert second == "[info     ] order status='ready' action='start' barista='Bo'"


def test_the_tree_of_the_actors_is_drawn_below_its_line(console: Callable[[], list[str]]) -> None:
    set_up_logs("console")
    tree = ["system, one_for_one", "└─ Dispatcher running", "\x1b[31m"]
    structlog.get_logger("test").info("actors", tree=tree)
    first, *below = console()
    assert re.sub(LINE, "", first) == "[info     ] actors"
    assert below == ["    system, one_for_one", "    └─ Dispatcher running", r"    \x1b[31m"]


def test_what_python_prints_by_itself_has_the_form_of_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In a process of its own: pytest looks for the same."""
    code = """
import threading, warnings
from cafe.operations.logs import all_else_logged, set_up_logs
class Broken:
    def __del__(self):
        raise ValueError("a finalizer's")
def fail():
    raise ValueError("a thread's")
set_up_logs("json")
with all_else_logged():
    warnings.warn("a library's")
    Broken()
    thread = threading.Thread(target=fail, name="one")
    thread.start()
    thread.join()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    warning, finalizer, thread = map(json.loads, capfd.readouterr().err.splitlines())
    assert "UserWarning: a library's" in warning["event"]
    assert "ValueError: a finalizer's" in finalizer["exception"]
    assert "ValueError: a thread's" in thread["exception"]
    assert (thread["event"], thread["thread"]) == ("bug", "one")
