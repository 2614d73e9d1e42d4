"""AsyncCall: code of the user's that an actor's task awaits, an async handler or an async factory.

The one rule: the actor takes no message until it has ended, so all that it waits for is noted.
"""

import math

import trio

from actors.deadlock import Wait


class AsyncCall:
    """A scope to cancel the code by, and the waits for other actors that it is in."""

    __slots__ = ("interrupted", "scope", "since", "waits")

    def __init__(self, deadline: float = math.inf) -> None:
        self.since = trio.current_time()
        self.waits: list[Wait] = []
        self.scope = trio.CancelScope(deadline=deadline)
        self.interrupted = False

    def interrupt(self) -> None:
        """Cancel the code, because a crash elsewhere has made its result useless."""
        self.interrupted = True
        self.scope.cancel()
