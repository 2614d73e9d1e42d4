"""How the toolkit calls the user's code, which Ctrl-C, a crash or a deadline may interrupt.

The one rule: Ctrl-C may interrupt the user's code at any place, the toolkit's at none. The toolkit
takes a message and settles its asker; it wakes a task and notes that it did. A KeyboardInterrupt
between two such steps would leave an asker without an answer, or a task that is woken twice. So
these functions are protected by trio, which delivers the interrupt to the main task. Handlers,
timers, factories, `on_start` and `on_stop` are called so that they can still be interrupted. The
callback of `Reply.on_abandoned` is not: it runs inside a cancellation, within trio.
"""

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import trio

if TYPE_CHECKING:
    from actors.deadlock import Wait
    from actors.mailbox import Envelope

T = TypeVar("T")


@trio.lowlevel.disable_ki_protection
def interruptible(function: Callable[[], T]) -> T:
    """Call a function that Ctrl-C may interrupt, from code that is protected."""
    return function()


@trio.lowlevel.disable_ki_protection
async def interruptible_await(awaitable: Awaitable[T]) -> T:
    """Await what Ctrl-C may interrupt, from code that is protected."""
    return await awaitable


class AsyncCall:
    """Async code that an actor's task awaits: a handler, or a factory at a restart.

    The actor handles no message until it has ended. So its waits for other actors are recorded,
    for the deadlock check.
    """

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


class HandlerCall(AsyncCall):
    """An async handler that handles one message.

    However it is cancelled, the asker is resumed only when the handler has unwound.
    """

    __slots__ = ()

    async def run(self, envelope: "Envelope", answer: Awaitable[Any]) -> bool:
        """Await the answer and deliver it; return False if the handler was cancelled first.

        In that case the ask has been settled, unless the call was interrupted: then the caller has
        to fail it. Raises what the handler raises.
        """
        envelope.scope = self.scope
        try:
            with self.scope:
                envelope.settle(outcome.Value(await answer))
        finally:
            # From now on the ask is cancelled at once, however long the restart takes.
            envelope.scope = None
        if self.scope.cancelled_caught and not self.interrupted:
            envelope.unwound(trio.TooSlowError())
        return not self.scope.cancelled_caught
