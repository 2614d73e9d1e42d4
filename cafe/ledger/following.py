"""How far a follower of the log is, for those that wait for the effects of an event.

Rule: one follower advances it, when the effects are committed; any number of others wait. Those in
another process than the follower ask that process to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import trio

from cafe.ledger.view import LedgerView


class Following(Protocol):
    """What those need that wait."""

    async def wait(self, position: int, /) -> None:
        """Return when the log is followed up to a position."""
        ...


class Followed:
    """How far the log was followed, for those that wait for that."""

    def __init__(self) -> None:
        self._position = 0
        self._wanted = 0
        """The highest position that anyone waits for."""
        self._waiting = trio.lowlevel.ParkingLot()
        self._idle = trio.lowlevel.ParkingLot()

    def advance(self, position: int) -> None:
        """Note that all effects of the events up to a position are committed."""
        self._position = position
        self._waiting.unpark_all()

    async def wait(self, position: int) -> None:
        """Return when the log is followed up to a position."""
        while self._position < position:
            self._wanted = max(self._wanted, position)
            self._idle.unpark_all()
            await self._waiting.park()

    async def pause(self, seconds: float) -> None:
        """Let events gather for some seconds, unless someone waits for them."""
        with trio.move_on_after(seconds):
            while self._wanted <= self._position:
                await self._idle.park()


class FollowedElsewhere:
    """How far another process has followed the log, for those that wait here."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask by `ask`, which calls `for_others` in that process."""
        self._ask = ask

    async def wait(self, _position: int, /) -> None:
        """Return when the log is followed up to all that is committed as the ask arrives.

        That is further than any position that has been heard of here.
        """
        await self._ask()


def for_others(followed: Followed, ledger: LedgerView) -> Callable[[], Awaitable[None]]:
    """Return what a `FollowedElsewhere` asks, where the follower is."""
    return partial(_wait_for_all, followed, ledger)


async def _wait_for_all(followed: Followed, ledger: LedgerView) -> None:
    await followed.wait(ledger.statistics().position)
