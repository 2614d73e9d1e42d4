"""The log's two forms, for people and for machines, of our lines and of others'."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Generator
from functools import partial
from typing import Any, BinaryIO, cast

import pytest
import structlog
import trio
import trio.lowlevel

from cafe.logs import Format, Lines, set_up_logs

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


class Counted(io.BytesIO):
    """A file that counts how often it is written to."""

    writes = 0

    def write(self, data: Any) -> int:
        self.writes += 1
        return super().write(data)


async def test_lines_of_one_pass_of_the_loop_are_written_in_one_go_and_in_order() -> None:
    file = Counted()
    lines = Lines(file)
    lines.info(b"before\n")
    assert (file.getvalue(), file.writes) == (b"before\n", 1)

    async def talk() -> None:
        for text in (b"one\n", b"two\n"):
            lines.info(text)
        assert file.writes == 1
        await trio.lowlevel.checkpoint()
        assert (file.getvalue(), file.writes) == (b"before\none\ntwo\n", 2)
        lines.info(b"last\n")

    await trio.to_thread.run_sync(partial(trio.run, talk, instruments=[lines]))
    assert file.getvalue().endswith(b"two\nlast\n")
    lines.info(b"after\n")
    assert file.getvalue().endswith(b"last\nafter\n")


async def test_a_log_that_nobody_reads_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as file:
        lines = Lines(cast("BinaryIO", file))
        lines.info(b"heard by nobody\n")
        lines.info(b"and said all the same\n")
