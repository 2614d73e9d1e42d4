"""The refusals about deliveries, couriers and districts.

Rule: each has a sentence, its data as members, and the HTTP status of the contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cafe.delivery.courier import (
    AccountTakenError,
    BusyError,
    DismissedError,
    UnknownCourierError,
)
from cafe.delivery.delivery import (
    NoFreeCourierError,
    NotAllowedError,
    NotInHandError,
    Status,
    UnknownDeliveryError,
)
from cafe.delivery.districts import NameTakenError, StillQueuedError, UnknownDistrictError
from cafe.http.refusals import CafeRefusal, Invalid


class UnknownDelivery(CafeRefusal):
    """No such delivery, or it has been pruned."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such delivery.")


class DeliveryConflict(CafeRefusal):
    """The delivery has a status in which this is not allowed."""

    status = 409
    members = ("delivery_status",)

    def __init__(self, delivery_status: Status) -> None:
        super().__init__(f"A delivery whose status is {delivery_status} does not allow this.")
        self.delivery_status = delivery_status


class OrderNotReady(CafeRefusal):
    """The order is to be delivered, and is not ready for a courier yet."""

    status = 409
    members = ("order_status",)

    def __init__(self, order_status: str) -> None:
        super().__init__(f"This order is {order_status}: a courier can have it once it is ready.")
        self.order_status = order_status


class NoFreeCourier(CafeRefusal):
    """No courier of the district is free, or the named one is not."""

    status = 409
    members = ("reason",)
    reason = "no_free_courier"

    def __init__(self) -> None:
        super().__init__("There is no such courier in this district who is free now.")


class NotYours(CafeRefusal):
    """Another courier has this order."""

    status = 403

    def __init__(self) -> None:
        super().__init__("This order is another courier's.")


class UnknownCourier(CafeRefusal):
    """No such courier."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such courier.")


class NoCourier(CafeRefusal):
    """No courier has the account yet."""

    status = 404

    def __init__(self) -> None:
        super().__init__("No courier has this account: a manager adds one with it.")


class CourierBusy(CafeRefusal):
    """A courier with an order in hand is not retired."""

    status = 409
    members = ("order_id",)

    def __init__(self, order_id: str) -> None:
        super().__init__("This courier has an order in hand; finish or reassign it first.")
        self.order_id = order_id


class CourierRetired(CafeRefusal):
    """A courier who is retired does not come on duty."""

    status = 409

    def __init__(self) -> None:
        super().__init__("This courier is retired.")


class AccountTaken(CafeRefusal):
    """Another courier has this account."""

    status = 409

    def __init__(self) -> None:
        super().__init__("Another courier has this account.")


class NotACouriersAccount(Invalid):
    """There is no such account, or it has another role."""

    kind = "unknown"

    def __init__(self) -> None:
        super().__init__("There is no account of a courier with this id.", "body", "account")


class UnknownDistrictNamed(Invalid):
    """The body names a district that is not there, or is retired."""

    kind = "unknown"

    def __init__(self, place: int | None) -> None:
        """Name its `place` among several; None for the only one."""
        where = ("district",) if place is None else ("districts", place)
        name = "district" if place is None else f"districts[{place}]"
        super().__init__(f"There is no such district: {name}.", "body", *where)


class UnknownDistrict(CafeRefusal):
    """No such district."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such district.")


class NameTaken(CafeRefusal):
    """Another district has this name."""

    status = 409

    def __init__(self) -> None:
        super().__init__("Another district has this name; it may be retired.")


class DistrictQueued(CafeRefusal):
    """Deliveries wait in a district that is to be retired."""

    status = 409
    members = ("queued",)

    def __init__(self, queued: int) -> None:
        super().__init__(f"Deliveries wait in this district: {queued}.")
        self.queued = queued


_REFUSALS: Final[dict[type[Exception], Callable[[Any], CafeRefusal]]] = {
    UnknownDeliveryError: lambda _: UnknownDelivery(),
    NotAllowedError: lambda no: DeliveryConflict(no.status),
    NoFreeCourierError: lambda _: NoFreeCourier(),
    NotInHandError: lambda _: NotYours(),
    UnknownCourierError: lambda _: UnknownCourier(),
    BusyError: lambda no: CourierBusy(no.order_id),
    DismissedError: lambda _: CourierRetired(),
    AccountTakenError: lambda _: AccountTaken(),
    UnknownDistrictError: lambda no: UnknownDistrictNamed(no.place),
    NameTakenError: lambda _: NameTaken(),
    StillQueuedError: lambda no: DistrictQueued(no.queued),
}
REFUSED: Final = tuple(_REFUSALS)
"""The errors of the models that become refusals; others are bugs."""


def refusal_of(no: Exception) -> CafeRefusal:
    """Return the refusal of a model's error."""
    return _REFUSALS[type(no)](no)


def refusal_of_district(no: Exception) -> CafeRefusal:
    """Return the refusal of an error in a request about a district: unknown ones are a 404."""
    return UnknownDistrict() if isinstance(no, UnknownDistrictError) else refusal_of(no)
