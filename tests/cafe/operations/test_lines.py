"""Log lines and what reads them: slowly, never, not any more, or over a socket."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import tty
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from cafe.operations import lines as lines_module
from cafe.operations.lines import MOST_LINES, Lines, writing_to_descriptor


class Reader:
    """Takes what is written, up to `room` bytes; counts how often it is asked."""

    def __init__(self, room: int = 10**9) -> None:
        self.room = room
        self.got = b""
        self.writes = 0
        self.gone = False

    def write(self, data: bytes) -> int:
        self.writes += 1
        if self.gone:
            raise BrokenPipeError
        if not self.room:
            raise BlockingIOError
        taken = min(len(data), self.room)
        self.got += data[:taken]
        self.room -= taken
        return taken


def notice(number: int) -> bytes:
    return f"{number} dropped\n".encode()


async def test_lines_of_one_pass_of_the_loop_are_written_in_one_go_and_in_order() -> None:
    reader = Reader()
    lines = Lines(reader.write)
    lines.info(b"before\n")
    assert (reader.got, reader.writes) == (b"before\n", 1)

    async def talk() -> None:
        for text in (b"one\n", b"two\n"):
            lines.info(text)
        assert reader.writes == 1
        await trio.lowlevel.checkpoint()
        assert (reader.got, reader.writes) == (b"before\none\ntwo\n", 2)
        lines.info(b"last\n")

    await trio.to_thread.run_sync(partial(trio.run, talk, instruments=[lines]))
    assert reader.got.endswith(b"two\nlast\n")
    lines.info(b"after\n")
    assert reader.got.endswith(b"last\nafter\n")


def test_lines_that_a_slow_reader_has_no_room_for_come_when_it_has() -> None:
    reader = Reader(room=6)
    lines = Lines(reader.write, notice)
    for text in (b"one\n", b"two\n", b"three\n"):
        lines.info(text)
    assert reader.got == b"one\ntw"
    reader.room = 100
    lines.info(b"four\n")
    assert reader.got == b"one\ntwo\nthree\nfour\n"
    assert lines.dropped == 0


def test_what_a_stalled_reader_misses_is_counted_and_said_when_it_is_back() -> None:
    reader = Reader(room=0)
    lines = Lines(reader.write, notice)
    for number in range(MOST_LINES + 3):
        lines.info(b"%d\n" % number)
    assert lines.dropped == 3
    reader.room = 10**9
    lines.info(b"back\n")
    got = reader.got.splitlines()
    assert got[:MOST_LINES] == [b"%d" % number for number in range(MOST_LINES)]
    assert got[MOST_LINES:] == [b"3 dropped", b"back"]
    assert lines.dropped == 3


def test_a_stalled_reader_is_tried_once_in_a_pass_of_the_loop() -> None:
    reader = Reader(room=0)
    lines = Lines(reader.write, notice)
    lines.before_run()
    for _ in range(3 * MOST_LINES):
        lines.info(b"line\n")
    assert (lines.dropped, reader.writes) == (2 * MOST_LINES, 1)
    reader.room = 10**9
    lines.before_io_wait(0)
    assert reader.got == b"line\n" * MOST_LINES + b"%d dropped\n" % (2 * MOST_LINES)


def test_many_lines_in_one_pass_are_not_a_stall() -> None:
    reader = Reader()
    lines = Lines(reader.write)
    lines.before_run()
    for _ in range(3 * MOST_LINES):
        lines.info(b"busy\n")
    lines.after_run()
    assert lines.dropped == 0
    assert reader.got == b"busy\n" * 3 * MOST_LINES


def test_lines_that_nobody_will_ever_read_are_counted() -> None:
    reader = Reader()
    reader.gone = True
    lines = Lines(reader.write, notice)
    lines.info(b"one\n")
    lines.info(b"two\n")
    assert lines.dropped == 2
    reader.gone = False
    lines.info(b"three\n")
    assert reader.got == b"three\n"


def test_a_line_that_is_written_during_a_write_comes_after_it() -> None:
    """As from a finalizer, which may run anywhere."""
    got: list[bytes] = []

    def write(data: bytes) -> int:
        if not got:
            got.append(data)
            lines.info(b"inner\n")
            return len(data)
        got.append(data)
        return len(data)

    lines = Lines(write)
    lines.info(b"outer\n")
    assert got == [b"outer\n", b"inner\n"]


@pytest.fixture(params=["opened again", "without /proc"])
def pipe(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[tuple[int, int]]:
    """Give both ends of a pipe; one case is where it cannot be opened once more."""
    if request.param == "without /proc":
        monkeypatch.setattr(lines_module, "_reopened", refuse)
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def refuse(_fd: int) -> int:
    raise PermissionError


def test_a_full_pipe_is_never_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    lines = Lines(writing_to_descriptor(writer), notice)
    text = b"x" * 199 + b"\n"
    for _ in range(2 * MOST_LINES):
        lines.info(text)
    assert lines.dropped > 0
    got = b""
    while not got.endswith(b"dropped\n"):
        got += os.read(reader, 1_000_000)
        lines.info(text)
    told = got.splitlines()
    assert set(told[:-1]) == {text.strip()}
    assert told[-1] == b"%d dropped" % lines.dropped


def test_the_flags_of_a_pipe_that_is_shared_stay_as_they_are(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    before = fcntl.fcntl(writer, fcntl.F_GETFL)
    Lines(writing_to_descriptor(writer)).info(b"line\n")
    assert fcntl.fcntl(writer, fcntl.F_GETFL) == before
    assert not before & os.O_NONBLOCK


def test_a_pipe_without_a_reader_stops_nothing() -> None:
    reader, writer = os.pipe()
    lines = Lines(writing_to_descriptor(writer))
    os.close(reader)
    lines.info(b"heard by nobody\n")
    lines.info(b"and said all the same\n")
    os.close(writer)
    assert lines.dropped == 2


def test_a_terminal_whose_output_is_stopped_is_never_waited_for() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    before = fcntl.fcntl(theirs, fcntl.F_GETFL)
    lines = Lines(writing_to_descriptor(theirs))
    for _ in range(2 * MOST_LINES):
        lines.info(b"x" * 99 + b"\n")
    assert lines.dropped > 0
    assert fcntl.fcntl(theirs, fcntl.F_GETFL) == before
    os.close(ours)
    os.close(theirs)


def test_a_socket_that_nobody_reads_is_never_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lines = Lines(writing_to_descriptor(theirs.fileno()), notice)
        text = b"x" * 199 + b"\n"
        for _ in range(2 * MOST_LINES):
            lines.info(text)
        assert lines.dropped > 0
        assert ours.recv(1000).startswith(text)
        assert theirs.getblocking()


def test_a_file_gets_every_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        lines = Lines(writing_to_descriptor(file.fileno()))
        lines.info(b"one\n")
        lines.warning("two")
    assert log.read_bytes() == b"one\ntwo\n"


def test_a_file_on_a_full_device_stops_nothing() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        lines = Lines(writing_to_descriptor(full.fileno()))
        lines.info(b"one\n")
    assert lines.dropped == 1
