"""The messages of the Couriers actor, and their answers.

Rule: frozen values only. Every command carries an id that its sender made (of an order, a courier,
a district, or of the command itself), or the wanted state: so it can be retried after a crash and
takes effect once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from actors import Message
from cafe.delivery.courier import Courier, CourierWish
from cafe.delivery.coverage import Coverage as Coverage  # noqa: PLC0414 - for other departments
from cafe.delivery.coverage import District as District  # noqa: PLC0414 - as above
from cafe.delivery.delivery import Delivery, Status
from cafe.ledger.department import Logged

if TYPE_CHECKING:
    from cafe.delivery.couriers import Couriers  # noqa: F401 - the owner of the messages


class Handed(NamedTuple):
    """A delivery after a change, and what its courier carries then."""

    delivery: Delivery
    next: Delivery | None = None
    """The other delivery that its former courier carries then; None if there is none."""


class OnDuty(NamedTuple):
    """A courier after a change, and what they carry then."""

    courier: Courier
    carries: Delivery | None


class CourierCount(NamedTuple):
    """The couriers at work, and the deliveries that have not ended."""

    on_duty: int
    free: int
    by_status: dict[Status, int]


def new_id() -> str:
    """Return a new id for a courier, a district or a command."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class AddDistrict(Message["Couriers", District]):
    """Add a district; answered when it is committed. The same id is the same district."""

    district_id: str
    name: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeDistrict(Message["Couriers", District]):
    """Rename a district, retire it, or reopen it; None leaves it as it is."""

    district_id: str
    name: str | None = None
    retired: bool | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class AddCourier(Message["Couriers", OnDuty]):
    """Add a courier; answered when that is committed. The same id is the same courier."""

    courier_id: str
    name: str
    districts: tuple[str, ...]
    """Names, in any case, or ids."""
    account_id: str | None = None
    on_duty: bool = True
    by: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeCourier(Message["Couriers", OnDuty]):
    """Change a courier; one that comes on duty gets the oldest waiting delivery."""

    courier_id: str
    wish: CourierWish
    """Its districts are names, in any case, or ids."""
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Publish(Message["Couriers", Delivery]):
    """Create a delivery that needs no brewing. The same id is the same delivery.

    Refused with NoFreeCourier unless it may wait.
    """

    order_id: str
    name: str
    district: str
    """Its name, in any case, or its id."""
    address: str | None = None
    queue: bool = False
    """Whether it may wait for a courier."""
    by: str | None = None
    picked_up: bool = False
    """Whether it counts as picked up if it is assigned at once, so that it has no lease."""


Step = Literal["pick up", "finish", "fail", "retry", "cancel", "reassign"]


@dataclass(frozen=True, slots=True)
class Take(Message["Couriers", Handed]):
    """Apply a step to a delivery; the same command is the same step."""

    order_id: str
    step: Step
    by: str | None = None
    reason: str | None = None
    """Why it failed, or is cancelled."""
    to: str | None = None
    """For `reassign`, the courier that gets it; None for the next one."""
    only: str | None = None
    """The courier that asks, and may change only their own deliveries; None for staff."""
    command: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Follow(Message["Couriers", None]):
    """Apply the orders' events to deliveries, up to a position; answered when committed."""

    events: tuple[Logged, ...]
    position: int


@dataclass(frozen=True, slots=True)
class ListUnsettled(Message["Couriers", tuple[Delivery, ...]]):
    """List the deliveries whose orders may not know of a change at least `seconds` old."""

    seconds: float = 0.0


class Covered(NamedTuple):
    """The districts that are not retired."""

    districts: tuple[District, ...]
    served: tuple[str, ...]
    """The ids of those that some courier serves."""


@dataclass(frozen=True, slots=True)
class ReadCoverage(Message["Couriers", Covered]):
    """Answered with what `Coverage` shows, once all changes before this are committed."""


@dataclass(frozen=True, slots=True)
class CountCouriers(Message["Couriers", CourierCount]):
    """Count couriers and deliveries."""


@dataclass(frozen=True, slots=True)
class LoadCouriers(Message["Couriers", None]):
    """Load the committed state again: the database has refused a row."""
