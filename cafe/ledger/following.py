"""How far a follower of the log is, for those that wait for the effects of an event.

Rule: one follower advances it, when the effects are committed; any number of others wait.
"""

from __future__ import annotations

import trio


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
