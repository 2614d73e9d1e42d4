"""Group: actors, and groups of them, that are restarted by one strategy.

The one rule: a new instance starts only when the old instances stopped with it have unwound and the
members started before it are up, whatever crash stopped them, because it may need them. The same
is true of an actor that is started in the group later. Each actor restarts in its own task, so no
actor is needed for another's restart, and one that stops meanwhile blocks none.

Two limits, for simplicity: in a one_for_one group no member waits for those before it, even when
the enclosing group restarts all of them; and in a group of another strategy each start waits for
whatever unwinds in it, even for an actor that crashed alone in a group within.
"""

from bisect import bisect_left, insort
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Union

import trio

from actors.deadlock import Node, Place, begin_wait
from actors.errors import ActorCrashed
from actors.instance import FactoryCall
from actors.monitoring import Tree
from actors.restart import Strategy

if TYPE_CHECKING:
    from actors.cell import Cell

Member = Union["Cell[Any]", "Group"]


class Group:
    """The members that have not stopped, in the order of their start."""

    def __init__(self, name: str, strategy: Strategy, parent: "Group | None" = None) -> None:
        self.name = name
        self.strategy = strategy
        # Each with its number, which is its place in the order. Joining and leaving are O(1).
        self._members: dict[Member, int] = {}
        self._numbers = count(1)
        # Members that are not up, or have an actor that is not; and their numbers, in order.
        self._down: dict[int, Member] = {}
        self._down_in_order: list[int] = []
        # Members in which async code that a crash has interrupted has yet to end.
        self._unwinding: dict[Member, None] = {}
        self._all_unwound = trio.lowlevel.ParkingLot()
        # Where the members after one that is not up wait for it, by its number.
        self._up: dict[int, trio.lowlevel.ParkingLot] = {}
        self._parent = parent
        self._closed = False
        # The factories of newcomers that are being awaited, and the newcomers that have to wait.
        self._starting: set[FactoryCall[Any]] = set()
        self._joining: set[trio.CancelScope] = set()

    def cells(self) -> Iterator["Cell[Any]"]:
        """Yield every actor, including those of the groups within."""
        for member in tuple(self._members):
            yield from member.cells()

    def add(self, member: Member) -> None:
        """Add a member that has started, as the last."""
        self._members[member] = next(self._numbers)

    def subgroup(self, name: str, strategy: Strategy) -> "Group":
        """Add a group, in the place of one actor."""
        group = Group(name, strategy, self)
        self.add(group)
        return group

    def remove(self, member: Member) -> None:
        """Remove a member that has stopped."""
        if member in self._members:
            self.unwound(member)
            self.came_up(member)
            del self._members[member]

    @contextmanager
    def starting(self, call: FactoryCall[Any]) -> Generator[None]:
        """Interrupt a newcomer's factory if the group closes or restarts its members meanwhile."""
        self._starting.add(call)
        try:
            yield
        finally:
            self._starting.remove(call)

    def interrupt_starts(self) -> None:
        """Interrupt the factories of newcomers, including those in the groups within.

        Newcomers that wait to join check again whether they may.
        """
        for call in self._starting:
            call.interrupt()
        for scope in self._joining:
            scope.cancel()
        for member in self._members:
            if isinstance(member, Group):
                member.interrupt_starts()

    @property
    def closed(self) -> bool:
        """Whether no actor may start here: this group, or one that encloses it, was closed."""
        return self._closed or (self._parent is not None and self._parent.closed)

    def close(self) -> None:
        """Refuse further starts in this group, and interrupt those under way."""
        self._closed = True
        self.interrupt_starts()

    async def stop(self) -> None:
        """Close this group, stop its members, the last first, and leave the parent."""
        self.close()
        for cell in reversed(list(self.cells())):
            cell.close()
            await cell.ref.wait_stopped()
        if self._parent is not None:
            self._parent.remove(self)

    def restart_others(self, crashed: "Cell[Any]", crash: ActorCrashed) -> None:
        """Restart the members that the strategy restarts with the crashed one, the last first."""
        if self.strategy is not Strategy.ONE_FOR_ONE:
            for call in self._starting:
                call.interrupt()
        for member in reversed(self.strategy.others(list(self._members), crashed)):
            if isinstance(member, Group):
                member.interrupt_starts()
            for cell in reversed(list(member.cells())):
                cell.restart_with(crash)

    def went_down(self, member: Member, *, unwinding: bool) -> None:
        """Note that a member, or an actor in it, is not up, and whether it has yet to unwind."""
        number = self._members[member]
        if number not in self._down:
            self._down[number] = member
            insort(self._down_in_order, number)
        if unwinding:
            self._unwinding[member] = None
        if self._parent is not None:
            self._parent.went_down(self, unwinding=unwinding)

    def unwound(self, member: Member) -> None:
        """Note that everything in a member has unwound."""
        self._unwinding.pop(member, None)
        if not self._unwinding:
            self._all_unwound.unpark_all()
            if self._parent is not None:
                self._parent.unwound(self)

    def came_up(self, member: Member) -> None:
        """Note that every actor in a member is up, or has stopped."""
        number = self._members.get(member, 0)
        if self._down.pop(number, None) is None:
            return
        del self._down_in_order[bisect_left(self._down_in_order, number)]
        if number in self._up:
            self._up.pop(number).unpark_all()
        if not self._down and self._parent is not None:
            self._parent.came_up(self)

    async def wait_to_restart(self, cell: "Cell[Any]") -> None:
        """Wait until a new instance of a crashed actor may start."""
        while (lot := self.obstacle(cell)) is not None:
            await lot.park()

    async def wait_to_join(self) -> None:
        """Wait until a newcomer may start, or the group is closed; raise Deadlock in a cycle."""
        while not self.closed and (lot := self.obstacle(None)) is not None:
            wait = begin_wait(Place(self), lambda: self.closed or self.may_start(None))
            scope = trio.CancelScope()
            self._joining.add(scope)
            try:
                with scope:
                    await lot.park()
            finally:
                self._joining.remove(scope)
                if wait is not None:
                    wait.end()

    def may_start(self, member: Member | None) -> bool:
        """Return whether a member, or a newcomer, has nothing to wait for."""
        return self.obstacle(member) is None

    def obstacle(self, member: Member | None) -> trio.lowlevel.ParkingLot | None:
        """Return where to wait for what next blocks a member, or a newcomer; None if nothing does.

        Each waits for the last member before it that is not up. If all waited in one place, all
        would be woken whenever one of them comes up.
        """
        if self.strategy is not Strategy.ONE_FOR_ONE:
            before = self._last_down_before(self._number(member))
            if before:
                return self._up.setdefault(before, trio.lowlevel.ParkingLot())
            if self._unwinding:
                return self._all_unwound
        return None if self._parent is None else self._parent.obstacle(self)

    def blocked_by(self, member: Member | None) -> list[Node]:
        """Return what blocks a member, or a newcomer, as places; `before` resolves them."""
        found: list[Node] = []
        if self.strategy is not Strategy.ONE_FOR_ONE:
            found += Place(self, self._number(member)), Place(self, 0)
        if self._parent is not None:
            found += self._parent.blocked_by(self)
        return found

    def before(self, number: float) -> list[Node]:
        """Return what has to be up before a start at this place; or, at place 0, what unwinds.

        Only the last of them is returned, with its place, which leads to the others; so the length
        of a walk grows only linearly with the group.
        """
        if number == 0:
            return [*self.unwinding_cells()]
        before = self._last_down_before(number)
        if not before:
            return []
        member = self._down[before]
        down = member.down_cells() if isinstance(member, Group) else (member,)
        return [Place(self, before), *down]

    def _number(self, member: Member | None) -> float:
        return inf if member is None else self._members[member]

    def _last_down_before(self, number: float) -> int:
        """Return the number of the last member before a place that is not up, or 0."""
        position = bisect_left(self._down_in_order, number)
        return self._down_in_order[position - 1] if position else 0

    def down_cells(self) -> Iterator["Cell[Any]"]:
        """Yield the actors that are not up."""
        for member in self._down.values():
            yield from member.down_cells() if isinstance(member, Group) else (member,)

    def unwinding_cells(self) -> Iterator["Cell[Any]"]:
        """Yield the actors in which async code that a crash has interrupted has yet to end."""
        for member in self._unwinding:
            if isinstance(member, Group):
                yield from member.unwinding_cells()
            elif member.unwinding:
                yield member

    def tree(self) -> Tree:
        """Return the statistics of every actor; may be called from another thread."""
        return Tree(
            self.name,
            self.strategy,
            tuple(
                member.tree() if isinstance(member, Group) else member.statistics()
                # A copy, in one step: the actors' thread may go on meanwhile.
                for member in tuple(self._members)
            ),
        )
