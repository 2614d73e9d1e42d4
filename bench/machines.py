"""A house and fronts compared with one process, all on PostgreSQL and on this machine.

Full orders as in `orders.py`, through one front and a house, then through two fronts. The result is
the processor time of each process for an order, and so how many orders a house on one core can
serve, and through how many fronts. A house with few orders spends more on each, as its batches are
small; so it is also fed without HTTP, as by many fronts. Rates are for the record, since all
processes share two cores with the load. The latency is that of a barista's claim under a light,
even load.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from bench.processes import Server, cafe, front, housing, processor_seconds, program, rush, serving
from bench.report import FOR_THE_RECORD, Row, Scale, at_most, progress
from cafe.ledger.database import upgrade
from tests.cafe.ledger.postgres import running_server, why_not
from tests.machines.redis_server import running_redis
from tests.machines.redis_server import why_not as why_no_redis

HOUSE_SHARE, FRONT_SHARE = 0.4, 0.9
"""The limits, as shares of the processor time of an order in one process."""
MOST_MS = 15.0
"""The most by which a claim's p99 through the bus may exceed that of one process."""
CUSTOMERS, BARISTAS = 400, 120
"""The clients of the rush: enough that other orders are processed during each round trip."""
PACE = 60.0
"""The orders a second of the light load."""
PEER = "cafe serve, PostgreSQL"


class Costs(NamedTuple):
    """The milliseconds of processor time of an order, and the orders a second."""

    front: float
    house: float
    redis: float
    rate: float


class Fed(NamedTuple):
    """The same for a house alone."""

    house: float
    rate: float


class Machines(NamedTuple):
    """The processes of one layout."""

    fronts: tuple[Server, ...]
    house: int
    redis: int


def measure(scale: Scale) -> list[Row]:
    """Measure each layout in turn, round after round; needs PostgreSQL and Redis."""
    for reason in (why_not(), why_no_redis()):
        if reason is not None:
            progress(f"machines: not measured: {reason}")
            return [Row(f"machines: {reason}", "", "", "", None, FOR_THE_RECORD)]
    with ExitStack() as stack:
        postgres = stack.enter_context(running_server())
        redis = stack.enter_context(running_redis())
        urls = [postgres.url(postgres.new_database()) for _ in range(2)]
        for url in urls:
            upgrade(url)
        alone = stack.enter_context(serving(cafe(urls[0])))
        house = stack.enter_context(housing(urls[1], redis.url))
        fronts = [stack.enter_context(serving(front(redis.url))) for _ in range(2)]
        layouts = {
            PEER: Machines((alone,), alone.pid, redis.pid),
            "one front": Machines((fronts[0],), house, redis.pid),
            "two fronts": Machines(tuple(fronts), house, redis.pid),
        }
        fed: list[Fed] = []
        costs: dict[str, list[Costs]] = {name: [] for name in layouts}
        starts: dict[str, list[float]] = {name: [] for name in (PEER, "one front")}
        for number in range(scale.rounds):
            for name, machines in layouts.items():
                costs[name].append(cost_of(machines, scale.seconds))
                progress(f"machines, round {number + 1}: {name} {shown(costs[name][-1])}")
            for name, seen in starts.items():
                seen.append(start_p99(layouts[name].fronts[0], scale.seconds))
                progress(f"machines, round {number + 1}: {name} claim p99 {seen[-1]:.1f} ms")
        # At the end: the orders that it leaves behind would be brewed in the next round.
        for number in range(scale.rounds):
            fed.append(feed(house, redis.url, scale.seconds))
            shown_fed = f"{fed[-1].rate:.0f}/s, {fed[-1].house:.2f} ms"
            progress(f"machines, round {number + 1}: a house fed without HTTP {shown_fed}")
        by_layout = {name: medians(of) for name, of in costs.items()}
        return rows(by_layout, Fed(*map(median, zip(*fed, strict=True))), starts)


def rows(costs: Mapping[str, Costs], fed: Fed, starts: Mapping[str, list[float]]) -> list[Row]:
    """Return the rows that compare a house and a front with one process."""
    alone, one, two = costs[PEER], costs["one front"], costs["two fronts"]
    all_in_one = f"{alone.front:.2f} ms"
    busy = fed.house / alone.front
    house, front_ = one.house / alone.front, one.front / alone.front
    more = median(starts["one front"]) - median(starts[PEER])
    return [
        Row(
            "processor time of a house for an order",
            f"{one.house:.2f} ms",
            all_in_one,
            PEER,
            house,
            *at_most(HOUSE_SHARE, house),
        ),
        Row(
            f"the same, fed without HTTP as by many fronts: {fed.rate:.0f} orders/s",
            f"{fed.house:.2f} ms",
            all_in_one,
            PEER,
            busy,
            *at_most(HOUSE_SHARE, busy),
        ),
        Row(
            "processor time of a front for an order",
            f"{one.front:.2f} ms",
            all_in_one,
            PEER,
            front_,
            *at_most(FRONT_SHARE, front_),
        ),
        Row("processor time of Redis for an order", f"{one.redis:.2f} ms", all_in_one, PEER),
        Row(
            "a barista's claim through the bus, p99",
            f"{median(starts['one front']):.1f} ms",
            f"{median(starts[PEER]):.1f} ms",
            PEER,
            None,
            f"at most {MOST_MS:g} ms more",
            more <= MOST_MS,
        ),
        Row(
            "full orders, two fronts and a house on two cores",
            f"{two.rate:.0f}/s",
            f"{alone.rate:.0f}/s",
            PEER,
            two.rate / alone.rate,
        ),
    ]


def cost_of(machines: Machines, seconds: float) -> Costs:
    """Run a rush through all fronts of a layout; return the costs of an order in each process."""
    pids = [[one.pid for one in machines.fronts], [machines.house], [machines.redis]]
    before = [sum(map(processor_seconds, some)) for some in pids]
    others = tuple((one.client_port, one.worker_port) for one in machines.fronts[1:])
    plan = {"customers": CUSTOMERS, "baristas": BARISTAS, "others": others}
    result = rush(machines.fronts[0], warm=1.0, seconds=seconds, **plan)
    spent = [sum(map(processor_seconds, some)) for some in pids]
    costs = [
        (after - earlier) / result.placed * 1000
        for after, earlier in zip(spent, before, strict=True)
    ]
    return Costs(costs[0], costs[1], costs[2], result.per_second)


def feed(house: int, bus: str, seconds: float) -> Fed:
    """Feed a house as many fronts would; return its processor time of an order, and its rate."""
    with program("bench.feeder", bus, str(seconds), most_seconds=120) as started:
        while started.read() != "warm":
            pass
        before = processor_seconds(house)
        result: dict[str, float] = json.loads(started.read())
        spent = processor_seconds(house) - before
    return Fed(spent / result["orders"] * 1000, result["orders"] / result["seconds"])


def start_p99(server: Server, seconds: float) -> float:
    """Run a light, even load; return the p99 of a barista's claim, in milliseconds."""
    plan = {"customers": 20, "pace": PACE, "baristas": 5, "asks": 2 * PACE}
    return rush(server, warm=1.0, seconds=seconds, **plan).start_p99 * 1000


def medians(seen: list[Costs]) -> Costs:
    """Return the medians of several rounds."""
    return Costs(*map(median, zip(*seen, strict=True)))


def shown(costs: Costs) -> str:
    """Return the costs of a round as text."""
    each = f"front {costs.front:.2f} ms, house {costs.house:.2f} ms, Redis {costs.redis:.2f} ms"
    return f"{costs.rate:.0f}/s, {each}"
