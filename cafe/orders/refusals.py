"""The refusals about orders.

Rule: one sentence each, its data as members, its HTTP status from the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cafe.http.refusals import CafeRefusal, Unavailable
from cafe.orders.order import NEXT, Status
from cafe.orders.pause import Pause


class UnknownOrder(CafeRefusal):
    """No such order, or it has been pruned."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such order.")


class NotOnTheMenu(CafeRefusal):
    """No such product is on the menu, or it is sold out."""

    status = 422
    members = ("menu",)

    def __init__(self, menu: Sequence[str]) -> None:
        """Name the products that can be ordered now."""
        served = ", ".join(menu) or "nothing at the moment"
        super().__init__(f"There is no such drink now. The counter serves: {served}.")
        self.menu = list(menu)


class ForgottenOrder(CafeRefusal):
    """The order is no longer in memory: it has ended, and the ledger has it."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The order has to be looked up.")


class OrderConflict(CafeRefusal):
    """The order has a status in which this is not allowed."""

    status = 409
    members = ("order_status",)

    def __init__(self, order_status: Status, wish: str) -> None:
        super().__init__(f"An order whose status is {order_status} cannot be {wish}.")
        self.order_status = order_status


class WrongStep(CafeRefusal):
    """Staff may move an order to its next status only.

    By the contract this is a 400; any other action that the status does not allow is a 409.
    """

    status = 400
    members = ("order_status", "allowed")

    def __init__(self, order_status: Status) -> None:
        follows = NEXT.get(order_status)
        super().__init__(
            f"This order is {order_status}: there is no next status."
            if follows is None
            else f"The next status of this order is {follows}."
        )
        self.order_status = order_status
        self.allowed: list[Status] = [] if follows is None else [follows]


class NeedsCourier(CafeRefusal):
    """A courier brings the order, so it is not handed over at the counter."""

    status = 409
    members = ("order_status",)

    def __init__(self, order_status: Status) -> None:
        super().__init__("A courier brings this order; it is delivered when the courier says so.")
        self.order_status = order_status


class OrderCancelled(CafeRefusal):
    """The order was cancelled while its customer waited."""

    status = 409
    members = ("order_status",)
    order_status = Status.CANCELLED

    def __init__(self) -> None:
        super().__init__("The order was cancelled while you waited for it.")


class KeyReused(CafeRefusal):
    """The Idempotency-Key belongs to another order."""

    status = 422

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another order; take a new one.")


class OverLimit(CafeRefusal):
    """This address has more than its share of the queue, or is banned from it."""

    status = 429
    members = ("limit",)
    limit: ClassVar[str]


class TooManyWaiting(OverLimit):
    """As many orders of the address wait as are allowed."""

    limit = "waiting"

    def __init__(self, most: int, retry_after: float) -> None:
        super().__init__(f"{most} orders of your address are waiting, which is the most.")
        self.most = most
        self.retry_after = retry_after


class CutOffFromQueue(OverLimit):
    """The address was banned while its order waited."""

    limit = "banned"

    def __init__(self, retry_after: float) -> None:
        super().__init__("Your address is cut off for now; its orders have left the queue.")
        self.retry_after = retry_after


class QueueFull(Unavailable):
    """As many orders wait as are allowed."""

    reason = "queue_full"


class Paused(Unavailable):
    """A manager has paused the shop: it takes no new orders until then."""

    reason = "paused"
    members = ("reason", "until", "text")

    def __init__(self, pause: Pause, now: float) -> None:
        super().__init__("The shop takes no new orders for now.", pause.until - now)
        self.until = pause.shown_until
        self.text = pause.text
