"""Delivery beside a Dispatcher on one ledger, in virtual time, as the shop starts it.

Rule: everything that is answered is compared with what the ledger has by then.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from zoneinfo import ZoneInfo

import trio
from sqlalchemy import select

from actors import ActorCrashed, Message, Ref, Restart, open_system
from cafe.delivery.courier import CourierWish
from cafe.delivery.couriers import Couriers, Rules
from cafe.delivery.coverage import Coverage
from cafe.delivery.delivery import Delivery
from cafe.delivery.department import DELIVERY, day_of
from cafe.delivery.desk import DeliveryDesk
from cafe.delivery.followers import follow_orders, settle_orders
from cafe.delivery.messages import (
    AddCourier,
    AddDistrict,
    ChangeCourier,
    Handed,
    LoadCouriers,
    OnDuty,
    Publish,
    Step,
    Take,
)
from cafe.delivery.queries import AtWork, Snapshot, find_courier
from cafe.delivery.tables import deliveries, delivery_of
from cafe.ledger.checking import check
from cafe.ledger.database import Link
from cafe.ledger.following import Followed
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import load_when_refused
from cafe.orders.department import ORDERS
from cafe.orders.messages import Destination
from cafe.orders.order import Order, Status
from cafe.shop.shop import RESTART
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import Counter, open_counter
from tests.cafe.orders.fragile import BugError

ROLES = {"account-ada": "courier", "account-bo": "courier", "account-eve": "customer"}
DEPARTMENTS = (ORDERS, DELIVERY)
LEASE = 900.0


@dataclass(frozen=True, slots=True)
class CrashCouriers(Message["FragileCouriers", None]):
    """Crash the Couriers actor."""


class FragileCouriers(Couriers):
    """Crashes on request."""

    @CrashCouriers.handler
    def crash(self, _message: CrashCouriers) -> None:
        raise BugError


async def role_of(account_id: str) -> str | None:
    """Return the role of an account."""
    await trio.lowlevel.checkpoint()
    return ROLES.get(account_id)


@dataclass
class Street:
    """A counter with the Couriers actor beside its Dispatcher."""

    counter: Counter
    ref: Ref[FragileCouriers]
    desk: DeliveryDesk
    coverage: Coverage
    couriers: dict[str, str] = field(default_factory=dict[str, str])
    """Ids, by name."""

    @property
    def store(self) -> FaultyStore:
        return self.counter.store

    @property
    def ledger(self) -> Ledger:
        return self.counter.ledger

    async def add_districts(self, *names: str) -> None:
        for name in names:
            await self.desk.add_district(AddDistrict(f"id-{name}", name, "Max"))

    async def add_courier(
        self, name: str, *districts: str, on_duty: bool = True, account_id: str | None = None
    ) -> OnDuty:
        """Add a courier, by default of the north, whose id is made of the name."""
        message = AddCourier(f"id-{name}", name, districts or ("north",), account_id, on_duty)
        added = await self.desk.add_courier(message)
        self.couriers[name] = added.courier.courier_id
        return added

    async def change(self, name: str, **wish: object) -> OnDuty:
        """Change a courier."""
        wanted = CourierWish(**wish)  # type: ignore[arg-type] # as given
        return await self.desk.change_courier(ChangeCourier(f"id-{name}", wanted))

    async def publish(
        self,
        district: str = "north",
        *,
        queue: bool = False,
        order_id: str | None = None,
        picked_up: bool = False,
    ) -> Delivery:
        """Publish a delivery; what is answered is committed."""
        order_id = order_id or self.desk.orders.ids.new()
        message = Publish(order_id, "Box", district, "Main St 1", queue, "Di", picked_up)
        delivery = await self.desk.publish(message)
        assert self.kept(order_id).requested_at == delivery.requested_at
        return delivery

    async def take(
        self,
        delivery: Delivery | str,
        step: Step,
        *,
        reason: str | None = None,
        to: str | None = None,
        only: str | None = None,
    ) -> Handed:
        """Take a delivery a step further."""
        order_id = delivery if isinstance(delivery, str) else delivery.order_id
        named = [None if one is None else f"id-{one}" for one in (to, only)]
        return await self.desk.take(Take(order_id, step, "Di", reason, named[0], named[1]))

    async def basket_ready(self, district: str = "north") -> Order:
        """Have a customer order, and a barista brew it."""
        destination = Destination(f"id-{district}", district.title(), "Main St 2")
        order = await self.counter.placed(destination=destination)
        await self.counter.move(order.order_id, Status.PREPARATION)
        return (await self.counter.move(order.order_id, Status.READY)).order

    async def followed(self) -> None:
        """Wait until all effects of what is written now are committed."""
        await self.ledger.wait_written()
        await self.desk.followed.wait(self.ledger.statistics().position)

    async def courier(self, name: str) -> AtWork:
        return await self.desk.courier(f"id-{name}")

    def carriers(self) -> dict[str, str]:
        """Return by order the names of the couriers who have it in hand."""
        ids = {courier_id: name for name, courier_id in self.couriers.items()}
        return {
            one.order_id: ids[one.courier_id or ""]
            for one in self.rows()
            if one.status in {"assigned", "picked_up"}
        }

    def rows(self) -> list[Delivery]:
        """Return all deliveries, the oldest first, also during an outage."""
        return deliveries_in(self.store)

    def kept(self, order_id: str) -> Delivery:
        (found,) = [one for one in self.rows() if one.order_id == order_id]
        return found

    def order(self, order_id: str) -> Order:
        return self.store.orders[order_id]

    async def crash(self) -> None:
        """Crash the Couriers actor, and wait until it has crashed."""
        with suppress(ActorCrashed):
            await self.ref.ask(CrashCouriers())


def deliveries_in(store: FaultyStore) -> list[Delivery]:
    with Link.transaction(store.link, writing=False) as connection:
        rows = connection.execute(select(*deliveries.c).order_by(deliveries.c.sequence)).all()
    return list(map(delivery_of, rows))


def completed_in(store: FaultyStore, name: str) -> int:
    with Link.transaction(store.link, writing=False) as connection:
        found = find_courier(connection, f"id-{name}")
    assert found is not None
    return found.courier.completed


def wrong_in(store: FaultyStore) -> list[str]:
    """Return the promises that `cafe db check` would report as broken."""
    with Link.transaction(store.link, writing=False) as connection:
        promises = list(check(connection, DEPARTMENTS))
    return [
        f"{one.sentence}: {json.dumps([str(found) for found in one.findings])}"
        for one in promises
        if one.findings
    ]


@asynccontextmanager
async def open_street(
    store: FaultyStore | None = None,
    *,
    disk: Disk | None = None,
    clock: Callable[[], float] | None = None,
    restart: Restart = RESTART,
    zone: str = "UTC",
) -> AsyncGenerator[Street]:
    """Open a counter with delivery; at its end no promise is broken."""
    async with (
        open_counter(store=store, disk=disk, restart=restart, clock=clock) as counter,
        open_system() as system,
        trio.open_nursery() as nursery,
    ):
        ledger, coverage, followed = counter.ledger, Coverage(), Followed()
        load = partial(ledger.open_until_given_up, DELIVERY, Snapshot())
        rules = Rules(LEASE, partial(day_of, zone=ZoneInfo(zone)))

        async def make() -> FragileCouriers:
            loaded = await load()
            return FragileCouriers(rules, coverage, ledger.now, load, loaded, counter.closing)

        ref = await system.start(make, name="Couriers", mailbox=10_000, restart=restart)
        for task in (
            partial(follow_orders, ref, ledger, followed),
            partial(settle_orders, ref, counter.desk),
            partial(load_when_refused, ledger, DELIVERY, ref, LoadCouriers()),
        ):
            nursery.start_soon(task)
        desk = DeliveryDesk(ref, counter.desk, role_of, ledger, followed)
        yield Street(counter, ref, desk, coverage)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_north(store: FaultyStore | None = None, **options: object) -> AsyncGenerator[Street]:
    """Open a street whose district is the north; at the end no promise is broken."""
    async with open_street(store, **options) as street:  # type: ignore[arg-type] # as given
        if store is None:
            await street.add_districts("north", "south")
        yield street
        if not street.store.link.gone:
            await street.followed()
            assert not (wrong := wrong_in(street.store)), wrong
