"""Group: actors, and groups of them, that are restarted by one strategy.

The one rule: a new instance starts only when the old ones that fell with it have unwound, and those
of the group that were started before it are up, whatever they crashed of, for it may need them. So
does a newcomer. Each actor restarts in its own task, so that nobody is needed for another's
restart, and one that stops meanwhile holds up nobody.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Union

import trio

from actors.deadlock import begin_wait
from actors.errors import ActorCrashed
from actors.factory import FactoryCall
from actors.strategy import Strategy
from actors.tree import Tree

if TYPE_CHECKING:
    from actors.cell import Cell

Member = Union["Cell[Any]", "Group"]


class Group:
    """The members that live, in the order of their start."""

    def __init__(self, name: str, strategy: Strategy, parent: "Group | None" = None) -> None:
        self.name = name
        self.strategy = strategy
        # Ordered, and as quick to leave as to join.
        self._members: dict[Member, None] = {}
        self._parent = parent
        self._closed = False
        # The factories of newcomers that are being awaited.
        self._starting: set[FactoryCall[Any]] = set()
        # One for the whole system: restarts are rare.
        self.waiting: trio.lowlevel.ParkingLot = (
            trio.lowlevel.ParkingLot() if parent is None else parent.waiting
        )

    def cells(self) -> Iterator["Cell[Any]"]:
        """Yield every actor, those of the groups within included."""
        for member in tuple(self._members):
            yield from member.cells()

    def add(self, member: Member) -> None:
        """Take on a member that has started."""
        self._members[member] = None

    def subgroup(self, name: str, strategy: Strategy) -> "Group":
        """Add a group, in the place of one actor."""
        group = Group(name, strategy, self)
        self.add(group)
        return group

    def remove(self, member: Member) -> None:
        """Forget a member that has stopped."""
        self._members.pop(member, None)
        self.changed()

    @contextmanager
    def starting(self, call: FactoryCall[Any]) -> Generator[None]:
        """Have a newcomer's factory interrupted if this closes, or an actor before it falls."""
        self._starting.add(call)
        try:
            yield
        finally:
            self._starting.remove(call)

    def interrupt_starts(self) -> None:
        """Interrupt the factories of newcomers, those in the groups within included."""
        for call in self._starting:
            call.interrupt()
        for member in self._members:
            if isinstance(member, Group):
                member.interrupt_starts()

    @property
    def closed(self) -> bool:
        """Whether nobody starts here any more, because this is ended, or what it is in."""
        return self._closed or (self._parent is not None and self._parent.closed)

    def close(self) -> None:
        """Take nobody on any more."""
        self._closed = True
        self.interrupt_starts()
        self.changed()

    async def stop(self) -> None:
        """Take nobody on any more, stop the members, last first, and leave the parent."""
        self.close()
        for cell in reversed(list(self.cells())):
            cell.close()
            await cell.ref.wait_stopped()
        if self._parent is not None:
            self._parent.remove(self)

    def fall(self, crashed: "Cell[Any]", crash: ActorCrashed) -> None:
        """Take along those who are restarted with a crashed actor, last started first."""
        if self.strategy is not Strategy.ONE_FOR_ONE:
            for call in self._starting:
                call.interrupt()
        for member in reversed(self.strategy.others(list(self._members), crashed)):
            if isinstance(member, Group):
                member.interrupt_starts()
            for cell in reversed(list(member.cells())):
                cell.retire(crash)

    async def wait_turn(self, cell: "Cell[Any]") -> None:
        """Wait until a new instance of a fallen actor may start."""
        while not self.may_start(cell):
            await self.waiting.park()

    async def wait_to_join(self) -> None:
        """Wait until a newcomer may start, or the group is closed; raise Deadlock in a circle."""
        while not self.closed and (cell := next(self.holding_up(None), None)) is not None:
            wait = begin_wait(cell, lambda: self.may_start(None))
            try:
                await self.waiting.park()
            finally:
                if wait is not None:
                    wait.end()

    def may_start(self, member: Member | None) -> bool:
        """Tell whether all who are to be gone are gone, and all who are to be up are up."""
        return next(self.holding_up(member), None) is None

    def holding_up(self, member: Member | None) -> Iterator["Cell[Any]"]:
        """Yield those who are not gone yet, and those who are not up yet."""
        if self.strategy is not Strategy.ONE_FOR_ONE:
            earlier = True
            for other in self._members:
                earlier = earlier and other is not member
                for cell in other.cells():
                    if cell.unwinding or (earlier and cell.fallen):
                        yield cell
        if self._parent is not None:
            yield from self._parent.holding_up(self)

    def changed(self) -> None:
        """Let those who wait for their turn look again."""
        self.waiting.unpark_all()

    def tree(self) -> Tree:
        """Return what can be seen of every actor; another thread may ask, too."""
        return Tree(
            self.name,
            self.strategy,
            tuple(
                member.tree() if isinstance(member, Group) else member.statistics()
                # A copy, in one step: the actors' thread may go on meanwhile.
                for member in tuple(self._members)
            ),
        )
