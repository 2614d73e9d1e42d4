"""The desk, which the routes call: it asks the Couriers actor, tells orders, and reads the ledger.

Rule: no state, no decisions about deliveries. After a crash of the actor a message is retried: it
carries an id, so it takes effect once. A committed change is answered even if its order cannot be
told at once; a task retries that. All waits for the ledger have one time-out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from actors import ActorCrashed, Message, Ref
from cafe.delivery.courier import Courier
from cafe.delivery.couriers import Couriers
from cafe.delivery.coverage import District
from cafe.delivery.delivery import Delivery, Status
from cafe.delivery.followers import tell_order
from cafe.delivery.messages import (
    AddCourier,
    AddDistrict,
    ChangeCourier,
    ChangeDistrict,
    Handed,
    OnDuty,
    Publish,
    Take,
)
from cafe.delivery.queries import (
    AtWork,
    districts_of,
    find_by_account,
    find_courier,
    find_delivery,
    list_couriers,
    list_deliveries,
    list_districts,
)
from cafe.delivery.refusals import (
    DeliveryConflict,
    NoCourier,
    NotACouriersAccount,
    NotYours,
    OrderNotReady,
    UnknownCourier,
    UnknownDelivery,
)
from cafe.http.authentication import Role
from cafe.http.refusals import CafeRefusal
from cafe.ledger.following import Following
from cafe.ledger.reader import Query
from cafe.ledger.retries import ask_in_time, ledger_time_out
from cafe.ledger.view import LedgerView
from cafe.orders.messages import UnknownOrder

if TYPE_CHECKING:
    from cafe.orders.messages import Desk

R = TypeVar("R")
TOLD_SECONDS: Final = 1.0
"""The most time that an answer waits until its order is told; a task retries later."""


@dataclass(frozen=True, slots=True)
class DeliveryDesk:
    """The interface of delivery to its routes."""

    couriers: Ref[Couriers]
    orders: Desk
    role_of: Callable[[str], Awaitable[str | None]]
    """Returns the role of an account that is active."""
    ledger: LedgerView
    followed: Following

    # Districts and couriers

    async def add_district(self, message: AddDistrict) -> District:
        """Add a district; raises NameTaken."""
        return await self._ask(message)

    async def change_district(self, message: ChangeDistrict) -> District:
        """Change a district; raises UnknownDistrict, NameTaken or DistrictQueued."""
        return await self._ask(message)

    async def districts(
        self, behind: int, most: int, *, retired: bool = True
    ) -> Sequence[District]:
        """List districts in the order in which they were added."""
        return await self._read(partial(list_districts, behind=behind, most=most, retired=retired))

    async def districts_of(self, courier: Courier) -> Sequence[District]:
        """List the districts that a courier serves."""
        return await self._read(partial(districts_of, courier=courier))

    async def add_courier(self, message: AddCourier) -> OnDuty:
        """Add a courier; raises UnknownDistrictNamed, NotACouriersAccount or AccountTaken."""
        account_id = message.account_id
        if account_id is not None and await self.role_of(account_id) != Role.COURIER:
            raise NotACouriersAccount
        return await self._ask(message)

    async def change_courier(self, message: ChangeCourier) -> OnDuty:
        """Change a courier; raises UnknownCourier, UnknownDistrictNamed, CourierBusy and others."""
        return await self._ask(message)

    async def list_couriers(
        self, behind: int, most: int, *, retired: bool = True
    ) -> Sequence[AtWork]:
        """List couriers in the order in which they were added."""
        return await self._read(partial(list_couriers, behind=behind, most=most, retired=retired))

    async def courier(self, courier_id: str) -> AtWork:
        """Return a courier, and what they carry; raises UnknownCourier."""
        found = await self._read(partial(find_courier, courier_id=courier_id))
        if found is None:
            raise UnknownCourier
        return found

    async def courier_of(self, account_id: str | None) -> AtWork:
        """Return the courier who has an account, and what they carry; raises NoCourier."""
        if account_id is None:
            raise NoCourier
        found = await self._read(partial(find_by_account, account_id=account_id))
        if found is None:
            raise NoCourier
        return found

    # Deliveries

    async def publish(self, message: Publish) -> Delivery:
        """Create a delivery, and tell the desk of orders, which made its id.

        Raises UnknownDistrictNamed, or NoFreeCourier if it may not wait: then nothing is stored.
        """
        delivery = await self._ask(message)
        await self._tell(delivery, message.by)
        return delivery

    async def take(self, message: Take) -> Handed:
        """Apply a step to a delivery; raises DeliveryConflict, NotYours, UnknownDelivery."""
        try:
            handed = await self._ask(message)
        except UnknownDelivery:
            handed = await self._of_unknown(message)
        if not handed.delivery.settled and handed.delivery.ended_at is not None:
            await self._tell(handed.delivery, message.by)
        return handed

    async def find(self, order_id: str) -> Delivery:
        """Return a delivery; raises UnknownDelivery, or OrderNotReady before its order is ready."""
        found = await self._read(partial(find_delivery, order_id=order_id))
        if found is None:
            await self._refuse_unready(order_id)
            found = await self._read(partial(find_delivery, order_id=order_id))
        if found is None:
            raise UnknownDelivery
        return found

    async def list(
        self, status: Status | None, behind: int | None, most: int
    ) -> Sequence[Delivery]:
        """List deliveries, the newest first."""
        query = partial(list_deliveries, status=status, behind=behind, most=most)
        return await self._read(query)

    # How it asks

    async def _of_unknown(self, message: Take) -> Handed:
        """Apply a step to a delivery not in memory: it has ended, or is about to begin."""
        found = await self._read(partial(find_delivery, order_id=message.order_id))
        if found is None:
            await self._refuse_unready(message.order_id)
            return await self._ask(message)
        if message.only not in {None, found.courier_id}:
            raise NotYours
        if found.command == message.command:  # the answer was lost in a crash
            had = await self._read(partial(find_courier, courier_id=found.courier_id or ""))
            return Handed(found, had.carries if had else None)
        raise DeliveryConflict(found.status)

    async def _refuse_unready(self, order_id: str) -> None:
        """Return once the delivery of an order that is ready has begun.

        Raises OrderNotReady before, and UnknownDelivery for an order that no courier brings.
        """
        with suppress(UnknownOrder):
            order = (await self.orders.find(order_id)).order
            if order.destination is not None:
                if order.status in {"waiting", "preparation"}:
                    raise OrderNotReady(order.status)
                with ledger_time_out():
                    await self.followed.wait(self.ledger.statistics().position)
                return
        raise UnknownDelivery

    async def _tell(self, delivery: Delivery, by: str | None) -> None:
        """Tell the order what became of its delivery; if that fails, a task retries."""
        with trio.move_on_after(TOLD_SECONDS), suppress(CafeRefusal, ActorCrashed):
            await tell_order(self.orders, delivery, by)

    async def _ask(self, message: Message[Couriers, R]) -> R:
        return await ask_in_time(self.couriers, message)

    async def _read(self, query: Query[R]) -> R:
        with ledger_time_out():
            return await self.ledger.read(query)
