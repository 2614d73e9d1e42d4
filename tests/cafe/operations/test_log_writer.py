"""Log lines and their reader: slow, stalled, gone, or behind a socket."""

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

from cafe.operations import logs
from cafe.operations.logs import MOST_LINES, LogWriter, non_blocking_write_fd


class Reader:
    """Accepts up to `room` bytes; counts the writes."""

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


async def test_lines_of_one_iteration_of_the_loop_are_written_together_and_in_order() -> None:
    reader = Reader()
    writer = LogWriter(reader.write)
    writer.info(b"before\n")
    assert (reader.got, reader.writes) == (b"before\n", 1)

    async def log_lines() -> None:
        for text in (b"one\n", b"two\n"):
            writer.info(text)
        assert reader.writes == 1
        await trio.lowlevel.checkpoint()
        assert (reader.got, reader.writes) == (b"before\none\ntwo\n", 2)
        writer.info(b"last\n")

    await trio.to_thread.run_sync(partial(trio.run, log_lines, instruments=[writer]))
    assert reader.got.endswith(b"two\nlast\n")
    writer.info(b"after\n")
    assert reader.got.endswith(b"last\nafter\n")


def test_lines_wait_until_a_slow_reader_has_room() -> None:
    reader = Reader(room=6)
    writer = LogWriter(reader.write, notice)
    for text in (b"one\n", b"two\n", b"three\n"):
        writer.info(text)
    assert reader.got == b"one\ntw"
    reader.room = 100
    writer.info(b"four\n")
    assert reader.got == b"one\ntwo\nthree\nfour\n"
    assert writer.dropped == 0


@pytest.mark.slow
def test_lines_dropped_for_a_stalled_reader_are_counted_and_reported_when_it_goes_on() -> None:
    reader = Reader(room=0)
    writer = LogWriter(reader.write, notice)
    for number in range(MOST_LINES + 3):
        writer.info(b"%d\n" % number)
    assert writer.dropped == 3
    reader.room = 10**9
    writer.info(b"back\n")
    got = reader.got.splitlines()
    assert got[:MOST_LINES] == [b"%d" % number for number in range(MOST_LINES)]
    assert got[MOST_LINES:] == [b"3 dropped", b"back"]
    assert writer.dropped == 3


def test_a_write_to_a_stalled_reader_is_tried_once_in_an_iteration_of_the_loop() -> None:
    reader = Reader(room=0)
    writer = LogWriter(reader.write, notice)
    writer.before_run()
    for _ in range(3 * MOST_LINES):
        writer.info(b"line\n")
    assert (writer.dropped, reader.writes) == (2 * MOST_LINES, 1)
    reader.room = 10**9
    writer.before_io_wait(0)
    assert reader.got == b"line\n" * MOST_LINES + b"%d dropped\n" % (2 * MOST_LINES)


def test_many_lines_in_one_iteration_are_not_a_stall() -> None:
    reader = Reader()
    writer = LogWriter(reader.write)
    writer.before_run()
    for _ in range(3 * MOST_LINES):
        writer.info(b"busy\n")
    writer.after_run()
    assert writer.dropped == 0
    assert reader.got == b"busy\n" * 3 * MOST_LINES


def test_lines_for_a_closed_pipe_are_counted() -> None:
    reader = Reader()
    reader.gone = True
    writer = LogWriter(reader.write, notice)
    writer.info(b"one\n")
    writer.info(b"two\n")
    assert writer.dropped == 2
    reader.gone = False
    writer.info(b"three\n")
    assert reader.got == b"three\n"


def test_a_line_logged_during_a_write_is_written_after_it() -> None:
    """As a finalizer may, which runs anywhere."""
    got: list[bytes] = []

    def write(data: bytes) -> int:
        if not got:
            got.append(data)
            writer.info(b"inner\n")
            return len(data)
        got.append(data)
        return len(data)

    writer = LogWriter(write)
    writer.info(b"outer\n")
    assert got == [b"outer\n", b"inner\n"]


@pytest.fixture(params=["opened again", "without /proc"])
def pipe(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[tuple[int, int]]:
    """Return both ends of a pipe; in one case it cannot be opened once more."""
    if request.param == "without /proc":
        monkeypatch.setattr(logs, "_reopen", refuse)
    reader, write_end = os.pipe()
    yield reader, write_end
    os.close(reader)
    os.close(write_end)


def refuse(_fd: int) -> int:
    raise PermissionError


def test_a_full_pipe_never_blocks(pipe: tuple[int, int]) -> None:
    reader, write_end = pipe
    writer = LogWriter(non_blocking_write_fd(write_end), notice)
    text = b"x" * 199 + b"\n"
    for _ in range(2 * MOST_LINES):
        writer.info(text)
    assert writer.dropped > 0
    got = b""
    while not got.endswith(b"dropped\n"):
        got += os.read(reader, 1_000_000)
        writer.info(text)
    lines = got.splitlines()
    assert set(lines[:-1]) == {text.strip()}
    assert lines[-1] == b"%d dropped" % writer.dropped


def test_the_flags_of_a_shared_pipe_are_not_changed(pipe: tuple[int, int]) -> None:
    _, write_end = pipe
    before = fcntl.fcntl(write_end, fcntl.F_GETFL)
    LogWriter(non_blocking_write_fd(write_end)).info(b"line\n")
    assert fcntl.fcntl(write_end, fcntl.F_GETFL) == before
    assert not before & os.O_NONBLOCK


def test_a_pipe_without_a_reader_raises_nothing() -> None:
    reader, write_end = os.pipe()
    writer = LogWriter(non_blocking_write_fd(write_end))
    os.close(reader)
    writer.info(b"heard by nobody\n")
    writer.info(b"and said all the same\n")
    os.close(write_end)
    assert writer.dropped == 2


@pytest.mark.slow
def test_a_terminal_whose_output_is_stopped_never_blocks() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    before = fcntl.fcntl(theirs, fcntl.F_GETFL)
    writer = LogWriter(non_blocking_write_fd(theirs))
    for _ in range(2 * MOST_LINES):
        writer.info(b"x" * 99 + b"\n")
    assert writer.dropped > 0
    assert fcntl.fcntl(theirs, fcntl.F_GETFL) == before
    os.close(ours)
    os.close(theirs)


def test_a_socket_that_nobody_reads_never_blocks() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = LogWriter(non_blocking_write_fd(theirs.fileno()), notice)
        text = b"x" * 199 + b"\n"
        for _ in range(2 * MOST_LINES):
            writer.info(text)
        assert writer.dropped > 0
        assert ours.recv(1000).startswith(text)
        assert theirs.getblocking()


def test_a_file_gets_every_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        writer = LogWriter(non_blocking_write_fd(file.fileno()))
        writer.info(b"one\n")
        writer.warning("two")
    assert log.read_bytes() == b"one\ntwo\n"


def test_a_file_on_a_full_device_raises_nothing() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        writer = LogWriter(non_blocking_write_fd(full.fileno()))
        writer.info(b"one\n")
    assert writer.dropped == 1
