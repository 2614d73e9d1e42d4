"""Load on a shop that is killed and restarted: customers and baristas at full speed.

Rule: whatever a shop acknowledges is recorded, with the time at which it was received. A lost
connection is never taken for an answer: a customer with a key retries with it, a barista with a
claim finishes the order at the next process, and a customer without a key gives up.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from math import inf
from random import Random
from typing import NamedTuple

import h11
import trio

from tests.system.raw_client import Client, request
from tests.system.shop import Line, Shop
from tests.system.until import until

PEER_ERRORS = (OSError, trio.BrokenResourceError, h11.RemoteProtocolError)
"""What a connection raises when the process at its other end is killed."""
Customer = tuple[str, str]
"""An address and a key."""
READY = ("ready", "delivered")
AGAIN = 0.1
"""The share of customers who retry a key whose order was already handed over."""
SLOWEST = 1.0
"""Seconds that a barista may need: longer than some leases."""


class Acknowledged(NamedTuple):
    """One change that a shop has acknowledged."""

    order_id: str
    action: str
    """What must have happened to the order by then, as the ledger's events name it."""
    at: float


@dataclass(slots=True)
class Record:
    """What all clients were answered, by every process of a shop."""

    acknowledged: list[Acknowledged] = field(default_factory=list[Acknowledged])
    orders: dict[Customer, set[str]] = field(default_factory=dict[Customer, set[str]])
    """The ids that each customer with a key was answered."""
    kept: set[str] = field(default_factory=set[str])
    """Orders without a key that could be collected later."""
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    newest: int = 0
    """The highest number so far."""
    wrong: list[str] = field(default_factory=list[str])
    """Answers that contradict others."""
    refused: Counter[int] = field(default_factory=Counter[int])

    def add(self, order: Line, *actions: str) -> None:
        """Record what an answer says of an order."""
        now, order_id = time.time(), order["order_id"]
        self.acknowledged += [Acknowledged(order_id, action, now) for action in actions]
        self.newest = max(self.newest, order["number"])
        if self.numbers.setdefault(order_id, order["number"]) != order["number"]:
            self.wrong.append(f"order {order_id} has changed its number")


