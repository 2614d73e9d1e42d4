"""The simulation of a Saturday at many shops: customers, baristas and the servers between them.

Each customer and each barista is a process. A customer's order passes a front, the bus, the house,
the committer and the bus again; then it waits for a barista of its shop. A barista claims the
oldest order, brews it and finishes it, and claims the next; claim and finish take the same path.

One order stands for many. A part of the shops is simulated, with the same part of the servers that
they share; and a simulated customer is a bundle of customers who arrive together, are served by
a bundle of baristas, and cost as much as all of them. So shares of time, counts and waits of
minutes are right. Stays at servers are too long by the size of a bundle, which `Day.stay` divides
by.

Left out: failures and retries; limits of machines other than processor time (memory, network, open
connections, PostgreSQL's sessions); the queue's limit, refusals, and customers who give up;
requests that are no orders (menus, screens, `GET /start` without `wait`); batches within a bundle;
the difference between a server's machine and the one where the figures were measured.
Rule: nothing here assumes where a queue grows; stays are counted, and `bench/growth.py` reads the
counts. The same seed plays the same day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple

from bench.layout import BREWING, REQUESTS, Costs, Kind, Layout, at_rest
from bench.virtual import MINUTE, Account, ByMinute, Gathering, Loop, Parking, Process, Server

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Saturday:
    """When customers arrive."""

    opens: int = 7
    """The hour of the first of `orders_an_hour`; times count from here."""
    orders_an_hour: tuple[float, ...] = (
        *(80.0, 300.0, 560.0, 760.0, 900.0),  # 07:00 to 11:00, the first peak
        *(640.0, 560.0, 700.0, 940.0),  # 12:00 to 15:00, the second one
        *(720.0, 480.0, 240.0, 60.0),  # 16:00 to 19:00
    )
    """The rate of one shop at each full hour; in between it is interpolated."""
    in_groups: float = 0.5
    """The share of the customers that arrives in groups, whose sizes are uniform in `group`."""
    group: tuple[int, int] = (100, 200)
    load: float = 1.0
    """The factor for all of `orders_an_hour`."""

    @property
    def seconds(self) -> float:
        """The time from opening to the last arrival."""
        return (len(self.orders_an_hour) - 1) * HOUR

    def peak(self) -> float:
        """Return the orders a second of a shop at the peak."""
        return self.load * max(self.orders_an_hour) / HOUR

    def clock(self, time: float) -> str:
        """Return a time as HH:MM."""
        minutes = self.opens * 60 + round(time / MINUTE)
        return f"{minutes // 60:02}:{minutes % 60:02}"

    def times(self, events: float, random: Random) -> Iterator[float]:
        """Yield random times in ascending order, `events` of them for each order of a shop.

        They are as even as those of very many shops together: one in each interval in which one is
        due.
        """
        points = self.orders_an_hour
        rates = [
            points[minute // 60]
            + (points[minute // 60 + 1] - points[minute // 60]) * (minute % 60 + 0.5) / 60
            for minute in range((len(points) - 1) * 60)
        ]
        due = list(accumulate(self.load * events * rate / 60 for rate in rates))
        number = 0
        while (place := number + random.random()) < due[-1]:
            minute = bisect_right(due, place)
            before = due[minute - 1] if minute else 0.0
            yield (minute + (place - before) / (due[minute] - before)) * MINUTE
            number += 1


class Sample(NamedTuple):
    """The scale of the simulation."""

    shops: int = 25
    """The shops that one simulated shop stands for."""
    bundle: int = 1
    """The customers and baristas that a simulated one stands for; if it does not divide the number
    of a shop's baristas, the next smaller divisor is used."""


class Order(NamedTuple):
    """A bundle of orders."""

    arrived: float
    brewing: float
    """The seconds of one barista."""


@dataclass(slots=True)
class Shop:
    """A simulated shop, and its servers."""

    house: Server
    asks: tuple[Gathering, ...]
    """One for each front."""
    answers: Gathering
    committer: Gathering
    idle: Parking
    """Baristas without an order."""
    orders: deque[Order] = field(default_factory=deque[Order])
    """The orders that wait, the oldest first."""


