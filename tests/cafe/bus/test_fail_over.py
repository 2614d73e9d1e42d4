"""A front notices the end of its house, and soon finds the next one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any, cast

import pytest
import trio
from sqlalchemy import Connection

from actors import ActorCrashed
from cafe.bus.answering import Answering
from cafe.bus.codec import encode, seal
from cafe.bus.house_client import SILENT_SECONDS, HouseClient, open_house_client
from cafe.bus.invoking import askable_of
from cafe.bus.streams import Names
from cafe.ledger.ledger import LedgerStatistics
from tests.cafe.bus.memory_bus import Memory, MemoryBus

pytestmark = pytest.mark.schedules

AT_ONCE = 0.05
"""The seconds that count as at once: less than between two heartbeats."""
Calls = Mapping[str, Callable[[], Awaitable[Any]]]


def cups(_connection: Connection, *, number: int) -> int:
    """Return the number: a fake query."""
    return number


class Ledger:
    """The empty ledger of a house; it answers queries, or hangs."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs

    def now(self) -> float:
        return trio.current_time()

    def listen(self, _callback: object) -> None:
        pass

    def statistics(self) -> LedgerStatistics:
        return LedgerStatistics(0, 0, 0, 0)

    async def read(self, query: Callable[[Any], Any]) -> Any:
        if self.hangs:
            await trio.sleep_forever()
        return query(None)


async def forget(_front: str) -> None:
    """Do nothing for a front that has disconnected."""


async def never() -> int:
    """Never return."""
    await trio.sleep_forever()
    raise AssertionError


class Houses:
    """The houses of one shop, one after the other, and fronts."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.memory = Memory(Random(0))  # noqa: S311 - no secret
        self._term = 0
        self._house = trio.CancelScope()

    def open(self, ledger: Ledger | None = None, calls: Calls | None = None) -> None:
        """Open the next house, after the former one has ended without notice."""
        self._house.cancel()
        self._term, self._house = self._term + 1, trio.CancelScope()
        bus, term = self.bus(), self._term
        asked = askable_of((), [cups], calls or {})
        answering = Answering(bus, lambda: term, asked, cast("Any", ledger or Ledger()), forget)
        self._nursery.start_soon(self._run, answering, self._house)

    async def _run(self, answering: Answering, scope: trio.CancelScope) -> None:
        with scope:
            await answering.run()

    @asynccontextmanager
    async def front(self, bus: MemoryBus | None = None) -> AsyncGenerator[HouseClient]:
        """Open a front, on request with an end of the bus that the test may cut off."""
        async with open_house_client(bus or self.bus()) as house:
            yield house

    def bus(self) -> MemoryBus:
        """Return a new end of the bus."""
        return MemoryBus(self.memory, self._nursery)


@asynccontextmanager
async def houses() -> AsyncGenerator[Houses]:
    """Open a bus, without any house."""
    async with trio.open_nursery() as nursery:
        yield Houses(nursery)
        nursery.cancel_scope.cancel()


async def test_a_front_finds_a_house_as_soon_as_it_opens() -> None:
    async with houses() as shop, shop.front() as house:
        await trio.sleep(1.0)
        shop.open()
        with trio.fail_after(AT_ONCE):
            await house.wait_for_house()


async def test_a_read_under_way_is_retried_in_the_next_house() -> None:
    async with houses() as shop, shop.front() as house, trio.open_nursery() as nursery:
        shop.open(Ledger(hangs=True))
        await house.wait_for_house()
        found: list[int] = []

        async def read() -> None:
            found.append(await house.read(partial(cups, number=3)))

        nursery.start_soon(read)
        await trio.sleep(1.0)
        assert not found
        shop.open()
        await trio.sleep(AT_ONCE)
        assert found == [3]


async def test_an_ask_under_way_raises_actor_crashed_after_a_fail_over() -> None:
    async with houses() as shop, shop.front() as house:
        shop.open(calls={"brew": never})
        await house.wait_for_house()

        async def fail_over() -> None:
            await trio.sleep(1.0)
            shop.open(calls={"brew": never})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_over)
            with trio.fail_after(1.0 + AT_ONCE), pytest.raises(ActorCrashed):
                await house.call("brew", int)


async def test_a_front_that_was_forgotten_has_no_ask_run_twice() -> None:
    runs = 0

    async def brew() -> int:
        nonlocal runs
        runs += 1
        await trio.sleep(1.0)
        return runs

    async with houses() as shop, trio.open_nursery() as nursery:
        bus = shop.bus()
        async with shop.front(bus) as house:
            shop.open(calls={"brew": brew})
            await house.wait_for_house()

            async def be_cut_off() -> None:
                await trio.sleep(0.5)
                bus.is_cut = True
                await trio.sleep(20)
                bus.is_cut = False

            nursery.start_soon(be_cut_off)
            with trio.fail_after(25), pytest.raises(ActorCrashed):
                await house.call("brew", int)
            assert runs == 1
            assert await house.call("brew", int) == 2


async def test_a_house_that_only_answers_asks_still_sends_heartbeats() -> None:
    async with houses() as shop, shop.front() as house:
        shop.open()
        await house.wait_for_house()
        for _ in range(round(3 * SILENT_SECONDS / 0.1)):
            await house.read(partial(cups, number=1))
            assert house.has_house
            await trio.sleep(0.1)


async def test_a_house_skips_malformed_batches_of_asks() -> None:
    async with houses() as shop, shop.front() as house:
        shop.open()
        await house.wait_for_house()
        for body in (b"", b"\xc1", b"\x91\xa1\xff", encode(3), encode(["front", None])):
            shop.memory.add(Names().asks, seal(body))
        assert await house.read(partial(cups, number=1)) == 1


async def test_a_front_that_closed_while_it_was_answered_leaves_no_stream() -> None:
    async with houses() as shop:
        shop.open()
        async with shop.front() as house:
            await house.wait_for_house()
            await house.read(partial(cups, number=1))
            front = house.front
        answers = Names().answers(front)
        shop.memory.add(answers, b"")  # from a house that does not know of the end yet
        await trio.sleep(20)
        assert answers not in shop.memory.streams
