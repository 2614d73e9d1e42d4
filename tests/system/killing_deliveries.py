"""Streets of a shop that is killed again and again: what is published, ordered and delivered there.

Rule: customers, staff and couriers note what they were answered, and nothing else. Afterwards each
answer holds in the ledger, each delivery has ended, and its order knows of it.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

import httpx
from sqlalchemy import Connection, func, select

from cafe.delivery.delivery import Status
from cafe.delivery.tables import couriers, deliveries, delivery_of
from cafe.http.authentication import Role
from cafe.ledger.tables import events
from tests.system.credentials import Fields, credentials
from tests.system.killing import Task, pause, taken
from tests.system.shop import Line, Shop

DISTRICTS = ("North", "South")
SERVED = {"Ada": DISTRICTS, "Bo": ("North",), "Cy": ("South",), "Dee": ("North",)}
"""By courier; the first one has an account."""
LEASE = 1.0
PUBLISHERS, CUSTOMERS, BARISTAS = 2, 2, 2


@dataclass
class Record:
    """What was answered, by all processes of a shop."""

    orders: set[str] = field(default_factory=set[str])
    """Published, or ordered to be delivered."""
    finished: Counter[str] = field(default_factory=Counter[str])
    cancelled: set[str] = field(default_factory=set[str])
    wrong: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Streets:
    """Who is known on the streets, with what they sign in by: it outlives each process."""

    chance: Random
    manager: Fields
    courier: Fields
    customer: Fields
    couriers: Sequence[str]
    """Ids; the first one signs in."""
    product: str
    record: Record = field(default_factory=Record)

    def tasks(self, shop: Shop) -> Iterator[Task]:
        """Yield what goes on as long as the shop is open."""
        yield from [partial(self.publish, shop)] * PUBLISHERS
        yield from [partial(self.order, shop)] * CUSTOMERS
        yield partial(self.meddle, shop)
        yield from self.work(shop)

    def work(self, shop: Shop, *, closing: bool = False) -> Iterator[Task]:
        """Yield what brings each order to its end; `closing`, nothing fails and nobody is slow."""
        yield from [partial(brew, shop)] * BARISTAS
        yield partial(self.retry, shop)
        yield partial(self.sign_in_and_ride, shop, closing=closing)
        for courier_id in self.couriers[1:]:
            yield partial(self.ride, shop, courier_id, closing=closing)

    async def publish(self, shop: Shop) -> None:
        """Publish one delivery after the other."""
        async with shop.baristas() as staff:
            while True:
                wish = {
                    "name": "Box",
                    "district": self.chance.choice(DISTRICTS),
                    "queue": self.chance.random() < 0.7,
                }
                self._note_order(await staff.post("/deliveries", json=wish))
                await pause(self.chance, 0.2)

    async def order(self, shop: Shop) -> None:
        """Order one basket after the other, each to be delivered and paid at once."""
        async with shop.customers(headers=self.customer) as customer:
            while True:
                way = {"type": "delivery", "district": self.chance.choice(DISTRICTS)}
                wish = {
                    "items": [{"product_id": self.product, "quantity": 1}],
                    "fulfilment": {**way, "address": "Main St 1"},
                }
                key = {"Idempotency-Key": secrets.token_hex(8)}
                self._note_order(await customer.post("/orders", json=wish, headers=key))
                await pause(self.chance, 0.2)

    def _note_order(self, response: httpx.Response) -> None:
        order = taken(response, self.record.wrong)
        if order is not None:
            self.record.orders.add(order["order_id"])

    async def sign_in_and_ride(self, shop: Shop, *, closing: bool) -> None:
        """Work as a courier on the customers' port."""
        async with shop.customers(headers=self.courier) as street:
            await self._ride(street, "/courier/me", closing=closing)

    async def ride(self, shop: Shop, courier_id: str, *, closing: bool) -> None:
        """Work as a courier, by way of a manager."""
        async with shop.baristas(headers=self.manager) as manager:
            await self._ride(manager, f"/couriers/{courier_id}", closing=closing)

    async def _ride(self, client: httpx.AsyncClient, me: str, *, closing: bool) -> None:
        while True:
            courier = taken(await client.get(me), self.record.wrong)
            if courier is not None and courier["active_order"] is not None:
                if closing or self.chance.random() < 0.9:
                    await self._deliver(client, courier["active_order"], closing=closing)
            elif courier is not None and not courier["on_duty"]:
                come = await client.patch(me, json={"on_duty": True})
                taken(come, self.record.wrong)
            elif not closing and self.chance.random() < 0.05:
                taken(await client.patch(me, json={"on_duty": False}), self.record.wrong)
            await pause(self.chance, 0.05)

    async def _deliver(self, client: httpx.AsyncClient, order_id: str, *, closing: bool) -> None:
        """Pick up an order, if it was not, and finish it; or fail now and then."""
        # The courier may have lost it meanwhile.
        picked_up = await client.post(f"/deliveries/{order_id}/pickup")
        taken(picked_up, self.record.wrong, 403)
        await pause(self.chance, 0.05)
        if closing or self.chance.random() < 0.8:
            await self._finish(client, order_id)
        else:
            path = f"/deliveries/{order_id}/fail"
            taken(
                await client.post(path, json={"reason": "no one is there"}), self.record.wrong, 403
            )

    async def _finish(self, client: httpx.AsyncClient, order_id: str) -> None:
        finished = await client.post(f"/deliveries/{order_id}/finish")
        if taken(finished, self.record.wrong, 403) is not None:
            self.record.finished[order_id] += 1

    async def retry(self, shop: Shop) -> None:
        """Let what has failed be tried again."""
        async with shop.baristas() as staff:
            while True:
                for one in await self._listed(staff, Status.FAILED):
                    retried = await staff.post(f"/deliveries/{one['order_id']}/retry")
                    taken(retried, self.record.wrong)
                await pause(self.chance, 0.2)

    async def meddle(self, shop: Shop) -> None:
        """Finish, reassign or cancel what couriers have in hand, as they do the same."""
        async with shop.baristas(headers=self.manager) as manager:
            while True:
                status = self.chance.choice((Status.ASSIGNED, Status.PICKED_UP, Status.WAITING))
                found = await self._listed(manager, status)
                if found:
                    await self._meddle_with(manager, self.chance.choice(found)["order_id"])
                await pause(self.chance, 0.3)

    async def _meddle_with(self, manager: httpx.AsyncClient, order_id: str) -> None:
        step = self.chance.choice(("finish", "reassign", "cancel"))
        if step == "finish":
            await self._finish(manager, order_id)
            return
        done = taken(await manager.post(f"/deliveries/{order_id}/{step}"), self.record.wrong)
        if done is not None and step == "cancel":
            self.record.cancelled.add(order_id)

    async def _listed(self, client: httpx.AsyncClient, status: Status) -> list[Line]:
        """List the deliveries of a status; no courier has two of them in hand."""
        response = await client.get("/deliveries", params={"status": status.value})
        page = taken(response, self.record.wrong)
        found: list[Line] = [] if page is None else page["deliveries"]
        if status in {Status.ASSIGNED, Status.PICKED_UP}:
            carriers = Counter(one["courier_id"] for one in found)
            two = [one for one, number in carriers.items() if number > 1]
            self.record.wrong += [f"courier {one} has two deliveries in hand" for one in two]
        return found


