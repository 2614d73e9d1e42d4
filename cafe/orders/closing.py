"""Whether the shop is closing: a state that outlives a crash of the Dispatcher.

Rule: the shop begins it, once; the Dispatcher and its clients only read it.
"""

from __future__ import annotations

from cafe.http.refusals import CafeRefusal
from cafe.orders.refusals import ShopClosing


class Closing:
    """Open at first; from `begin` on every new wish has the same answer."""

    def __init__(self) -> None:
        self.refusal: CafeRefusal | None = None

    def begin(self, retry_after: float, refusal: CafeRefusal | None = None) -> None:
        """Close, for good; `refusal` says why, where it is not the end of the day."""
        closing = ShopClosing("The shop is closing; come back soon.", retry_after)
        self.refusal = refusal or closing
