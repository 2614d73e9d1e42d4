"""Who waits for whom: walked before an async handler waits for another actor.

The one rule: a wait is refused only if nothing but giving up could end it. Theory of operation:

Only an async handler can wait, and while it does its actor takes no message. An async factory that
makes the next instance of a fallen actor waits in the same way: what is said of handlers here holds
for such factories, too. So the actors under way form a graph: from a handler to each actor that it,
or a task in a nursery of its own, waits for. A handler goes on when any of its waits ends, for the
first answer may cancel the others; so it is stuck only if all of them are, and a wait that is about
to begin is a deadlock only if nobody who is free can be reached from it. Free is who is not in an
async handler, or is in one without any wait for an actor. A reply that is kept may be sent by
anybody, at any time, so a wait for it is free, too.

That somebody gives up is not counted as an end: neither a deadline, nor a task that sleeps beside
the waits and would then cancel them. Otherwise each deadlock would be one only when it is too late.

An actor that has fallen takes no message either, until all who fell with it have unwound, and those
before it in its group are up. It is stuck if one of them is: if that one asks it as it unwinds.

Tasks that a handler started in somebody else's nursery are not waited for, and do not count. The
end of an actor is waited for by a handler's own task: one beside it that watches for that end does
not keep the handler from going on.
"""

from collections.abc import Callable, Container
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

import trio

from actors.errors import Deadlock

if TYPE_CHECKING:
    from actors.async_call import AsyncCall
    from actors.cell import Cell
    from actors.group import Group

HOST: "ContextVar[Cell[Any] | None]" = ContextVar("actor", default=None)
"""In whose task we are; inherited by the tasks that it starts, wherever."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of a group; it waits for those before it that are not up.

    Place 0 waits for who unwinds, and no place at all, a newcomer, for all that holds one up. In
    the walk this stands for all of them: in a group of thousands each may be held up by each.
    """

    group: "Group"
    number: float | None = None

    @property
    def held_up_by(self) -> "list[Node]":
        """What has to come first."""
        if self.number is None:
            return self.group.held_up_by(None)
        return self.group.before(self.number)


Node = Union["Cell[Any]", Place]


class Wait:
    """Somebody waits for an actor: for an answer, for room in its mailbox, or for its end.

    `may_end` tells whether this ends though the target takes no more messages.
    """

    __slots__ = ("_waits", "may_end", "target", "task")

    def __init__(self, waits: "list[Wait]", target: Node, may_end: Callable[[], bool]) -> None:
        self.target = target
        self.may_end = may_end
        self.task = trio.lowlevel.current_task()
        self._waits = waits
        waits.append(self)

    def end(self) -> None:
        """Wait no more."""
        self._waits.remove(self)


def begin_wait(target: Node, may_end: Callable[[], bool]) -> Wait | None:
    """Note that the running task waits for the target; None if it is no task of a handler.

    Raises Deadlock if the wait could never end.
    """
    host = HOST.get()
    if host is None or host.async_call is None:
        return None
    if not is_task_of(host, trio.lowlevel.current_task()):
        return None
    wait = Wait(host.async_call.waits, target, may_end)
    if not isinstance(target, Place) and target.async_call is None and not target.fallen:
        # By far the most usual, and known without a walk.
        return wait
    stuck = who_is_stuck(host)
    if host in stuck:
        wait.end()
        raise Deadlock(*chain(host, target, stuck))
    return wait


def is_awake(task: trio.lowlevel.Task) -> bool:
    """Tell whether a task that waited for room in a mailbox is about to go on.

    What it sleeps on trio notes here, and forgets when it wakes it. The running task has not gone
    to sleep yet.
    """
    return task.custom_sleep_data is None and task is not trio.lowlevel.current_task()


def is_task_of(host: "Cell[Any]", task: trio.lowlevel.Task | None) -> bool:
    """Tell whether a task is the actor's own, or lives in a nursery inside it."""
    while task is not None and task is not host.task:
        task = None if task.parent_nursery is None else task.parent_nursery.parent_task
    return task is not None


def open_waits(cell: "Cell[Any]", call: "AsyncCall") -> list[Wait]:
    """Return what a handler or factory waits for; a task that moved elsewhere took its own."""
    return [wait for wait in call.waits if is_task_of(cell, wait.task)]


def look_at(node: Node) -> tuple[list[Node], int]:
    """Return what an actor or a place waits for, and how many of these have to go on before it."""
    if isinstance(node, Place) or node.async_call is None:
        found = node.held_up_by
        return found, len(found)
    waits = open_waits(node, node.async_call)
    free = not waits or any(wait.may_end() for wait in waits)
    return [wait.target for wait in waits], 0 if free else 1


def who_is_stuck(host: "Cell[Any]") -> Container[Node]:
    """Return who can be reached from the host through waits, and can never go on."""
    reached: list[Node] = [host]
    waiting: dict[Node, list[Node]] = {host: []}
    still: dict[Node, int] = {}
    for node in reached:
        found, still[node] = look_at(node)
        for other in found:
            if other not in waiting:
                waiting[other] = []
                reached.append(other)
            waiting[other].append(node)
    free = [node for node in reached if not still[node]]
    for node in free:
        for waiter in waiting.pop(node):
            still[waiter] -= 1
            if not still[waiter]:
                free.append(waiter)
    return waiting


def chain(host: "Cell[Any]", target: Node, stuck: Container[Node]) -> list[str]:
    """Name who waits for whom, from a stuck host on, until somebody is named again."""
    named: dict[Node, str] = {host: host.name}
    while target not in named:
        if not isinstance(target, Place):
            named[target] = target.name
        target = next(node for node in look_at(target)[0] if node in stuck)
    return [*named.values(), named[target]]