async def open_streets(shop: Shop, chance: Random) -> Streets:
    """Add districts and couriers, and sign everyone in."""
    manager, courier, customer = [
        await credentials(shop, role) for role in (Role.MANAGER, Role.COURIER, Role.CUSTOMER)
    ]
    ids: list[str] = []
    async with shop.baristas(headers=manager) as client, shop.customers() as guest:
        for name in DISTRICTS:
            (await client.post("/districts", json={"name": name})).raise_for_status()
        users = (await client.get("/admin/users", params={"role": "courier"})).json()["users"]
        for name, served in SERVED.items():
            account = None if ids else users[0]["user_id"]
            wish = {"name": name, "districts": [*served], "account": account}
            added = (await client.post("/couriers", json=wish)).raise_for_status()
            ids.append(added.json()["courier_id"])
        product = (await guest.get("/menu")).json()["products"][0]["id"]
    return Streets(chance, manager, courier, customer, ids, product)


async def brew(shop: Shop) -> None:
    """Start and finish one order after the other."""
    async with shop.baristas() as barista:
        while True:
            started = await barista.get("/start/", params={"wait": 1})
            if started.status_code == 200:
                await barista.post("/finish/", json={"order_id": started.json()["order_id"]})


def disagreements(connection: Connection, record: Record) -> Iterator[str]:
    """Yield a sentence for each answer that does not hold, and for what is left to do."""
    yield from record.wrong
    rows = {row.order_id: delivery_of(row) for row in connection.execute(select(*deliveries.c))}
    ends = _ends_of_orders(connection)
    for order_id in record.orders.union(record.finished, record.cancelled) - rows.keys():
        yield f"order {order_id} was answered, and has no delivery"
    for order_id, one in rows.items():
        finished = record.finished[order_id]
        if finished > 1 or (finished and one.status is not Status.DELIVERED):
            yield f"order {order_id} was finished {finished} times, and is {one.status}"
        if order_id in record.cancelled and one.status is not Status.CANCELLED:
            yield f"order {order_id} was cancelled, and is {one.status}"
        ended = ends.get(order_id, [])
        if not one.settled or ended != [one.status.value]:
            what = "" if one.settled else "unsettled and "
            yield f"delivery {order_id} is {what}{one.status}, and its order ended {ended}"
    completed = connection.execute(select(func.sum(couriers.c.completed))).scalar_one()
    delivered = sum(one.status is Status.DELIVERED for one in rows.values())
    if completed != delivered:
        yield f"couriers completed {completed} of {delivered} deliveries"


def _ends_of_orders(connection: Connection) -> dict[str, list[str]]:
    """Return all that orders were handed over or called off to, by order; once is right."""
    ended = events.c.after.in_(("delivered", "cancelled"))
    changed = events.c.before.is_distinct_from(events.c.after)
    query = select(events.c.subject, events.c.after).where(
        events.c.department == "orders", ended, changed
    )
    found: dict[str, list[str]] = {}
    for order_id, status in connection.execute(query.order_by(events.c.position)):
        found.setdefault(order_id, []).append(status)
    return found
