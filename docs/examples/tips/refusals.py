"""What Tips refuses.

Rule: one sentence each, and its HTTP status.
"""

from __future__ import annotations

from cafe.http.refusals import CafeRefusal


class UnknownOrder(CafeRefusal):
    """No event has told of such an order, or it was deleted long ago."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such order.")


class NotBrewed(CafeRefusal):
    """The order was cancelled."""

    status = 409

    def __init__(self) -> None:
        super().__init__("The order was cancelled, so no tip was earned.")


class OneTipEach(CafeRefusal):
    """The order has a tip already."""

    status = 409

    def __init__(self) -> None:
        super().__init__("The order has a tip already.")


class TipIdReused(CafeRefusal):
    """The id is that of another tip."""

    status = 422

    def __init__(self) -> None:
        super().__init__("This tip_id was used for another tip; take a new one.")
