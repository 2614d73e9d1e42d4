"""Listener, which waits for a probe's messages in a task, and a message with a subtype."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from actors import ActorStopped
from actors.testing import Probe
from tests.actors.counter import Add, Counter


@dataclass(frozen=True, slots=True)
class AddTwice(Add):
    """A kind of Add."""


class Listener:
    """Waits in `next` in a task of its own, and can be cancelled."""

    def __init__(self, nursery: trio.Nursery, probe: Probe[Counter], kind: type[Add] = Add) -> None:
        self.scope = trio.CancelScope()
        self.got: Add | None = None
        self.stopped_by: str | None = None
        nursery.start_soon(self._listen, probe, kind)

    async def _listen(self, probe: Probe[Counter], kind: type[Add]) -> None:
        with self.scope:
            try:
                self.got = await probe.next(kind)
            except ActorStopped as stopped:
                self.stopped_by = stopped.name
