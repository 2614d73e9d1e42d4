"""Boards: frames on a terminal, lines elsewhere."""

from __future__ import annotations

import errno
import io
import os
import signal

import pytest
import trio
import trio.testing
from rich.console import Console
from rich.text import Text

from cafe.players.board import ProgressConsole, shown


class Counter:
    """A board that counts how often it was drawn."""

    def __init__(self, says: str = "all is well") -> None:
        self.drawn = 0
        self.says = says

    def rows(self) -> Text:
        self.drawn += 1
        return Text(f"frame {self.drawn}")

    def line(self) -> str:
        return self.says


async def test_a_terminal_gets_frames_that_leave_nothing_behind(
    autojump_clock: trio.testing.MockClock,
) -> None:
    board, screen = Counter(), io.StringIO()
    begin = autojump_clock.current_time()
    async with shown(board, Console(file=screen, force_terminal=True, width=40)):
        await trio.sleep(1)
    assert autojump_clock.current_time() - begin == pytest.approx(1)
    assert board.drawn >= 8
    assert "frame 5" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")  # the last frame is wiped


async def test_what_is_not_a_terminal_gets_a_plain_line_now_and_then(
    autojump_clock: trio.testing.MockClock,
) -> None:
    screen = io.StringIO()
    begin = autojump_clock.current_time()
    async with shown(Counter(), Console(file=screen, force_terminal=False, width=40)):
        await trio.sleep(16)
    assert autojump_clock.current_time() - begin == pytest.approx(16)
    assert screen.getvalue() == "all is well\n" * 3


async def test_a_plain_line_is_escaped(autojump_clock: trio.testing.MockClock) -> None:
    screen, board = io.StringIO(), Counter("[/] for [bold]Ada[/bold] \x1b[2J")
    begin = autojump_clock.current_time()
    async with shown(board, Console(file=screen, force_terminal=False, width=20)):
        await trio.sleep(6)
    assert autojump_clock.current_time() - begin == pytest.approx(6)
    assert screen.getvalue() == r"[/] for [bold]Ada[/bold] \x1b[2J" + "\n"


class Broken(io.StringIO):
    """A file that raises an error at each write."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, _text: str, /) -> int:
        raise self.error


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO])
async def test_a_board_that_cannot_be_written_does_not_end_the_block(
    autojump_clock: trio.testing.MockClock, number: int, *, terminal: bool
) -> None:
    """As on a full device, or when the reader of stderr is gone."""
    screen = Broken(OSError(number, os.strerror(number)))
    output = os.fstat(1)
    begin = autojump_clock.current_time()
    async with shown(Counter(), ProgressConsole(file=screen, force_terminal=terminal)):
        await trio.sleep(16)
    assert autojump_clock.current_time() - begin == pytest.approx(16)
    assert os.fstat(1) == output


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_block_and_not_the_program(signum: signal.Signals) -> None:
    begun = ended = False
    async with shown(Counter(), Console(file=io.StringIO())):
        begun = True
        os.kill(os.getpid(), signum)
        await trio.sleep_forever()
        ended = True
    assert begun
    assert not ended
