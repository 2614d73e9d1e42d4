"""Conversation: an async handler at work on one message.

The one rule: whoever cuts it short, its asker hears only once the handler has unwound.
"""

from collections.abc import Awaitable
from typing import Any

import outcome
import trio

from actors.deadlock import Wait
from actors.envelope import Envelope


class Conversation:
    """Bounds an async handler by its asker, and by a crash of its instance elsewhere."""

    __slots__ = ("_envelope", "_scope", "interrupted", "since", "waits")

    def __init__(self, envelope: Envelope) -> None:
        self.since = trio.current_time()
        self.waits: list[Wait] = []
        self._envelope = envelope
        self._scope = trio.CancelScope(deadline=envelope.deadline)
        self.interrupted = False

    def interrupt(self) -> None:
        """Cancel the handler: its instance has fallen, by a turn beside it."""
        self.interrupted = True
        self._scope.cancel()

    async def hold(self, answer: Awaitable[Any]) -> bool:
        """Await the answer and deliver it; tell whether the handler came so far.

        If not, its asker has been told why; unless it was interrupted, for then he is still owed
        an answer. Raises what the handler raises.
        """
        self._envelope.scope = self._scope
        try:
            with self._scope:
                self._envelope.settle(outcome.Value(await answer))
        finally:
            # From now on the asker may leave at once, however long the actor has yet to be mended.
            self._envelope.scope = None
        if self._scope.cancelled_caught and not self.interrupted:
            self._envelope.unwound(trio.TooSlowError())
        return not self._scope.cancelled_caught
