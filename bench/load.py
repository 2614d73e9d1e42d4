"""The load: customers who order, baristas who start and finish, every answer checked.

Rule: a number counts only if every order was started once, finished once and collected once by the
customer it belongs to. Runs as a process of its own, the same for every server measured: takes a
`Plan`, gives a `Result`, both as JSON. Each customer has an address of his own, so that the café
can be measured with its limits as they are.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from math import nan
from statistics import quantiles
from time import perf_counter

import uvloop

from bench.wire import Answer, Client, request

ORDER = request("POST", "/order/")
START = request("GET", "/start/")
IDLE_SECONDS = 0.002
HOUR = 3600.0


class WrongAnswerError(Exception):
    """A server gave an answer that it must not give: its numbers are worth nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the load does: a rush, in which customers order again and again, or parked orders."""

    client_port: int
    worker_port: int
    customers: int = 200
    baristas: int = 20
    warm: float = 0.0
    """Seconds before the measured ones; `warm` is printed when they have passed."""
    seconds: float = HOUR
    orders: int = 10**9
    brew: tuple[float, float] = (0.0, 0.0)
    """Each coffee takes a time between these, in seconds."""
    strangers: bool = False
    """Others order too, so baristas get orders that are not ours."""
    parked: bool = False
    """Everybody orders once; `parked` is printed, and baristas come when a line is read."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the load measured."""

    orders: int
    """Collected in the measured seconds."""
    seconds: float
    placed: int
    """In the whole run, the warm-up and the end included."""
    p50: float
    p99: float
    """Percentiles of the time from sending `POST /finish/` to the customer's 200, in seconds."""

    @property
    def per_second(self) -> float:
        """Orders collected in a second."""
        return self.orders / self.seconds


@dataclass(slots=True)
class Tally:
    """What happened to every order; raises as soon as one is not what it must be."""

    started: set[str] = field(default_factory=set[str])
    finished_at: dict[str, float] = field(default_factory=dict[str, float])
    collected_at: dict[str, float] = field(default_factory=dict[str, float])
    placed: int = 0

    def start(self, answer: Answer) -> str | None:
        """Note a barista's claim; None when there was nothing to do."""
        if answer.status == 204:
            return None
        order_id = order_id_of(answer)
        if order_id in self.started:
            raise WrongAnswerError(f"order {order_id} was handed out twice")
        self.started.add(order_id)
        return order_id

    def collect(self, answer: Answer) -> None:
        """Note a customer's coffee."""
        now = perf_counter()
        order_id = order_id_of(answer)
        if order_id not in self.finished_at:
            raise WrongAnswerError(f"order {order_id} was collected before it was finished")
        if order_id in self.collected_at:
            raise WrongAnswerError(f"order {order_id} was collected twice")
        self.collected_at[order_id] = now

    def close(self, *, strangers: bool) -> None:
        """Check the whole run once everybody has gone."""
        if len(self.collected_at) != self.placed:
            raise WrongAnswerError(
                f"of {self.placed} orders {len(self.collected_at)} were collected"
            )
        if not strangers and self.finished_at.keys() != self.collected_at.keys():
            raise WrongAnswerError("an order was finished that nobody had placed")

    def result(self, begin: float, end: float) -> Result:
        """Count what was collected from `begin` to `end`, or to the last order if sooner."""
        inside = {order_id: at for order_id, at in self.collected_at.items() if begin <= at < end}
        last = max(inside.values(), default=end)
        delays = [at - self.finished_at[order_id] for order_id, at in inside.items()]
        cuts = quantiles(delays, n=100) if len(delays) > 1 else [nan] * 99
        return Result(len(inside), last - begin, self.placed, p50=cuts[49], p99=cuts[98])


def order_id_of(answer: Answer) -> str:
    """Read the order's id from a 200."""
    if answer.status != 200:
        raise WrongAnswerError(f"{answer.status} instead of 200: {answer.body[:200]!r}")
    order_id: str = json.loads(answer.body)["order_id"]
    return order_id


def address_of(number: int) -> str:
    """Give each customer a loopback address of his own."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Shift:
    """One run of customers and baristas against one server."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.ended = False

    async def customer(self, number: int, orders: int, until: float) -> None:
        """Order again and again, until the time or this many by all together."""
        client = Client(self.plan.client_port, address_of(number))
        while self.tally.placed < orders and perf_counter() < until:
            self.tally.placed += 1
            self.tally.collect(await client.ask(ORDER))
        client.close()

    async def barista(self) -> None:
        """Take the oldest order, brew it, declare it ready."""
        client = Client(self.plan.worker_port)
        while not self.ended:
            order_id = self.tally.start(await client.ask(START))
            if order_id is None:
                await asyncio.sleep(IDLE_SECONDS)
                continue
            if any(self.plan.brew):
                await asyncio.sleep(random.uniform(*self.plan.brew))  # noqa: S311 - not a secret
            finish = request("POST", "/finish/", json.dumps({"order_id": order_id}).encode())
            self.tally.finished_at[order_id] = perf_counter()
            if order_id_of(await client.ask(finish)) != order_id:
                raise WrongAnswerError(f"finishing {order_id} was answered with another order")
        client.close()

    @asynccontextmanager
    async def baristas(self) -> AsyncGenerator[None]:
        """Have baristas at work for as long as the block lasts."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.plan.baristas):
                group.create_task(self.barista())
            yield
            self.ended = True

    async def rush(self) -> Result:
        """Keep everybody busy; count what is collected after the warm-up."""
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
        """Let everybody order once and wait; serve them when a line comes in."""
        begin = perf_counter()
        async with asyncio.TaskGroup() as group:
            waiting: list[asyncio.Task[None]] = []
            for number in range(self.plan.customers):
                mine = self.customer(number, self.plan.customers, begin + HOUR)
                waiting.append(group.create_task(mine))
                if number % 50 == 0:  # a queue at the door, not a crush: no SYN is retried
                    await asyncio.sleep(0.02)
            say("parked")
            await asyncio.to_thread(sys.stdin.readline)
            async with self.baristas():
                await asyncio.wait(waiting)
        self.tally.close(strangers=False)
        return self.tally.result(begin, begin + HOUR)


def say(line: str) -> None:
    """Tell the benchmark how far the load is."""
    print(line, flush=True)


def main() -> None:
    """Run the plan given as JSON and print its result, or end with code 1 and the reason."""
    plan = Plan(**json.loads(sys.argv[1]))
    shift = Shift(plan)
    try:
        result = uvloop.run(shift.park() if plan.parked else shift.rush())
    except* (WrongAnswerError, OSError) as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        sys.exit(f"{first}")
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
