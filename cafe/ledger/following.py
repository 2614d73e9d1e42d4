"""The position of a follower of the log, for tasks that wait for the effects of an event.

Rule: one follower advances it when the effects are committed; any number of tasks wait. A task in
another process asks the follower's process to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import trio

from cafe.ledger.view import LedgerView


class Following(Protocol):
    """Waits until a follower has reached a position of the log."""

    async def wait(self, position: int, /) -> None:
        """Return when the log is followed up to a position."""
        ...


class Followed:
    """The position up to which the log was followed, for tasks of this process."""

    def __init__(self) -> None:
        self._position = 0
        self._wanted = 0
        """The highest position that a task waits for."""
        self._waiting = trio.lowlevel.ParkingLot()
        self._idle = trio.lowlevel.ParkingLot()

    def advance(self, position: int) -> None:
        """Record that all effects of the events up to a position are committed."""
        self._position = position
        self._waiting.unpark_all()

    async def wait(self, position: int) -> None:
        """Return when the log is followed up to a position."""
        while self._position < position:
            self._wanted = max(self._wanted, position)
            self._idle.unpark_all()
            await self._waiting.park()

    async def pause(self, seconds: float) -> None:
        """Let events gather for some seconds; return earlier if a task waits for them."""
        with trio.move_on_after(seconds):
            while self._wanted <= self._position:
                await self._idle.park()


class FollowedElsewhere:
    """The position up to which another process followed the log, for tasks of this one."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Wait by `ask`, which calls the result of `for_others` in that process."""
        self._ask = ask

    async def wait(self, _position: int, /) -> None:
        """Return when the log is followed up to what is committed when the ask arrives.

        That is at least any position that this process knows.
        """
        await self._ask()


def for_others(followed: Followed, ledger: LedgerView) -> Callable[[], Awaitable[None]]:
    """Return the call for a `FollowedElsewhere`, in the follower's process."""
    return partial(_wait_for_all, followed, ledger)


async def _wait_for_all(followed: Followed, ledger: LedgerView) -> None:
    await followed.wait(ledger.statistics().position)
