"""The load: customers who order, baristas who start and finish, every answer checked.

Rule: the same for every server measured. Runs as a process of its own: takes a `Plan`, prints a
`Result`, both as JSON. Each customer and each barista has an address of their own, so that the café
can be measured with its limits as they are.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import count, repeat
from time import perf_counter

import uvloop

from bench.tally import Result, Tally, WrongAnswerError, order_id_of
from bench.wire import Client, request
from cafe.server.descriptors import raise_limit

ORDER = request("POST", "/order/")
IDLE_SECONDS = 0.002
ARRIVALS_PER_SECOND = 1500
"""Of customers who park: few enough that no SYN has to be sent again."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the load does: a rush, in which customers order again and again, or parked orders."""

    client_port: int
    worker_port: int
    customers: int = 200
    baristas: int = 20
    warm: float = 0.0
    """Seconds of warm-up before the measurement; `warm` is printed when they have passed."""
    seconds: float = HOUR
    orders: int = 10**9
    pace: float = 0.0
    """Orders a second by all customers together, evenly spaced; 0: each orders without a pause."""
    start: str = "/start/"
    """Where baristas ask for an order; with `?wait=N` the request waits for one."""
    asks: float = 0.0
    """Requests for an order by all baristas together, a second, evenly spaced; 0: no limit."""
    brew: tuple[float, float] = (0.0, 0.0)
    """Each coffee takes a time between these, in seconds."""
    others: tuple[tuple[int, int], ...] = ()
    """The ports of more servers of the same shop, customers' and baristas': used in turn."""
    strangers: bool = False
    """Another process orders too, so baristas get orders that are not of this load."""
    parked: bool = False
    """Each customer orders once; then `parked` is printed, and the load waits for a line.

    Then the baristas claim every order, and only then finish them all at once.
    """


def address_of(number: int) -> str:
    """Return a loopback address that no other customer has."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def address_of_barista(number: int) -> str:
    """Return a loopback address that no other barista has."""
    return f"127.2.0.{number + 1}"


def turns_of(number: int, of: int, per_second: float) -> Iterator[float]:
    """Yield the times of the turns of one of `of` clients that share a rate; 0: always now."""
    if not per_second:
        return repeat(0.0)
    return count(perf_counter() + number / per_second, of / per_second)


async def wait_turn(turns: Iterator[float]) -> None:
    """Wait for the next turn, if it has not come yet."""
    early = next(turns) - perf_counter()
    if early > 0:
        await asyncio.sleep(early)


class Run:
    """One run of customers and baristas against one server."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ports = [(plan.client_port, plan.worker_port), *plan.others]
        self.start = request("GET", plan.start)
        self.tally = Tally()
        self.ended = False

    async def customer(self, number: int, orders: int, until: float) -> None:
        """Order again and again, until a time or until all together have placed `orders`."""
        client = Client(self.ports[number % len(self.ports)][0], address_of(number))
        turns = turns_of(number, self.plan.customers, self.plan.pace)
        while self.tally.placed < orders and perf_counter() < until:
            await wait_turn(turns)
            self.tally.placed += 1
            placed_at = perf_counter()
            self.tally.collect(await client.ask(ORDER), placed_at)
        client.close()

    async def barista(self, number: int) -> None:
        """Claim the oldest order, brew it, declare it ready; again and again."""
        client = Client(self.ports[number % len(self.ports)][1], address_of_barista(number))
        turns = turns_of(number, self.plan.baristas, self.plan.asks)
        while not self.ended:
            await wait_turn(turns)
            asked_at = perf_counter()
            order_id = self.tally.start(await client.ask(self.start), asked_at)
            if order_id is None:
                await asyncio.sleep(0.0 if self.plan.asks else IDLE_SECONDS)
                continue
            if any(self.plan.brew):
                await asyncio.sleep(random.uniform(*self.plan.brew))  # noqa: S311 - not a secret
            await self.finish(client, order_id)
        client.close()

    async def finish(self, client: Client, order_id: str) -> None:
        """Declare an order ready."""
        finish = request("POST", "/finish/", json.dumps({"order_id": order_id}).encode())
        self.tally.finished_at[order_id] = perf_counter()
        if order_id_of(await client.ask(finish)) != order_id:
            raise WrongAnswerError(f"finishing {order_id} was answered with another order")

    @asynccontextmanager
    async def baristas(self) -> AsyncGenerator[None]:
        """Run the baristas during the block."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.plan.baristas):
                group.create_task(self.barista(number))
            yield
            self.ended = True

    async def rush(self) -> Result:
        """Order without a pause; return what was collected after the warm-up."""
        plan = self.plan
        begin = perf_counter() + plan.warm
        end = begin + plan.seconds
        asyncio.get_running_loop().call_later(plan.warm, say, "warm")
        async with self.baristas(), asyncio.TaskGroup() as group:
            for number in range(plan.customers):
                group.create_task(self.customer(number, plan.orders, end))
        self.tally.close(strangers=plan.strangers)
        return self.tally.result(begin, end)

    async def park(self) -> Result:
        """Let each customer order once and wait; finish all orders at once when a line comes in."""
        plan = self.plan
        begin = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(plan.customers):
                group.create_task(self.customer(number, plan.customers, begin + HOUR))
                early = number / ARRIVALS_PER_SECOND - (perf_counter() - begin)
                if early > 0:
                    await asyncio.sleep(early)
            say("parked")
            await asyncio.to_thread(sys.stdin.readline)
            await self.finish_at_once()
        self.tally.close(strangers=False)
        return self.tally.result(begin, begin + HOUR)

    async def finish_at_once(self) -> None:
        """Claim every order, then finish them all, each barista one by one."""
        clients = [Client(self.plan.worker_port) for _ in range(self.plan.baristas)]

        async def claim(client: Client) -> list[str]:
            claimed: list[str] = []
            while len(self.tally.started) < self.plan.customers:
                order_id = self.tally.start(await client.ask(self.start))
                if order_id is None:  # the last ones are not placed yet
                    await asyncio.sleep(IDLE_SECONDS)
                else:
                    claimed.append(order_id)
            return claimed

        async def finish(client: Client, order_ids: list[str]) -> None:
            for order_id in order_ids:
                await self.finish(client, order_id)
            client.close()

        order_ids = await asyncio.gather(*map(claim, clients))
        await asyncio.gather(*map(finish, clients, order_ids))


def say(line: str) -> None:
    """Print a line for the benchmark at once."""
    print(line, flush=True)


def main() -> None:
    """Run the plan given as JSON and print its result, or exit with code 1 and the reason."""
    plan = Plan(**json.loads(sys.argv[1]))
    run = Run(plan)
    raise_limit()
    gc.disable()  # a pause of the load is not latency of the server; the run is bounded
    try:
        result = uvloop.run(run.park() if plan.parked else run.rush())
    except* (WrongAnswerError, OSError) as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        sys.exit(f"{first}")
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
