"""Ctrl-C at every line of the toolkit, one after the other.

A trace function counts the lines, and the signal is a real one, because only trio's own handler
knows which code it may interrupt.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Self

import trio
from trio.testing import MockClock

import actors

PACKAGE = str(Path(actors.__file__).parent)
Step = Callable[[], Awaitable[object]]


class Interrupter:
    """Presses Ctrl-C at one line of the toolkit, counted from the start of its block."""

    def __init__(self, line: int) -> None:
        self.left = line
        self.where = ""

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_args: object) -> None:
        sys.settrace(self._before)

    def trace(self, frame: FrameType, event: str, _arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line" and not self.where:
            self.left -= 1
            if not self.left:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self.trace


def run(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=MockClock(autojump_threshold=0))


def interrupt_each_line(scenario: Callable[[Interrupter], Awaitable[None]]) -> list[str]:
    """Run a scenario repeatedly, interrupted one line later each time; return the lines."""
    lines: list[str] = []
    while True:
        interrupter = Interrupter(len(lines) + 1)
        try:
            run(partial(scenario, interrupter))
        except* KeyboardInterrupt:
            pass
        except* BaseException as error:
            raise AssertionError(f"interrupted at {interrupter.where}") from error
        if not interrupter.where:
            return lines
        lines.append(interrupter.where)


async def is_interrupted(interrupter: Interrupter, step: Step) -> None:
    """Run a step that is interrupted, and check that a later sleep is not woken early."""
    with interrupter:
        try:
            await step()
            await trio.sleep(1)
        except KeyboardInterrupt:
            pass
    began = trio.current_time()
    await trio.sleep(10)
    assert trio.current_time() == began + 10
