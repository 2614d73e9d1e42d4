"""All machines of one shop: houses, fronts, and the links to their database and their bus.

Rule: a site is open when one house owns the shop, each other house is a standby, and each front is
ready. If a test may cut links, each machine has its own links; the accounts are read from the
database itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from cafe.ledger.database import upgrade
from tests.cafe.ledger.postgres import PostgresServer
from tests.machines.processes import PAUSE, READY, Front, House, Machine
from tests.machines.redis_server import HOST, RedisServer
from tests.machines.relay import Relay, running_relay
from tests.system.shop import Shop
from tests.system.until import TIMEOUT, until


@dataclass
class Site:
    """The machines of one shop, on one database and one bus."""

    houses: list[House]
    fronts: list[Front]
    database_url: str
    """Without a relay, for the accounts."""
    postgres: PostgresServer
    redis: RedisServer
    to_database: dict[str, Relay] = field(default_factory=dict[str, Relay])
    """The link of each house, by its name, if links can be cut."""
    to_bus: dict[str, Relay] = field(default_factory=dict[str, Relay])
    """The link of each machine."""

    @property
    def machines(self) -> list[Machine]:
        """Return the houses and the fronts."""
        return [*self.houses, *self.fronts]

    async def open(self) -> None:
        """Start all that does not run, and wait until one house owns the shop and the fronts serve.

        If no house runs, the first is the owner.
        """
        first, *others = self.houses
        if not any(house.is_running for house in self.houses):
            first.start()
            await first.until_ready()
        for machine in (first, *others, *self.fronts):
            if not machine.is_running:
                machine.start()
        await together(front.until_ready for front in self.fronts)
        owner = await self.owner()
        await together(house.until_standby for house in self.houses if house is not owner)

    async def owner(self, *, but: House | None = None) -> House:
        """Wait until a house is ready, and return it; `but` is the former owner."""
        with trio.fail_after(TIMEOUT):
            while True:
                for house in self.houses:
                    if house is not but and await house.readiness() == READY:
                        return house
                await trio.sleep(PAUSE)

    def living_fronts(self) -> list[Shop]:
        """Return the fronts that run and are not frozen, as a load balancer's checks would."""
        return [one.shop for one in self.fronts if one.is_running and not one.is_frozen]

    async def has_forgotten(self, front: Front) -> None:
        """Wait until a house has released what a killed or frozen front held."""
        (name,) = {line["fronts"] for line in front.log.lines("using")[-1:]}

        def is_forgotten() -> bool:
            lines = [one for house in self.houses for one in house.log.lines("front gone")]
            return any(one["front"] == name and "given_up" in one for one in lines)

        await until(is_forgotten)

    async def close(self) -> None:
        """Stop all machines: each must end with exit code 0, and no sign of a bug in its log."""
        running = [machine for machine in (*self.fronts, *self.houses) if machine.is_running]
        for machine in running:
            machine.ask_to_stop()
        codes = {machine.name: await machine.ended() for machine in running}
        assert set(codes.values()) <= {0}, codes
        assert [line for machine in self.machines for line in machine.signs_of_a_bug()] == []

    def kill(self) -> None:
        """Kill the machines that still run."""
        for machine in self.machines:
            if machine.is_running:
                machine.kill()


async def together(waits: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Wait for all of these at once."""
    async with trio.open_nursery() as nursery:
        for wait in waits:
            nursery.start_soon(wait)


@contextmanager
def new_site(
    postgres: PostgresServer,
    redis: RedisServer,
    folder: Path,
    *,
    houses: int = 2,
    fronts: int = 2,
    relayed: bool = False,
    **settings: object,
) -> Generator[Site]:
    """Yield a site on a new database, with no machine started; `relayed` makes its links.

    Kills the machines that still run at the end.
    """
    database = postgres.new_database()
    site = Site([], [], postgres.url(database), postgres, redis)
    upgrade(site.database_url)
    socket = postgres.folder / ".s.PGSQL.5432"
    with ExitStack() as stack:

        def database_of(name: str) -> str:
            if not relayed:
                return site.database_url
            site.to_database[name] = relay = stack.enter_context(running_relay(socket))
            return f"postgresql+psycopg://cafe@{HOST}:{relay.port}/{database}"

        def bus_of(name: str) -> str:
            if not relayed:
                return redis.url
            site.to_bus[name] = relay = stack.enter_context(running_relay((HOST, redis.port)))
            return f"redis://{HOST}:{relay.port}/0"

        for name in (f"house-{number}" for number in range(1, houses + 1)):
            site.houses.append(House(folder, name, database_of(name), bus_of(name), **settings))
        for name in (f"front-{number}" for number in range(1, fronts + 1)):
            site.fronts.append(Front(folder, name, bus_of(name), **settings))
        stack.callback(site.kill)
        yield site
