"""Conversation: an async handler at work on one message.

The one rule: whoever cuts it short, its asker hears only once the handler has unwound.
"""

from collections.abc import Awaitable
from typing import Any

import outcome
import trio

from actors.envelope import Envelope


class Conversation:
    """Bounds an async handler by its asker, and by a crash of its instance elsewhere."""

    __slots__ = ("_cause", "_envelope", "_scope", "since")

    def __init__(self, envelope: Envelope) -> None:
        self.since = trio.current_time()
        self._envelope = envelope
        self._scope = trio.CancelScope(deadline=envelope.deadline)
        self._cause: Exception | None = None

    def interrupt(self, cause: Exception) -> None:
        """Cancel the handler: its instance has crashed, in a turn beside it."""
        self._cause = cause
        self._scope.cancel()

    async def hold(self, answer: Awaitable[Any]) -> bool:
        """Await the answer and deliver it; tell whether the asker let it come so far.

        Raises what the handler raises, or the cause of an interruption.
        """
        self._envelope.scope = self._scope
        try:
            with self._scope:
                self._envelope.settle(outcome.Value(await answer))
        finally:
            if self._cause is not None:
                raise self._cause
        if self._scope.cancelled_caught:
            self._envelope.unwound(trio.TooSlowError())
        return not self._scope.cancelled_caught
