"""SlowTurns: logs a line for each turn that blocked all other tasks for too long.

The one rule: only the type of a message is logged, since its content may be secret.
"""

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any

from actors.message import Kind, Message
from actors.monitoring import Instrument
from actors.ref import Ref

_LOG = logging.getLogger("actors")


class SlowTurns(Instrument):
    """Logs a warning for each plain or deferred handler that took more than `seconds`.

    While such a handler runs, nothing else does: no actor, no connection, no timer. Only a change
    of its code helps. An async handler may wait for long while others run, so it is never logged,
    not even for what it computes between two waits. A timer's callback is never seen. A callback of
    `on_abandoned` counts as a part of the handler that it was requested in, if there was one: it
    ran right after that.

    The rate of the log needs no limit: these turns run one after the other, so a second has at most
    as many lines as turns of `seconds` fit into it.

    The clock returns seconds, and should go on while the process is suspended: a turn is as slow
    for its callers if the machine was busy.
    """

    def __init__(self, seconds: float = 0.1, *, clock: Callable[[], float] = perf_counter) -> None:
        self._seconds = seconds
        self._clock = clock
        # One for all actors: between a plain handler's start and its end no other can start.
        self._began = 0.0

    def started(self, actor: Ref[Any], message: Message[Any, Any]) -> None:  # noqa: ARG002
        """Note when the handler begins."""
        self._began = self._clock()

    def finished(self, actor: Ref[Any], message: Message[Any, Any]) -> None:
        """Log the handler, if it was slow."""
        seconds = self._clock() - self._began
        if seconds > self._seconds and actor.__kind__(message) is not Kind.ASYNC:
            _LOG.warning("%s took %.3f s to handle %s", actor.name, seconds, type(message).__name__)