class Day:
    """The counts of a simulated day."""

    def __init__(self, saturday: Saturday, layout: Layout, costs: Costs, sample: Sample) -> None:
        """Prepare the counts. Raises ValueError if servers are too few even without an order."""
        self.saturday = saturday
        self.layout = layout
        shops = max(1, layout.shops // sample.shops)
        self.part = shops / layout.shops
        """The share of the shops that is simulated."""
        self.bundle = next(
            number for number in range(sample.bundle, 0, -1) if layout.baristas % number == 0
        )
        self.accounts = {
            kind: Account(layout.servers(kind) * self.part, at_rest(kind, costs, layout))
            for kind in Kind
        }
        kind = max(Kind, key=lambda one: self.accounts[one].rest)
        if (rest := self.accounts[kind].rest) >= 1.0:
            raise ValueError(f"{kind.named} would be busy for {rest:.0%} of the time without it")
        self.came = ByMinute()
        """Simulated orders, by when the customer arrived."""
        self.served = ByMinute()
        self.waited = ByMinute()
        """The seconds that served customers have waited."""
        self.closed_at = 0.0
        """When the simulation ended, in seconds after opening."""

    @property
    def scale(self) -> float:
        """How many orders a simulated order stands for."""
        return self.bundle / self.part

    def stay(self, kind: Kind, begin: float, end: float) -> float:
        """Return the mean stay of a request at servers of a kind, in seconds; 0 without any."""
        return self.accounts[kind].stay(begin, end) / self.bundle

    def wait(self, begin: float, end: float) -> float:
        """Return the mean wait of served customers, in seconds; 0 without any."""
        return self.waited.between(begin, end) / (self.served.between(begin, end) or 1.0)

    def waiting(self, time: float) -> float:
        """Return the customers who arrived before a time, a full minute, and were not served."""
        return (self.came.between(0, time) - self.served.between(0, time)) * self.scale


class Play:
    """The processes of one day."""

    def __init__(self, day: Day, costs: Costs, seed: int) -> None:
        self._day = day
        self._random = Random(seed)  # noqa: S311 - a simulation, not a secret
        self._loop = loop = Loop()
        layout, accounts = day.layout, day.accounts
        weight = day.bundle / 1e6
        self._seconds_at_front = costs.front / REQUESTS * weight
        self._seconds_at_house = costs.house / REQUESTS * weight
        others = layout.fronts_a_shop - 1
        self._seconds_followed = others * costs.follow / REQUESTS * weight
        self._fronts = self._servers(Kind.FRONT, layout.fronts)
        redis = self._servers(Kind.REDIS, layout.redis)
        databases = self._servers(Kind.POSTGRESQL, layout.postgresql)
        shops = round(layout.shops * day.part)
        each = costs.redis_each * weight
        answer = (2 * costs.redis + others * costs.redis_read) * weight  # with the log's entry
        later = max(0.0, costs.commit_seconds - costs.commit / 1e6) + 2 * costs.hop_seconds

        def ends(number: int, entry: float) -> Gathering:
            server, account = redis[number % len(redis)], accounts[Kind.REDIS]
            return Gathering(
                loop, server, account, seconds=(entry, each), later=2 * costs.hop_seconds
            )

        self._shops = [
            Shop(
                house=Server(loop, accounts[Kind.HOUSE], 1.0),
                asks=tuple(ends(number, costs.redis * weight) for _ in range(layout.fronts_a_shop)),
                answers=ends(number, answer),
                committer=Gathering(
                    loop,
                    databases[number % len(databases)],
                    accounts[Kind.POSTGRESQL],
                    seconds=(costs.commit * weight, costs.commit_each * weight),
                    later=later,
                ),
                idle=Parking(loop),
            )
            for number in range(shops)
        ]

    def _servers(self, kind: Kind, number: int) -> list[Server]:
        """Return the simulated servers of a kind; a part of one server is one slower server."""
        account = self._day.accounts[kind]
        played = max(1, round(number * self._day.part))
        return [Server(self._loop, account, account.capacity / played) for _ in range(played)]

    def run(self, until: float) -> None:
        """Run until this many seconds after opening."""
        day, loop = self._day, self._loop
        for shop in self._shops:
            for _ in range(day.layout.baristas // day.bundle):
                loop.start(self._barista(shop))
        saturday = day.saturday
        each = len(self._shops) / day.bundle
        loop.start(self._arrivals(each * (1 - saturday.in_groups), (1, 1)))
        low, high = (max(1, round(bound / day.bundle)) for bound in saturday.group)
        members = (low + high) / 2
        loop.start(self._arrivals(each * saturday.in_groups / members, (low, high)))
        loop.run(until)
        day.closed_at = until

    def _arrivals(self, events: float, size: tuple[int, int]) -> Process:
        random, loop = self._random, self._loop
        low, high = size
        for time in self._day.saturday.times(events, random):
            yield time
            shop = self._shops[int(random.random() * len(self._shops))]
            for _ in range(low + int(random.random() * (high - low + 1))):
                loop.start(self._customer(shop))

    def _ask(self, shop: Shop) -> Process:
        """Pass a request through a front and the bus to the house."""
        front = self._fronts[int(self._random.random() * len(self._fronts))]
        yield front.visit(self._seconds_at_front)
        yield shop.asks[int(self._random.random() * len(shop.asks))]

    def _turn(self, shop: Shop) -> Process:
        """Process a request in the house, and commit it."""
        yield shop.house.visit(self._seconds_at_house)
        yield shop.committer

    def _answer(self, shop: Shop) -> Process:
        """Pass an answer to its front; the shop's other fronts follow the log."""
        if self._seconds_followed:
            front = self._fronts[int(self._random.random() * len(self._fronts))]
            front.work(self._seconds_followed)
        yield shop.answers

    def _customer(self, shop: Shop) -> Process:
        loop, day = self._loop, self._day
        order = Order(loop.now, BREWING[0] + self._random.random() * (BREWING[1] - BREWING[0]))
        day.came.add(loop.now, 1.0)
        yield from self._ask(shop)
        yield from self._turn(shop)
        day.accounts[Kind.BARISTA].came.add(loop.now, order.brewing * day.bundle)
        shop.orders.append(order)
        shop.idle.release()
        yield from self._answer(shop)

    def _barista(self, shop: Shop) -> Process:
        loop, day = self._loop, self._day
        account = day.accounts[Kind.BARISTA]
        while True:
            yield from self._ask(shop)
            while not shop.orders:
                yield shop.idle
            order = shop.orders.popleft()
            yield from self._turn(shop)
            yield from self._answer(shop)
            yield loop.now + order.brewing
            account.done.add(loop.now, order.brewing * day.bundle)
            yield from self._ask(shop)
            yield from self._turn(shop)
            yield from self._answer(shop)
            day.served.add(loop.now, 1.0)
            day.waited.add(loop.now, loop.now - order.arrived)


def play(
    saturday: Saturday,
    layout: Layout,
    costs: Costs,
    sample: Sample,
    *,
    seed: int = 17,
    after_hours: float = 2.0,
) -> Day:
    """Simulate a day, and `after_hours` after the last arrival; return its counts.

    Raises ValueError if servers are too few without any order.
    """
    day = Day(saturday, layout, costs, sample)
    Play(day, costs, seed).run(saturday.seconds + after_hours * HOUR)
    return day
