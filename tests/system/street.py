"""Customers and baristas at full speed, who go on at whichever shop is open now.

Rule: whatever a shop has acknowledged is noted, with the time at which it was heard. Nobody takes a
lost connection for an answer: who has a key comes again with it, who has an order in hand finishes
it at the next shop, and who has neither has lost his coffee.
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

from tests.system.door import Client
from tests.system.shop import Line, Shop, until

LOST = (OSError, trio.BrokenResourceError, h11.RemoteProtocolError)
"""What becomes of a connection whose shop is killed, whatever it was doing."""
Who = tuple[str, str]
"""A customer's address and key."""
READY = ("ready", "delivered")
AGAIN = 0.1
"""The share of customers who come again with a key for which they have had their coffee."""
DAWDLING = 1.0
"""Seconds that a barista may need: longer than some leases."""


class Heard(NamedTuple):
    """One thing that a shop has acknowledged."""

    order_id: str
    action: str
    """What must have happened to the order by then, as the ledger's events name it."""
    at: float


@dataclass(slots=True)
class Notes:
    """What everybody has heard, over all the lives of a shop."""

    heard: list[Heard] = field(default_factory=list[Heard])
    coffees: dict[Who, set[str]] = field(default_factory=dict[Who, set[str]])
    """The orders that were told of to each customer with a key."""
    kept: set[str] = field(default_factory=set[str])
    """Orders without a key that could be collected later."""
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    newest: int = 0
    """The highest number so far."""
    wrong: list[str] = field(default_factory=list[str])
    """What was heard and cannot be so."""
    refused: Counter[int] = field(default_factory=Counter[int])

    def note(self, order: Line, *actions: str) -> None:
        """Note what an answer says of an order."""
        now, order_id = time.time(), order["order_id"]
        self.heard += [Heard(order_id, action, now) for action in actions]
        self.newest = max(self.newest, order["number"])
        if self.numbers.setdefault(order_id, order["number"]) != order["number"]:
            self.wrong.append(f"order {order_id} has changed its number")


