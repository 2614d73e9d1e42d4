"""The guards of two fronts, whose requests one address makes at both."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from typing import Any

import trio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from cafe.limits.admission import Admission
from cafe.limits.guard import Guard, enforce_bans
from cafe.limits.rate_limiter import CREDIT_SHARE, MOST_CREDIT, LiftBan, Limits, RecordRefusals
from tests.cafe.limits.fronts import open_fronts
from tests.cafe.limits.limiting import ATTACKER, OFFICE
from tests.machines.redis_server import RedisServer

LIMITS = Limits(requests=400, window_seconds=3_600, ban_after=1_000_000)
SOON = 20.0


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    await Response()(scope, receive, send)


async def come(guard: Guard, statuses: Counter[int], times: int) -> None:
    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses[message["status"]] += 1

    for _ in range(times):
        scope = {"type": "http", "path": "/queue", "headers": (), "client": (OFFICE, 4711)}
        await guard(scope, receive, send)


async def test_the_limit_holds_over_all_fronts_though_each_guard_gives_credit(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis, 2, LIMITS) as fronts:
        guards = [Guard(greet, front, ()) for front in fronts]
        statuses = Counter[int]()
        async with trio.open_nursery() as nursery:
            for guard in guards:
                for _ in range(4):
                    nursery.start_soon(come, guard, statuses, 100)
        assert statuses.keys() == {200, 429}
        # What was granted to one and used by none is little when little remains.
        assert LIMITS.requests - 2 * MOST_CREDIT <= statuses[200] <= LIMITS.requests


async def test_one_guard_after_the_other_lets_through_what_the_limit_allows(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis, 2, LIMITS) as fronts:
        statuses = Counter[int]()
        for front in fronts:
            await come(Guard(greet, front, ()), statuses, LIMITS.requests)
        assert LIMITS.requests - CREDIT_SHARE <= statuses[200] <= LIMITS.requests


async def test_bans_of_one_front_are_carried_out_and_lifted_at_the_other(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis, 2, Limits(ban_after=10)) as (one, other):
        door = Admission(100, 100)
        closed = trio.Event()
        lease = door.admit(ATTACKER)
        assert lease is not None
        lease.abort = closed.set
        cut: list[str] = []

        async def cut_off(address: str, _seconds: float) -> int:
            cut.append(address)
            return 0

        async with trio.open_nursery() as nursery:
            nursery.start_soon(enforce_bans, other, cut_off, (door,))
            await one.ask(RecordRefusals(((ATTACKER, 10),)))
            with trio.fail_after(SOON):
                await closed.wait()
                assert door.admit(ATTACKER) is None
                door.bans_changed = trio.Event()
                await one.ask(LiftBan(ATTACKER))
                await door.bans_changed.wait()
            assert door.admit(ATTACKER) is not None
            assert cut == [ATTACKER]
            nursery.cancel_scope.cancel()
