"""Shows what the players do while they do it: live on a terminal, else a plain line now and then.

Rule: boards are pulled, never pushed. A player keeps its own state; drawing only reads it.
Progress goes to stderr, so that stdout carries the result alone. What others have written, as the
names of customers, is text: rich takes a plain string for markup, and lets control characters pass.
"""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

import trio
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cafe.cli.streams import forget_errors
from cafe.printable import printable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rich.console import RenderableType

_FRAME_SECONDS = 0.125
_LINE_SECONDS = 5.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, the terminal closed


def as_text(words: str) -> Text:
    """Give words as rich shows them: names are no markup, and have no control characters."""
    return Text(printable(words))


def plain_console(file: TextIO | None = None) -> Console:
    """Make a console on stdout, or `file`, that takes strings for text and not for markup."""
    return Console(file=file, highlight=False, markup=False, emoji=False)


class ProgressConsole(Console):
    """A console on stderr, where it does not matter whether anybody looks."""

    def on_broken_pipe(self) -> None:
        """Say no more; rich would let go of stdout, and end the program."""
        self.quiet = True


class Board(Protocol):
    """What can be shown: as a few rows, and as one line."""

    def rows(self) -> RenderableType:
        """Draw the state of now."""
        ...

    def line(self) -> str:
        """Say the state of now in one line."""
        ...


@asynccontextmanager
async def shown(board: Board, console: Console | None = None) -> AsyncGenerator[None]:
    """Show `board` while the block runs; Ctrl-C and the like cancel the block, not the program."""
    async with trio.open_nursery() as nursery:
        await nursery.start(_cancel_on_signal, nursery.cancel_scope)
        nursery.start_soon(_show, board, console or ProgressConsole(stderr=True))
        yield
        nursery.cancel_scope.cancel()


async def _cancel_on_signal(
    scope: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(*_ENDING) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()
            return


async def _show(board: Board, console: Console) -> None:
    """Show the board for ever, or until that cannot be written any more."""
    try:
        await _draw(board, console)
    except OSError:
        if console.stderr:
            forget_errors()


async def _draw(board: Board, console: Console) -> None:
    if not console.is_terminal:
        while True:
            await trio.sleep(_LINE_SECONDS)
            console.print(as_text(board.line()), soft_wrap=True)
    # Drawn by this task instead of rich's own thread, so that nothing changes during a drawing.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(board.rows(), refresh=True)
            await trio.sleep(_FRAME_SECONDS)