class Load:
    """All customers and baristas of a shop; they wait while it has no process."""

    def __init__(self, nursery: trio.Nursery, chance: Random) -> None:
        self.record = Record()
        self.is_draining = False
        """Nobody places another order; those who have placed one wait for it."""
        self.most_between = 0.0
        """Seconds between two orders of a customer, at most; none for full speed."""
        self._nursery = nursery
        self._chance = chance
        self._shop: Shop | None = None
        self._opened = trio.Event()
        self._numbers = count(1)
        self._customers = 0
        self._served: list[Customer] = []

    def use(self, shop: Shop) -> None:
        """Send all requests to this shop from now on."""
        self._shop = shop
        self._opened.set()

    def pause(self) -> None:
        """Send no requests until `use` is called."""
        self._shop, self._opened = None, trio.Event()

    def start_customers(self, *, with_key: int, without_key: int) -> None:
        """Start customers who order again and again; return at once if some still run."""
        if self._customers:
            return
        self.is_draining = False
        for order, customers in (
            (self._order_with_key, with_key),
            (self._order_without_key, without_key),
        ):
            for _ in range(customers):
                self._nursery.start_soon(self._keep_ordering, order)

    def start_baristas(self, baristas: int) -> None:
        """Start baristas; some are slow, some release orders, some forget their claim."""
        for number in range(baristas):
            self._nursery.start_soon(self._brew, f"barista-{number}")

    async def drain(self) -> None:
        """Let each customer finish the current order; return when all have."""
        self.is_draining = True
        await until(lambda: self._customers == 0)

    async def _current(self) -> Shop:
        while self._shop is None:
            await self._opened.wait()
        return self._shop

    async def _keep_ordering(self, order: Callable[[str], Awaitable[None]]) -> None:
        self._customers += 1
        number = next(self._numbers)
        while not self.is_draining:
            await self._current()
            await order(f"127.5.{number % 8}.{1 + number % 200}")
            if self.most_between:
                await trio.sleep(self._chance.uniform(0.0, self.most_between))
        self._customers -= 1

    # Customers with a key

    async def _order_with_key(self, address: str) -> None:
        customer, newest = (address, f"key-{next(self._numbers)}"), self.record.newest
        if self._served and self._chance.random() < AGAIN:
            customer, newest = self._chance.choice(self._served), 0
        answered = self.record.orders.setdefault(customer, set())
        while True:
            try:
                order = await self._ask_with_key(*customer)
            except PEER_ERRORS:
                continue
            if order is None:
                continue
            answered.add(order["order_id"])
            if order["number"] <= newest:
                self.record.wrong.append(f"order {order['order_id']}: its number is an old one")
            if order["status"] in READY:
                self._served.append(customer)
                return

    async def _ask_with_key(self, address: str, key: str) -> Line | None:
        """Return the order; None where the customer hung up, or was refused."""
        shop = await self._current()
        timeout = self._chance.choice((0.02, inf, inf, inf))
        prefer = self._chance.choice(("respond-async", "wait=1", "wait=60"))
        with trio.move_on_after(timeout):
            async with await shop.connect(address) as stream:
                asked = request("POST", "/order/", f"Idempotency-Key: {key}", f"Prefer: {prefer}")
                return await self._order(Client(stream), asked)
        return None

    async def _order(self, client: Client, asked: bytes, *kept: str) -> Line | None:
        """Return the order as the answer has it; `kept` is what a 202 has done to it."""
        answer = await client.ask(asked, "POST")
        if self._is_refused(answer.status, {200, 202}):
            return None
        order: Line = json.loads(answer.body)
        self.record.add(order, *(("place", *kept) if answer.status == 202 else ("hand over",)))
        return order

    # Customers without a key

    async def _order_without_key(self, address: str) -> None:
        shop = await self._current()
        order: Line | None = None
        prefer = self._chance.choice(((), (), ("Prefer: respond-async",)))
        try:
            with trio.move_on_after(self._chance.choice((0.05, inf, inf, inf, inf))):
                async with await shop.connect(address) as stream:
                    asked = request("POST", "/order/", *prefer)
                    order = await self._order(Client(stream), asked, "place")
        except PEER_ERRORS:
            return
        if order is not None and prefer:
            self.record.kept.add(order["order_id"])
            await self._collect(order["order_id"], address)

    async def _collect(self, order_id: str, address: str) -> None:
        """Ask for an order until it is ready, or not found."""
        status = ""
        while status not in READY:
            shop = await self._current()
            try:
                async with await shop.connect(address) as stream:
                    asked = request("GET", f"/order/{order_id}", "Prefer: wait=60")
                    answer = await Client(stream).ask(asked)
            except PEER_ERRORS:
                continue
            if answer.status == 404:
                return  # lost, as the tables will show
            if not self._is_refused(answer.status, {200}):
                status = json.loads(answer.body)["status"]

    # Baristas

    async def _brew(self, name: str) -> None:
        claimed: list[str] = []
        while True:
            shop = await self._current()
            try:
                async with await shop.connect(url=shop.worker) as stream:
                    client = Client(stream)
                    while not client.is_closed:  # as after so many requests
                        await self._brew_one(client, name, claimed)
            except PEER_ERRORS:
                if self._chance.random() < 0.3:
                    claimed.clear()  # forgotten: its lease expires

    async def _brew_one(self, client: Client, name: str, claimed: list[str]) -> None:
        if not claimed:
            answer = await client.ask(request("GET", f"/start/?wait=1&barista={name}"))
            if self._is_refused(answer.status, {200, 204}) or answer.status == 204:
                return
            claim: Line = json.loads(answer.body)
            claimed.append(claim["order_id"])
            self.record.add(claim, "start")
            if client.is_closed:
                return  # it is finished on the next connection
        draw = self._chance.random()
        if draw < 0.01:
            await trio.sleep(self._chance.uniform(0, SLOWEST))
        if draw < 0.99:
            action = "release" if draw > 0.97 else "finish"
            answer = await client.ask(request("POST", f"/{action}/{claimed[0]}"), "POST")
            if self._is_refused(answer.status, {200, 409}):
                return
            if answer.status == 200:  # else the lease expired, and another barista has the order
                self.record.add(json.loads(answer.body), action)
        claimed.clear()

    def _is_refused(self, status: int, expected: set[int]) -> bool:
        """Return whether a status is not expected; record it as wrong unless it is 503."""
        if status in expected:
            return False
        self.record.refused[status] += 1
        if status != 503:
            self.record.wrong.append(f"an answer of {status}")
        return True
