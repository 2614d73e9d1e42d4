"""Roster: the actors of one system that live, in the order of their start.

The one rule: they stop one after the other, last started first, for an actor may ask those that
were started before it until its own end.
"""

from collections import defaultdict
from typing import Any

import trio

from actors.cell import Cell
from actors.errors import ActorError, Deadlock
from actors.group import Group
from actors.instrument import Listeners


class Roster:
    """Runs the actors' tasks, and stops them."""

    def __init__(self, instruments: Listeners | None) -> None:
        self.nursery: trio.Nursery
        # Cancelled when an actor fails for good.
        self.block = trio.CancelScope()
        self.instruments = instruments
        self.cells: dict[str, Cell[Any]] = {}
        self.closing = False
        self.failure: ActorError | None = None
        # The last that was given to each name: none is given again, so that logs stay clear.
        self._numbers: defaultdict[str, int] = defaultdict(lambda: 1)

    def free_name(self, wanted: str) -> str:
        """Return the name, with a number if another actor bears it."""
        name = wanted
        while name in self.cells:
            self._numbers[wanted] += 1
            name = f"{wanted}-{self._numbers[wanted]}"
        return name

    def add(self, cell: Cell[Any], group: Group) -> None:
        """Run an actor that has begun."""
        self.cells[cell.name] = cell
        group.add(cell)
        self.nursery.start_soon(self._host, cell, name=f"actor {cell.name}")

    async def stop(self, grace: float) -> None:
        """Stop every actor; those for whom the grace period is too short, without the rest."""
        self.closing = True
        try:
            with trio.move_on_after(grace):
                for cell in reversed(list(self.cells.values())):
                    cell.close()
                    try:
                        # As a handler does that opened this system, and that they may ask.
                        await cell.ref.wait_stopped()
                    except Deadlock:
                        # One has asked already; perhaps it gives up before the time is over.
                        await cell.stopped.wait()
        finally:
            with trio.CancelScope(shield=True):
                await self._kill()

    async def _kill(self) -> None:
        """End the rest, each after those that were started later.

        All are cancelled at once, and whoever asks one of them as it unwinds is failed, so that no
        end has to wait for an answer.
        """
        cells = list(reversed(self.cells.values()))
        after: trio.Event | None = None
        for cell in cells:
            cell.kill(after)
            after = cell.stopped
        for cell in cells:
            cell.fail_rest()
        if after is not None:
            await after.wait()

    @trio.lowlevel.enable_ki_protection
    async def _host(self, cell: Cell[Any]) -> None:
        try:
            await cell.run()
        finally:
            del self.cells[cell.name]
        if cell.failure is not None:
            self.block.cancel()
            # What fails after the first, and is logged, usually fails because of it.
            self.failure = self.failure or cell.failure
