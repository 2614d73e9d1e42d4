"""The costs of an order at each server, and the most orders a second of a layout.

Rule: arithmetic only. `bench/saturday.py` simulates a day with the same figures, and its tests
compare the two: the kind of server that is full first there must have the least capacity here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf

REQUESTS = 3
"""The requests of one order: place, claim and finish. Each is one commit, and one ask of the house.
The order is handed over in the commit that finishes it."""


class Kind(StrEnum):
    """A kind of server, in the order in which a request passes them."""

    FRONT = "fronts"
    REDIS = "Redis"
    HOUSE = "houses"
    POSTGRESQL = "PostgreSQL"
    BARISTA = "baristas"

    @property
    def named(self) -> str:
        """The name as in a sentence."""
        return self if self[0].isupper() else f"the {self}"


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs, in microseconds of processor time unless another unit is named."""

    front: float = 1_500.0
    """An order at its fronts: three requests. Source: the benchmark of a house and its fronts."""
    follow: float = 750.0
    """An order at each other front of its shop, which follows the log: three entries. Source:
    1 ms of processor for an ask and its answer, both ends, one to an entry; so 250 us a read."""
    house: float = 300.0
    """An order at the house. Source: the benchmark of a house and its fronts."""
    redis: float = 15.0
    """An entry at Redis: it is added and read once. Source: the benchmark of the bus."""
    redis_read: float = 8.0
    """The same entry for each further reader. Source: half of an entry."""
    redis_each: float = 0.5
    """Each further ask, answer or event in an entry: it makes the entry longer. Source: an
    estimate."""
    commit: float = 250.0
    """A group in one of PostgreSQL's processes. Source: transactions of two rows by twelve clients
    at once on two cores, 224 us each with all of the server's processes."""
    commit_each: float = 60.0
    """Each further request in a group. Source: an estimate, a quarter of a group."""
    commit_seconds: float = 0.001
    """How long a house waits for a group, if nothing else is committed. Source: the benchmark
    of the ledger on PostgreSQL."""
    hop_seconds: float = 0.0002
    """The latency between two machines. Source: an estimate for one data centre."""
    front_at_rest: float = 1_900.0
    """A second, for each shop that a front serves: two reports and a heartbeat. Source: 2.0 to
    3.1 ms with two heartbeats, 20 to 50 lines in one process, each with one ask open."""
    house_at_rest: float = 1_400.0
    """A second. Source: 2.2 ms with two heartbeats a second, 20 houses in one process."""
    house_at_rest_each: float = 1_000.0
    """A second, for each front of the shop. Source: the same."""
    redis_at_rest: float = 175.0
    """A second, for each shop of each front: seven commands. Source: 25 us a command, as Redis
    sleeps between them."""
    redis_at_rest_house: float = 50.0
    """A second, for each house: two commands. Source: the same."""
    house_mebibytes: float = 100.0
    """Memory of a house. Source: `memory` of this benchmark, of `cafe serve`: 104 MiB."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The number of servers of each kind."""

    shops: int = 1_000
    """Each has a house, which is one process on one core."""
    fronts: int = 50
    """One core each."""
    fronts_a_shop: int = 2
    """How many of the fronts serve one shop: those that its host name resolves to."""
    redis: int = 1
    """Servers, one thread each; the shops are spread over them."""
    postgresql: int = 1
    """Servers; the shops are spread over them."""
    postgresql_cores: int = 8
    """The cores of each server."""
    baristas: int = 10
    """The baristas of each shop."""

    def servers(self, kind: Kind) -> float:
        """Return the seconds of work that all servers of a kind do in a second."""
        return {
            Kind.FRONT: self.fronts,
            Kind.REDIS: self.redis,
            Kind.HOUSE: self.shops,
            Kind.POSTGRESQL: self.postgresql * self.postgresql_cores,
            Kind.BARISTA: self.baristas * self.shops,
        }[kind]


SESSIONS = 2
"""The sessions of each house at PostgreSQL: one writes and holds the lock, one reads. A standby has
its own."""
BREWING = (30.0, 60.0)
"""The bounds of the uniform brewing time, in seconds, as in the scenario of docs/design.md."""


def seconds_of(kind: Kind, costs: Costs, layout: Layout) -> float:
    """Return the seconds of work of one order for all servers of a kind, alone in its batches."""
    others = layout.fronts_a_shop - 1
    return {
        Kind.FRONT: (costs.front + others * costs.follow) / 1e6,
        Kind.REDIS: REQUESTS * (3 * costs.redis + others * costs.redis_read) / 1e6,
        Kind.HOUSE: costs.house / 1e6,
        Kind.POSTGRESQL: REQUESTS * costs.commit / 1e6,
        Kind.BARISTA: sum(BREWING) / 2,
    }[kind]


def at_rest(kind: Kind, costs: Costs, layout: Layout) -> float:
    """Return the share of a kind's time that is spent without an order; above 1 it has too few."""
    pairs = layout.shops * layout.fronts_a_shop
    house = costs.house_at_rest + layout.fronts_a_shop * costs.house_at_rest_each
    redis = pairs * costs.redis_at_rest + layout.shops * costs.redis_at_rest_house
    spent = {
        Kind.FRONT: pairs * costs.front_at_rest,
        Kind.REDIS: redis,
        Kind.HOUSE: layout.shops * house,
    }
    return spent.get(kind, 0.0) / 1e6 / layout.servers(kind)


def most_orders(kind: Kind, costs: Costs, layout: Layout) -> float:
    """Return the orders a second of all shops at which all servers of a kind are fully busy.

    Without batches: as batches grow under load, Redis and PostgreSQL carry more.
    """
    room = max(0.0, 1.0 - at_rest(kind, costs, layout))
    cost = seconds_of(kind, costs, layout)
    return room * layout.servers(kind) / cost if cost else inf


def cores_for(kind: Kind, orders: float, costs: Costs, layout: Layout, busy: float = 0.7) -> int:
    """Return the cores for this many orders a second, busy for at most `busy` of the time."""
    rest = at_rest(kind, costs, layout) * layout.servers(kind)
    return ceil((rest + orders * seconds_of(kind, costs, layout)) / busy)
