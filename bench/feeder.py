"""Feed a house as many fronts would, without HTTP: customers and baristas who ask over the bus.

Rule: a process of its own, as `bench.load` is. Its arguments are the URL of the bus and the
seconds; it prints a line when it is warm, and then the orders finished in the measured seconds.
"""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from time import time

import trio

from cafe.bus.following_ledger import FollowingLedger
from cafe.bus.house_client import open_house_client
from cafe.bus.streams import Names, open_bus
from cafe.http.refusals import Closing
from cafe.ledger.tables import metadata
from cafe.orders.front import DispatcherAtFront
from cafe.orders.front_copies import copied_ids
from cafe.orders.messages import AwaitOrder, FinishOrder, PlaceOrder, StartOrder
from cafe.orders.order import OrderIds
from cafe.shop.process import start_clock

FRONTS = 4
CUSTOMERS, BARISTAS = 100, 60
"""The clients of each front."""
WARM_SECONDS = 1.5
IDLE_SECONDS = 0.02


class Feeder:
    """Customers and baristas at several fronts, who never pause."""

    def __init__(self) -> None:
        """Begin with no finished orders."""
        self.finished = 0

    async def customer(self, dispatcher: DispatcherAtFront, ids: OrderIds, number: int) -> None:
        """Order and wait, repeatedly."""
        address = f"10.0.{number // 250}.{number % 250}"
        while True:
            order = PlaceOrder(ids.new(), "americano", None, address, 400)
            await dispatcher.ask(order)
            await dispatcher.ask(AwaitOrder(order.order_id))

    async def barista(self, dispatcher: DispatcherAtFront) -> None:
        """Claim and finish, repeatedly."""
        while True:
            claim = await dispatcher.ask(StartOrder())
            if claim is None:
                await trio.sleep(IDLE_SECONDS)
                continue
            await dispatcher.ask(FinishOrder(claim.order.order_id))
            self.finished += 1

    async def run(self, url: str, seconds: float) -> int:
        """Feed the house, print the measured orders, and return all that were finished."""
        async with AsyncExitStack() as stack:
            nursery = await stack.enter_async_context(trio.open_nursery())
            for number in range(FRONTS):
                bus = await stack.enter_async_context(open_bus(url, Names()))
                house = await stack.enter_async_context(open_house_client(bus))
                ledger = FollowingLedger(house, start_clock(), metadata.tables.values())
                await ledger.begin()
                dispatcher = DispatcherAtFront(house, ledger, Closing(), 60.0)
                ids = await copied_ids(ledger)
                nursery.start_soon(dispatcher.run)
                for one in range(CUSTOMERS):
                    nursery.start_soon(self.customer, dispatcher, ids, number * CUSTOMERS + one)
                for _ in range(BARISTAS):
                    nursery.start_soon(self.barista, dispatcher)
            await trio.sleep(WARM_SECONDS)
            print("warm", flush=True)
            before, began = self.finished, time()
            await trio.sleep(seconds)
            print(
                json.dumps({"orders": self.finished - before, "seconds": time() - began}),
                flush=True,
            )
            nursery.cancel_scope.cancel()
        return self.finished


if __name__ == "__main__":
    trio.run(Feeder().run, sys.argv[1], float(sys.argv[2]))
