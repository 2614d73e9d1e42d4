"""A workshop: async factories of players, which wait for what a test tells them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from actors import Restart, System
from tests.actors.troupe import PATIENT, Company, Player


class Workshop:
    """Makes the players of a company, and notes whose factory waits and whose was cancelled."""

    def __init__(self, company: Company) -> None:
        self.company = company
        # What the factories wait for, by name of player; the others do not wait at all.
        self.waits: dict[str, Callable[[], Awaitable[object]]] = {}

    async def hire(self, names: str, group: System, restart: Restart = PATIENT) -> None:
        for name in names:
            factory = partial(self.make, name)
            self.company.refs[name] = await group.start(factory, name=name, restart=restart)

    async def make(self, name: str) -> Player:
        if name in self.waits:
            self.company.note(f"{name} waits")
            try:
                await self.waits[name]()
            except trio.Cancelled:
                self.company.note(f"{name} cancelled")
                raise
        return Player(self.company, name)


async def tidy_up(seconds: float) -> None:
    """Wait until cancelled, and then for so long that nothing can cancel it."""
    try:
        await trio.sleep_forever()
    finally:
        await shielded(seconds)


async def shielded(seconds: float) -> None:
    """Wait for so long, and take no notice of being cancelled."""
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


async def break_when_cancelled() -> None:
    """Wait until cancelled, and raise something else."""
    try:
        await trio.sleep_forever()
    finally:
        raise LookupError("as it unwinds")
