"""Shows the players' progress: live on a terminal, otherwise a plain line every five seconds.

Rule: boards are pulled, never pushed. A player keeps its own state; drawing only reads it.
Progress goes to stderr, so that stdout has the result alone. Untrusted text, such as a customer's
name, is escaped: rich reads a plain string as markup, and lets control characters pass.
"""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

import trio
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cafe.cli.streams import discard_stderr
from cafe.operations.printable import printable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rich.console import RenderableType

_FRAME_SECONDS = 0.125
_LINE_SECONDS = 5.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, the terminal closed


def as_text(untrusted: str) -> Text:
    """Return untrusted text for rich: never read as markup, control characters escaped."""
    return Text(printable(untrusted))


def plain_console(file: TextIO | None = None) -> Console:
    """Return a console on stdout, or `file`, that prints strings as they are, not as markup."""
    return Console(file=file, highlight=False, markup=False, emoji=False)


class ProgressConsole(Console):
    """A console on stderr, whose failure does not matter."""

    def on_broken_pipe(self) -> None:
        """Print nothing from now on; rich would redirect stdout, and end the program."""
        self.quiet = True


class Board(Protocol):
    """Progress that can be shown, as a few rows or as one line."""

    def rows(self) -> RenderableType:
        """Draw the current state."""
        ...

    def line(self) -> str:
        """Return the current state in one line."""
        ...


@asynccontextmanager
async def shown(board: Board, console: Console | None = None) -> AsyncGenerator[None]:
    """Show `board` while the block runs; SIGINT, SIGTERM and SIGHUP cancel the block only."""
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
    """Show the board until this is cancelled, or until it cannot be written."""
    try:
        await _draw(board, console)
    except OSError:
        if console.stderr:
            discard_stderr()


async def _draw(board: Board, console: Console) -> None:
    if not console.is_terminal:
        while True:
            await trio.sleep(_LINE_SECONDS)
            console.print(as_text(board.line()), soft_wrap=True)
    # Drawn by this task and not by rich's own thread, so that nothing changes meanwhile.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(board.rows(), refresh=True)
            await trio.sleep(_FRAME_SECONDS)
