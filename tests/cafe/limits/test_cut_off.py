"""Enforcing bans: what the RateLimiter decides reaches the connections and the queue."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pytest
import structlog
import trio
import trio.testing

from actors import ActorCrashed, Ref, Restart, open_system
from actors.testing import Probe, settle
from cafe.limits.admission import Admission
from cafe.limits.bans import Ban
from cafe.limits.guard import REPORT_SECONDS, enforce_bans, report_refusals
from cafe.limits.rate_limiter import (
    Bans,
    CountLimits,
    LiftBan,
    Limits,
    NotBanned,
    RateLimiter,
    RecordRefusals,
    WatchBans,
)
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import CountQueue, CutOff, PlaceOrder
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_ledger, start_counter

ATTACKER, OTHER, REGULAR = "192.0.2.66", "192.0.2.67", "192.0.2.1"

LIMITS = Limits(ban_after=10, ban_seconds=60)


@dataclass
class House:
    """A limiter, a Dispatcher and both admissions, with the task that enforces bans."""

    limiter: Ref[RateLimiter]
    dispatcher: Ref[Dispatcher]
    door: Admission
    worker: Admission
    ordered: int = 0

    async def order(self, address: str) -> None:
        self.ordered += 1
        order_id = f"order {self.ordered}"
        await self.dispatcher.ask(PlaceOrder(order_id, "americano", None, address, 400))

    async def refuse(self, address: str) -> None:
        """Refuse an address often enough to earn a ban."""
        await self.limiter.ask(RecordRefusals(((address, LIMITS.ban_after),)))
        await trio.testing.wait_all_tasks_blocked()

    async def waiting(self) -> int:
        return (await self.dispatcher.ask(CountQueue())).waiting


def cut_off_from(dispatcher: Ref[Dispatcher]) -> Callable[[str, float], Awaitable[int]]:
    async def cut_off(address: str, seconds: float) -> int:
        return await dispatcher.ask(CutOff(address, seconds))

    return cut_off


@asynccontextmanager
async def open_house(per_address: int | None = None) -> AsyncGenerator[House]:
    restart = Restart(limit=3, within=60)
    with structlog.testing.capture_logs():
        async with (
            open_ledger() as ledger,
            open_system() as system,
            trio.open_nursery() as nursery,
        ):
            limiter = await system.start(partial(RateLimiter, LIMITS), restart=restart)
            desk, _ = await start_counter(system, nursery, ledger, FaultyStore(), restart=restart)
            dispatcher = desk.dispatcher
            door, worker = Admission(per_address, 100), Admission(None, 100)
            nursery.start_soon(enforce_bans, limiter, cut_off_from(dispatcher), (door, worker))
            nursery.start_soon(report_refusals, limiter, (door, worker))
            yield House(limiter, dispatcher, door, worker)
            nursery.cancel_scope.cancel()


@pytest.mark.schedules(5)
async def test_a_ban_closes_connections_and_takes_orders_out_of_the_queue() -> None:
    async with open_house() as house:
        for address in (ATTACKER, REGULAR, ATTACKER):
            await house.order(address)
        closed: list[str] = []
        for address in (ATTACKER, REGULAR):
            lease = house.door.admit(address)
            assert lease is not None
            lease.abort = partial(closed.append, address)
        await house.refuse(ATTACKER)
        assert closed == [ATTACKER]
        assert await house.waiting() == 1
        assert house.door.admit(ATTACKER) is None
        assert house.door.admit(REGULAR) is not None
        await trio.sleep(LIMITS.ban_seconds)
        assert house.door.admit(ATTACKER) is not None


@pytest.mark.schedules(5)
async def test_an_address_that_is_refused_at_accept_too_often_earns_a_ban() -> None:
    async with open_house(per_address=1) as house:
        await house.order(ATTACKER)
        for _ in range(1 + LIMITS.ban_after):
            house.door.admit(ATTACKER)
        assert await house.waiting() == 1
        await trio.sleep(2 * REPORT_SECONDS)
        assert await house.waiting() == 0
        assert (await house.limiter.ask(CountLimits())).banned == 1


@pytest.mark.schedules(5)
async def test_a_ban_closes_the_connections_of_both_ports() -> None:
    async with open_house() as house:
        closed: list[str] = []
        for name, door in (("client", house.door), ("worker", house.worker)):
            for address in (ATTACKER, REGULAR):
                lease = door.admit(address)
                assert lease is not None
                lease.abort = partial(closed.append, f"{address} at {name}")
        await house.refuse(ATTACKER)
        assert closed == [f"{ATTACKER} at client", f"{ATTACKER} at worker"]
        for door in (house.door, house.worker):
            assert door.admit(ATTACKER) is None
            assert door.admit(REGULAR) is not None


@pytest.mark.schedules(5)
async def test_what_is_lifted_connects_again_at_both_ports_and_earns_the_next_ban() -> None:
    async with open_house() as house:
        await house.refuse(ATTACKER)
        await house.refuse(OTHER)
        for _ in range(LIMITS.ban_after):
            assert house.door.admit(ATTACKER) is None
        await house.limiter.ask(LiftBan(ATTACKER))
        await trio.testing.wait_all_tasks_blocked()
        for door in (house.door, house.worker):
            assert door.admit(ATTACKER) is not None
            assert door.admit(OTHER) is None
        await trio.sleep(2 * REPORT_SECONDS)
        assert house.door.admit(ATTACKER) is not None, "what was refused before does not count"
        await house.order(ATTACKER)
        await house.refuse(ATTACKER)
        assert house.door.admit(ATTACKER) is None
        assert await house.waiting() == 0


@pytest.mark.schedules(5)
async def test_a_ban_that_only_the_ports_know_after_a_crash_is_lifted_there() -> None:
    async with open_house() as house:
        for door in (house.door, house.worker):
            door.ban(ATTACKER, trio.current_time() + 60)
        with pytest.raises(NotBanned):
            await house.limiter.ask(LiftBan(ATTACKER))
        await trio.testing.wait_all_tasks_blocked()
        for door in (house.door, house.worker):
            assert door.admit(ATTACKER) is not None


@pytest.mark.schedules(5)
async def test_connections_without_http_on_the_baristas_port_earn_a_ban_too() -> None:
    async with open_house() as house:
        for _ in range(LIMITS.ban_after):
            lease = house.worker.admit(ATTACKER)
            assert lease is not None
            lease.blame()
        await trio.sleep(2 * REPORT_SECONDS)
        assert house.door.admit(ATTACKER) is None


@pytest.mark.schedules(5)
async def test_bans_are_enforced_after_a_restart_of_the_limiter() -> None:
    async with open_house() as house:
        await house.refuse(ATTACKER)
        nonsense = cast("Any", "no number")
        await house.limiter.tell(RecordRefusals(((REGULAR, nonsense),)))
        await trio.testing.wait_all_tasks_blocked()
        await house.refuse(OTHER)
        assert [house.door.admit(address) is None for address in (ATTACKER, OTHER, REGULAR)] == [
            True,
            True,
            False,
        ]


@pytest.mark.schedules(5)
async def test_bans_are_carried_out_again_when_the_dispatcher_crashed_at_one() -> None:
    limiter, dispatcher, door = Probe(RateLimiter), Probe(Dispatcher), Admission(None, 100)
    news = Bans(1, (Ban(ATTACKER, until=60, seconds=60), Ban(OTHER, until=60, seconds=60)))
    limiter.answer(WatchBans, news, news)
    dispatcher.answer(CutOff, 1, ActorCrashed("Dispatcher"), 0, 1)
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(enforce_bans, limiter, cut_off_from(dispatcher), (door,))
            await settle()
            nursery.cancel_scope.cancel()
    assert limiter.received == (WatchBans(0), WatchBans(0), WatchBans(1))
    assert dispatcher.received == 2 * (CutOff(ATTACKER, 60), CutOff(OTHER, 60))
    assert [door.admit(address) is None for address in (ATTACKER, OTHER)] == [True, True]


@pytest.mark.schedules(5)
async def test_no_ban_waits_for_the_orders_of_another_address() -> None:
    limiter, dispatcher, door = Probe(RateLimiter), Probe(Dispatcher), Admission(None, 100)
    limiter.answer(WatchBans, Bans(1, (Ban(ATTACKER, 60, 60), Ban(OTHER, 60, 60))))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(enforce_bans, limiter, cut_off_from(dispatcher), (door,))
        await settle()
        assert dispatcher.received == (CutOff(ATTACKER, 60),)
        assert [door.admit(address) is None for address in (ATTACKER, OTHER)] == [True, True]
        nursery.cancel_scope.cancel()
