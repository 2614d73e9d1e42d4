"""Deadlock detection: a walk through the graph of waits before an async handler waits.

The one rule: a wait is refused only if nothing but a cancellation could end it.

Only an async handler can wait, and while it waits its actor handles no message. An async factory
that makes the next instance of a crashed actor waits in the same way; what is said of handlers here
is true of such factories, too. So the running handlers are the nodes of a graph, with an edge from
a handler to each actor that it, or a task in a nursery of its own, waits for. A handler can go on
when any of its waits ends, since the first answer may cancel the others; so it is stuck only if all
of them are. A wait that is about to begin is a deadlock only if no free actor can be reached from
it. An actor is free if it runs no async handler, or one that waits for no actor. A kept reply may
be sent by any task at any time, so an actor is free for the asker of such a reply, too.

A cancellation does not count as the end of a wait, whether by a deadline or by a task that sleeps
beside the waits. If it did, a deadlock would not be refused but last until that deadline.

A crashed actor handles no message either, until all actors that were stopped with it have unwound
and the members before it in its group are up. It is stuck if one of these is: if that one asks it
while it unwinds.

Tasks that a handler started in a nursery that is not its own do not count: the handler does not
wait for them. A wait for the end of an actor counts only in the handler's own task: in a child task
it does not keep the handler from going on.
"""

from collections.abc import Callable, Container
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import trio

from actors.errors import Deadlock

if TYPE_CHECKING:
    from actors.cell import Cell
    from actors.group import Group
    from actors.user_code import AsyncCall

CURRENT_ACTOR: "ContextVar[Cell[Any] | None]" = ContextVar("actor", default=None)
"""The actor whose task this is; inherited by the tasks that it starts, in any nursery."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of a group; it waits for the members before it that are not up.

    Place 0 waits for the actors that unwind. None is the place of a newcomer, which waits for all
    that blocks one. In the walk one node stands for all members that a place waits for: in a group
    of thousands, each may be blocked by each.
    """

    group: "Group"
    number: float | None = None

    @property
    def blocked_by(self) -> "list[Node]":
        """The nodes that this place waits for."""
        if self.number is None:
            return self.group.blocked_by(None)
        return self.group.before(self.number)


Node = Union["Cell[Any]", Place]


class Wait:
    """A task's wait for an actor: for an answer, for room in its mailbox, or for its end.

    `may_end` returns whether this can end although the target handles no messages.
    """

    __slots__ = ("_waits", "may_end", "target", "task")

    def __init__(self, waits: "list[Wait]", target: Node, may_end: Callable[[], bool]) -> None:
        self.target = target
        self.may_end = may_end
        self.task = trio.lowlevel.current_task()
        self._waits = waits
        waits.append(self)

    def end(self) -> None:
        """Remove the wait from those of its handler."""
        self._waits.remove(self)


def begin_wait(target: Node, may_end: Callable[[], bool]) -> Wait | None:
    """Record that the running task waits for the target; return None if no handler owns the task.

    Raises Deadlock if the wait could never end.
    """
    current = CURRENT_ACTOR.get()
    if current is None or current.async_call is None:
        return None
    if not is_task_of(current, trio.lowlevel.current_task()):
        return None
    wait = Wait(current.async_call.waits, target, may_end)
    if not isinstance(target, Place) and target.async_call is None and not target.is_down:
        # By far the most usual case, decided without a walk.
        return wait
    stuck = find_stuck(current)
    if current in stuck:
        wait.end()
        raise Deadlock(*name_cycle(current, target, stuck))
    return wait


def is_awake(task: trio.lowlevel.Task) -> bool:
    """Return whether a task that waited for room in a mailbox is about to go on.

    trio notes in `custom_sleep_data` what a task sleeps on, and clears it when it wakes the task.
    The running task has not gone to sleep yet.
    """
    return task.custom_sleep_data is None and task is not trio.lowlevel.current_task()


def is_task_of(cell: "Cell[Any]", task: trio.lowlevel.Task | None) -> bool:
    """Return whether a task is the actor's own, or lives in a nursery inside it."""
    while task is not None and task is not cell.task:
        task = None if task.parent_nursery is None else task.parent_nursery.parent_task
    return task is not None


def open_waits(cell: "Cell[Any]", call: "AsyncCall") -> list[Wait]:
    """Return a call's waits, except those of tasks that `nursery.start` moved out of it."""
    return [wait for wait in call.waits if is_task_of(cell, wait.task)]


def look_at(node: Node) -> tuple[list[Node], int]:
    """Return the nodes that a node waits for, and how many of them have to go on before it can.

    A free actor has none: its waits do not matter.
    """
    if isinstance(node, Place) or node.async_call is None:
        found = node.blocked_by
        return found, len(found)
    waits = open_waits(node, node.async_call)
    if not waits or any(wait.may_end() for wait in waits):
        return [], 0
    return [wait.target for wait in waits], 1


def find_stuck(start: "Cell[Any]") -> Container[Node]:
    """Return the nodes that can be reached from a start through waits and can never go on."""
    reached: list[Node] = [start]
    waiting: dict[Node, list[Node]] = {start: []}
    needed: dict[Node, int] = {}
    for node in reached:
        found, needed[node] = look_at(node)
        for other in found:
            if other not in waiting:
                waiting[other] = []
                reached.append(other)
            waiting[other].append(node)
    free = [node for node in reached if not needed[node]]
    for node in free:
        for waiter in waiting.pop(node):
            needed[waiter] -= 1
            if not needed[waiter]:
                free.append(waiter)
    return waiting


def name_cycle(start: "Cell[Any]", target: Node, stuck: Container[Node]) -> list[str]:
    """Return the names along the waits from a stuck actor, up to the first that is repeated."""
    names: dict[Node, str] = {start: start.name}
    while target not in names:
        if not isinstance(target, Place):
            names[target] = target.name
        target = next(node for node in look_at(target)[0] if node in stuck)
    return [*names.values(), names[target]]
