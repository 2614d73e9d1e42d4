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
from typing import TYPE_CHECKING, Any

import trio

from actors.errors import Deadlock

if TYPE_CHECKING:
    from actors.async_call import AsyncCall
    from actors.cell import Cell

HOST: "ContextVar[Cell[Any] | None]" = ContextVar("actor", default=None)
"""In whose task we are; inherited by the tasks that it starts, wherever."""


class Wait:
    """Somebody waits for an actor: for an answer, for room in its mailbox, or for its end.

    `may_end` tells whether this ends though the target takes no more messages.
    """

    __slots__ = ("_waits", "may_end", "target", "task")

    def __init__(
        self, waits: "list[Wait]", target: "Cell[Any]", may_end: Callable[[], bool]
    ) -> None:
        self.target = target
        self.may_end = may_end
        self.task = trio.lowlevel.current_task()
        self._waits = waits
        waits.append(self)

    def end(self) -> None:
        """Wait no more."""
        self._waits.remove(self)


def begin_wait(target: "Cell[Any]", may_end: Callable[[], bool]) -> Wait | None:
    """Note that the running task waits for the target; None if it is no task of a handler.

    Raises Deadlock if the wait could never end.
    """
    host = HOST.get()
    if host is None or host.async_call is None:
        return None
    if not is_task_of(host, trio.lowlevel.current_task()):
        return None
    wait = Wait(host.async_call.waits, target, may_end)
    if target.async_call is None and not target.fallen:
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


def targets(cell: "Cell[Any]") -> "list[Cell[Any]]":
    """Return whom an actor waits for: in async code, or before its next instance starts."""
    if cell.async_call is None:
        return cell.held_up_by
    return [wait.target for wait in open_waits(cell, cell.async_call)]


def who_is_stuck(host: "Cell[Any]") -> "dict[Cell[Any], None]":
    """Return whoever can be reached from the host through waits, and can never go on."""
    reached = [host]
    for cell in reached:
        reached += dict.fromkeys(other for other in targets(cell) if other not in reached)
    stuck = dict.fromkeys(reached)
    while host in stuck and (free := [cell for cell in stuck if goes_on(cell, stuck)]):
        for cell in free:
            del stuck[cell]
    return stuck


def goes_on(cell: "Cell[Any]", stuck: "Container[Cell[Any]]") -> bool:
    """Tell whether an actor takes its next message, if all but these do."""
    if cell.async_call is None:
        return not any(other in stuck for other in cell.held_up_by)
    waits = open_waits(cell, cell.async_call)
    return not waits or any(wait.may_end() or wait.target not in stuck for wait in waits)


def chain(host: "Cell[Any]", target: "Cell[Any]", stuck: "Container[Cell[Any]]") -> list[str]:
    """Name who waits for whom, from a stuck host on, until somebody is named again."""
    cells = [host]
    while target not in cells:
        cells.append(target)
        target = next(cell for cell in targets(target) if cell in stuck)
    return [cell.name for cell in [*cells, target]]
