"""Conversation: an async handler at work on one message.

The one rule: whoever cuts it short, its asker hears only once the handler has unwound.
"""

from collections.abc import Awaitable
from typing import Any

import outcome
import trio

from actors.async_call import AsyncCall
from actors.envelope import Envelope


class Conversation(AsyncCall):
    """Bounds an async handler by its asker, and by a crash of its instance elsewhere."""

    __slots__ = ("_envelope",)

    def __init__(self, envelope: Envelope) -> None:
        super().__init__(envelope.deadline)
        self._envelope = envelope

    async def hold(self, answer: Awaitable[Any]) -> bool:
        """Await the answer and deliver it; tell whether the handler came so far.

        If not, its asker has been told why; unless it was interrupted, for then he is still owed
        an answer. Raises what the handler raises.
        """
        self._envelope.scope = self.scope
        try:
            with self.scope:
                self._envelope.settle(outcome.Value(await answer))
        finally:
            # From now on the asker may leave at once, however long the actor has yet to be mended.
            self._envelope.scope = None
        if self.scope.cancelled_caught and not self.interrupted:
            self._envelope.unwound(trio.TooSlowError())
        return not self.scope.cancelled_caught