class Street:
    """Where everybody is who wants or makes coffee; waits while no shop is open."""

    def __init__(self, nursery: trio.Nursery, chance: Random) -> None:
        self.notes = Notes()
        self.last_orders = False
        """Nobody orders anew; who has ordered gets his coffee."""
        self._nursery = nursery
        self._chance = chance
        self._shop: Shop | None = None
        self._opened = trio.Event()
        self._numbers = count(1)
        self._customers = 0
        self._served: list[Who] = []

    def open(self, shop: Shop) -> None:
        """Let everybody go to this shop."""
        self._shop = shop
        self._opened.set()

    def shut(self) -> None:
        """Let everybody wait for the next shop."""
        self._shop, self._opened = None, trio.Event()

    def invite(self, *, regulars: int, passers_by: int) -> None:
        """Let customers with keys, and without, order again and again, if there are none yet."""
        if self._customers:
            return
        self.last_orders = False
        for come, customers in ((self._come_with_key, regulars), (self._pass_by, passers_by)):
            for _ in range(customers):
                self._nursery.start_soon(self._keep_ordering, come)

    def hire(self, baristas: int) -> None:
        """Let baristas brew from now on; some dawdle, some give up, some forget what they do."""
        for number in range(baristas):
            self._nursery.start_soon(self._brew, f"barista-{number}")

    async def empty(self) -> None:
        """Wait until nobody waits for a coffee any more, after the last orders."""
        self.last_orders = True
        await until(lambda: self._customers == 0)

    async def _where(self) -> Shop:
        while self._shop is None:
            await self._opened.wait()
        return self._shop

    async def _keep_ordering(self, come: Callable[[str], Awaitable[None]]) -> None:
        self._customers += 1
        number = next(self._numbers)
        while not self.last_orders:
            await self._where()
            await come(f"127.5.{number % 8}.{1 + number % 200}")
        self._customers -= 1

    # Customers with a key

    async def _come_with_key(self, address: str) -> None:
        who, newest = (address, f"key-{next(self._numbers)}"), self.notes.newest
        if self._served and self._chance.random() < AGAIN:
            who, newest = self._chance.choice(self._served), 0
        told = self.notes.coffees.setdefault(who, set())
        while True:
            try:
                coffee = await self._ask_with_key(*who)
            except LOST:
                continue
            if coffee is None:
                continue
            told.add(coffee["order_id"])
            if coffee["number"] <= newest:
                self.notes.wrong.append(f"order {coffee['order_id']}: its number is an old one")
            if coffee["status"] in READY:
                self._served.append(who)
                return

    async def _ask_with_key(self, address: str, key: str) -> Line | None:
        """Give what becomes of the order; None where its customer hung up, or was refused."""
        shop = await self._where()
        patience = self._chance.choice((0.02, inf, inf, inf))
        prefer = self._chance.choice(("respond-async", "wait=1", "wait=60"))
        with trio.move_on_after(patience):
            async with await shop.connect(address) as stream:
                asked = request("POST", "/order/", f"Idempotency-Key: {key}", f"Prefer: {prefer}")
                return await self._order(Client(stream), asked)
        return None

    async def _order(self, client: Client, asked: bytes, *kept: str) -> Line | None:
        """Give the order as the answer has it; `kept` is what a 202 has done to it."""
        answer = await client.ask(asked, "POST")
        if self._is_refused(answer.status, {200, 202}):
            return None
        order: Line = json.loads(answer.body)
        self.notes.note(order, *(("place", *kept) if answer.status == 202 else ("hand over",)))
        return order

    # Customers without

    async def _pass_by(self, address: str) -> None:
        shop = await self._where()
        order: Line | None = None
        prefer = self._chance.choice(((), (), ("Prefer: respond-async",)))
        try:
            with trio.move_on_after(self._chance.choice((0.05, inf, inf, inf, inf))):
                async with await shop.connect(address) as stream:
                    asked = request("POST", "/order/", *prefer)
                    order = await self._order(Client(stream), asked, "place")
        except LOST:
            return
        if order is not None and prefer:
            self.notes.kept.add(order["order_id"])
            await self._collect(order["order_id"], address)

    async def _collect(self, order_id: str, address: str) -> None:
        """Look at a kept order until it is ready."""
        status = ""
        while status not in READY:
            shop = await self._where()
            try:
                async with await shop.connect(address) as stream:
                    asked = request("GET", f"/order/{order_id}", "Prefer: wait=60")
                    answer = await Client(stream).ask(asked)
            except LOST:
                continue
            if answer.status == 404:
                return  # lost, as the tables will tell
            if not self._is_refused(answer.status, {200}):
                status = json.loads(answer.body)["status"]

    # Baristas

    async def _brew(self, name: str) -> None:
        hand: list[str] = []
        while True:
            shop = await self._where()
            try:
                async with await shop.connect(url=shop.worker) as stream:
                    client = Client(stream)
                    while True:
                        await self._brew_one(client, name, hand)
            except LOST:
                if self._chance.random() < 0.3:
                    hand.clear()  # he has forgotten it, and its lease runs out

    async def _brew_one(self, client: Client, name: str, hand: list[str]) -> None:
        if not hand:
            answer = await client.ask(request("GET", f"/start/?wait=1&barista={name}"))
            if self._is_refused(answer.status, {200, 204}) or answer.status == 204:
                return
            claim: Line = json.loads(answer.body)
            hand.append(claim["order_id"])
            self.notes.note(claim, "start")
        whim = self._chance.random()
        if whim < 0.01:
            await trio.sleep(self._chance.uniform(0, DAWDLING))
        if whim < 0.99:
            doing = "release" if whim > 0.97 else "finish"
            answer = await client.ask(request("POST", f"/{doing}/{hand[0]}"), "POST")
            if self._is_refused(answer.status, {200, 409}):
                return
            if answer.status == 200:  # else somebody else has it, since its lease ran out
                self.notes.note(json.loads(answer.body), doing)
        hand.clear()

    def _is_refused(self, status: int, expected: set[int]) -> bool:
        """Tell whether the shop is too busy; anything else that is not expected is noted."""
        if status in expected:
            return False
        self.notes.refused[status] += 1
        if status != 503:
            self.notes.wrong.append(f"an answer of {status}")
        return True


def request(method: str, path: str, *headers: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: cafe", "Content-Length: 0", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
