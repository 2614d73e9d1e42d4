"""Who waits for whom: walked before an async handler waits for another actor.

The one rule: a wait is refused only if nothing could ever end it. Theory of operation:

Only an async handler can wait, and while it does its actor takes no message. So the actors under
way form a graph: from a handler to each actor that it, or a task in a nursery of its own, waits
for. A handler goes on when any of its waits ends, for the first answer may cancel the others; so
it is stuck only if all of them are, and a wait that is about to begin is a deadlock only if nobody
who is free can be reached from it. Free is who is not in an async handler, or waits in it for
something that is no actor. A reply that is kept may be sent by anybody, at any time, so a wait for
it is free, too.

Tasks that a handler started in somebody else's nursery are not waited for, and do not count.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import trio

from actors.errors import Deadlock

if TYPE_CHECKING:
    from actors.cell import Cell
    from actors.envelope import Envelope

HOST: "ContextVar[Cell[Any] | None]" = ContextVar("actor", default=None)
"""In whose task we are; inherited by the tasks that it starts, wherever."""


class Wait:
    """An async handler waits for an actor: for an answer, or for room in its mailbox."""

    __slots__ = ("_envelope", "_waits", "target")

    def __init__(
        self, waits: "list[Wait]", target: "Cell[Any]", envelope: "Envelope | None"
    ) -> None:
        self.target = target
        self._waits = waits
        # None: a tell, which waits for room.
        self._envelope = envelope

    @property
    def may_end(self) -> bool:
        """Tell whether this ends though the target takes no more messages."""
        envelope = self._envelope
        if envelope is None:
            return self.target.mailbox.lets_in
        return envelope.asker is None or envelope.life is not None

    def end(self) -> None:
        """Wait no more."""
        self._waits.remove(self)


def begin_wait(target: "Cell[Any]", envelope: "Envelope | None") -> Wait | None:
    """Note that the running task waits for the target; None if it is no task of a handler.

    Raises Deadlock if the wait could never end.
    """
    host = HOST.get()
    if host is None or host.conversation is None or not is_task_of(host):
        return None
    waits = host.conversation.waits
    wait = Wait(waits, target, envelope)
    waits.append(wait)
    if is_stuck(host):
        wait.end()
        raise Deadlock(*chain(host, target))
    return wait


def is_task_of(host: "Cell[Any]") -> bool:
    """Tell whether the running task is the actor's own, or lives in a nursery inside it."""
    task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
    while task is not None and task is not host.task:
        task = None if task.parent_nursery is None else task.parent_nursery.parent_task
    return task is not None


def is_stuck(host: "Cell[Any]") -> bool:
    """Tell whether nobody who is free can be reached through the waits of the host."""
    reached = [host]
    for cell in reached:
        if not cell.waits:
            return False
        for wait in cell.waits:
            if wait.may_end:
                return False
            if wait.target not in reached:
                reached.append(wait.target)
    return True


def chain(host: "Cell[Any]", target: "Cell[Any]") -> list[str]:
    """Name who waits for whom, from a stuck host on, until somebody is named again."""
    cells = [host]
    while target not in cells:
        cells.append(target)
        target = target.waits[0].target
    return [cell.name for cell in [*cells, target]]
