"""The log's two forms, for people and for machines, of our lines and of others'."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from typing import Any

import pytest
import structlog

from cafe.logs import Format, set_up_logs

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
    log.debug("of no interest")
    log.info("order", name="Zoë\n\x1b[31mred", number=17)
    fail(log)
    logging.getLogger("hypercorn.error").warning("a library's %s", "line")
    logging.getLogger("hypercorn.error").info("of no interest")


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


def test_the_console_has_lines_that_nobody_else_can_write(
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
