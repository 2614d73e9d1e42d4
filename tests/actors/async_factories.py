"""Async factories of members, which wait for a function that a test sets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from actors import Restart, System
from tests.actors.actors_in_groups import UNLIMITED, Member, MembersInSystem


class AsyncFactories:
    """Makes members, and notes when a factory waits and when it is cancelled."""

    def __init__(self, members: MembersInSystem) -> None:
        self.members = members
        # The functions that factories wait for, by name of member; other factories do not wait.
        self.waits: dict[str, Callable[[], Awaitable[object]]] = {}

    async def start(self, names: str, group: System, restart: Restart = UNLIMITED) -> None:
        for name in names:
            factory = partial(self.make, name)
            self.members.refs[name] = await group.start(factory, name=name, restart=restart)

    async def make(self, name: str) -> Member:
        if name in self.waits:
            self.members.note(f"{name} waits")
            try:
                await self.waits[name]()
            except trio.Cancelled:
                self.members.note(f"{name} cancelled")
                raise
        return Member(self.members, name)


async def clean_up(seconds: float) -> None:
    """Wait until cancelled, and then for this many seconds under a shield."""
    try:
        await trio.sleep_forever()
    finally:
        await shielded(seconds)


async def shielded(seconds: float) -> None:
    """Wait for this many seconds under a shield."""
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


async def fail_when_cancelled() -> None:
    """Wait until cancelled, and raise something else."""
    try:
        await trio.sleep_forever()
    finally:
        raise LookupError("as it unwinds")
