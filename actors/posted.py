"""Posted: a message whose outcome goes to a callback, so that no task has to wait for it.

The one rule: as for every ask, the outcome is delivered at most once, and `settle` returns whether
it was. The callback runs within the actor's turn, or within other code that settles the message.
"""

import math
from collections.abc import Callable
from typing import Any

import trio

from actors.mailbox import Envelope, Outcome


class Posted(Envelope):
    """A message that was posted."""

    __slots__ = ("_on_outcome",)

    def __init__(self, message: object, on_outcome: Callable[[Outcome], Any]) -> None:
        # The task that posts stands in for the asker; it is never woken by this.
        super().__init__(message, trio.lowlevel.current_task(), math.inf)
        self._on_outcome = on_outcome

    def settle(self, result: Outcome) -> bool:
        """Call the callback with the outcome; return False if the ask was settled or cancelled."""
        if self.asker is None:
            return False
        self.asker = None
        if self.instance is not None:
            self.instance.unanswered.discard(self)
        self._on_outcome(result)
        return True

    def cancel(self) -> None:
        """Cancel the ask, as `Ref.ask` is cancelled; the callback will not be called."""
        if self.asker is None:
            return
        self.asker = None
        if self.scope is not None:
            self.scope.cancel()
            return
        self.abandoned = True
        if self.instance is not None:
            self.instance.abandoned(self)
