"""Redis killed, frozen, emptied, full: each front goes on alone, and then together again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
import structlog
import trio

from actors import open_system
from cafe.limits.rate_limiter import (
    Admit,
    CountLimits,
    LiftBan,
    LimitExceeded,
    ListBans,
    NotBanned,
    RecordRefusals,
    WatchBans,
)
from cafe.limits.redis_calls import LONGEST_WAIT
from cafe.limits.shared import open_shared_limits
from tests.cafe.limits.fronts import LIMITS, PREFIX, Front, is_shared, open_fronts, wait_shared
from tests.cafe.limits.limiting import ATTACKER, OFFICE
from tests.cafe.limits.test_shared import ask_often, get_banned, next_bans
from tests.machines.redis_server import RedisServer, running_redis, why_not
from tests.system.until import until_asked

SLACK = 5.0
"""Seconds that a busy machine may take beside a time-out."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Return a server of the test's own, which it may kill."""
    if reason := why_not():
        pytest.skip(reason)
    with running_redis() as server:
        yield server


async def banned(front: Front) -> list[str]:
    return [ban.address for ban in await front.ask(ListBans(500))]


async def has_banned(front: Front, *addresses: str) -> bool:
    return set(await banned(front)) == set(addresses)


async def empty(redis: RedisServer, *fronts: Front) -> None:
    """Restart the server, and return when all fronts count in it again."""
    redis.kill()
    for front in fronts:
        await wait_shared(front, shared=False)
    redis.start()
    for front in fronts:
        await wait_shared(front)


async def test_while_redis_is_away_each_front_has_the_limit_for_itself(redis: RedisServer) -> None:
    async with open_fronts(redis) as fronts:
        redis.kill()
        for front in fronts:
            results = Counter[str]()
            await ask_often(front, OFFICE, 70, results)
            # Three at most had to find out that Redis is away; then it may be that it is counted.
            assert results == {"admitted": 60, "requests": LIMITS.ban_after}
            assert not await is_shared(front)


async def test_what_was_admitted_before_redis_went_away_counts_at_its_front(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis) as (one, _):
        results = Counter[str]()
        await ask_often(one, OFFICE, 50, results)
        redis.kill()
        await ask_often(one, OFFICE, 15, results)
        assert results == {"admitted": 60, "requests": 5}


async def test_with_redis_frozen_no_request_fails_or_waits_longer_than_the_time_out(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis, 1) as (front,):
        waits: list[float] = []

        async def ask(address: str) -> None:
            begun = trio.current_time()
            await front.ask(Admit(address))
            waits.append(trio.current_time() - begun)

        with redis.frozen():
            async with trio.open_nursery() as nursery:
                for at in range(100):
                    nursery.start_soon(ask, f"192.0.2.{at}")
                    await trio.sleep(0.005)
            assert not await is_shared(front)
            assert len(waits) == 100
            # Nearly all of those that were asked later did not wait at all.
            assert sorted(waits)[20] < LONGEST_WAIT / 2
            assert max(waits) < LONGEST_WAIT + SLACK
        await wait_shared(front)
        assert (await front.ask(Admit(OFFICE))).remaining == 59


async def test_redis_that_is_frozen_for_long_takes_no_connection_for_good(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cafe.limits.redis_calls.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("cafe.redis.CONNECT_SECONDS", 0.02)
    async with open_fronts(redis, 1) as (front,):
        for _ in range(2):
            with redis.frozen():
                await wait_shared(front, shared=False)
                await trio.sleep(1)
            await wait_shared(front)
        clients = redis.command("CLIENT", "LIST").count("id=")
        assert clients <= 3


async def test_known_bans_stay_in_force_and_new_ones_are_imposed_while_redis_is_away(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis) as (one, other):
        await get_banned(one, ATTACKER)
        await next_bans(other)
        redis.kill()
        await wait_shared(other, shared=False)
        with pytest.raises(LimitExceeded):
            await other.ask(Admit(ATTACKER))
        await get_banned(other, "192.0.2.1")
        assert await banned(other) == ["192.0.2.1", ATTACKER]


async def test_refusals_that_had_gathered_are_counted_by_the_front(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        redis.freeze()
        await front.ask(RecordRefusals(((ATTACKER, LIMITS.ban_after // 2),)))
        await wait_shared(front, shared=False)
        await front.ask(RecordRefusals(((ATTACKER, LIMITS.ban_after // 2),)))
        assert await banned(front) == [ATTACKER]
        redis.thaw()


async def test_redis_that_comes_back_empty_learns_the_bans_of_all_fronts(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis) as (one, other):
        await get_banned(one, ATTACKER)
        await next_bans(other)
        redis.kill()
        for front, address in ((one, "192.0.2.1"), (other, "192.0.2.2")):
            await wait_shared(front, shared=False)
            await get_banned(front, address)
        redis.start()
        async with open_fronts(redis, 1) as (late,):
            for front in (one, other, late):
                await until_asked(partial(has_banned, front, ATTACKER, "192.0.2.1", "192.0.2.2"))
        for front in (one, other):
            assert (await front.ask(CountLimits())).bans == 3


async def test_a_ban_that_is_lifted_while_redis_is_away_is_lifted_everywhere_when_it_is_back(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis) as (one, other):
        await get_banned(one, ATTACKER)
        seen = (await next_bans(other)).revision
        redis.kill()
        await wait_shared(one, shared=False)
        await one.ask(LiftBan(ATTACKER))
        assert await banned(one) == []
        with pytest.raises(NotBanned):
            await one.ask(LiftBan(ATTACKER))
        assert await banned(other) == [ATTACKER]
        redis.start()
        assert (await next_bans(other, seen)).lifted == (ATTACKER,)
        await wait_shared(one)
        await one.ask(Admit(ATTACKER))


async def test_an_empty_redis_has_no_windows_and_all_is_counted_together_again(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis) as (one, other):
        results = Counter[str]()
        await ask_often(one, OFFICE, 60, results)
        await empty(redis, one, other)
        await one.ask(Admit(OFFICE))
        assert (await other.ask(Admit(OFFICE))).remaining >= 40


async def test_redis_that_answers_with_an_error_is_away(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        redis.command("CONFIG", "SET", "maxmemory", "1")
        assert (await front.ask(Admit(OFFICE))).remaining == 59
        assert not await is_shared(front)
        redis.command("CONFIG", "SET", "maxmemory", "0")
        await wait_shared(front)


async def test_a_front_that_starts_without_redis_begins_alone_and_joins_the_others(
    redis: RedisServer,
) -> None:
    redis.stop()
    async with open_fronts(redis, 1) as (front,):
        assert (await front.ask(Admit(OFFICE))).remaining == 59
        assert not await is_shared(front)
        redis.start()
        await wait_shared(front)


async def test_what_is_said_of_an_outage_is_said_once(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cafe.limits.redis_calls.RETRY_SECONDS", 0.05)
    with structlog.testing.capture_logs() as lines:
        async with open_fronts(redis, 1) as (front,):
            redis.kill()
            await wait_shared(front, shared=False)
            await trio.sleep(0.5)
            redis.start()
            await wait_shared(front)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("limits are shared", "info"),
        ("limits are not shared", "warning"),
        ("limits are shared", "info"),
    ]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://nowhere.invalid/0"])
async def test_a_wrong_address_costs_half_a_second_at_the_start(url: str) -> None:
    with trio.fail_after(SLACK):
        async with open_shared_limits(url, PREFIX, LIMITS) as make, open_system() as system:
            front = await system.start(make)
            assert (await front.ask(Admit(OFFICE))).remaining == 59
            assert not await is_shared(front)


async def test_who_waits_when_the_front_stops_is_answered(redis: RedisServer) -> None:
    results = Counter[str]()
    async with (
        open_shared_limits(redis.url, PREFIX, LIMITS) as make,
        trio.open_nursery() as asking,
        open_system() as system,
    ):
        front = await system.start(make)
        redis.freeze()
        for at in range(20):
            asking.start_soon(partial(ask_often, front, f"192.0.2.{at}", 1, results))
        await trio.sleep(0.05)
    redis.thaw()
    assert results == {"admitted": 20}


async def test_watchers_that_wait_while_redis_goes_and_comes_get_the_next_ban(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis) as (one, other), trio.open_nursery() as nursery:
        heard: list[str] = []
        was_heard = trio.Event()

        async def watch() -> None:
            heard.extend(ban.address for ban in (await other.ask(WatchBans())).bans)
            was_heard.set()

        nursery.start_soon(watch)
        await empty(redis, one, other)
        await get_banned(one, ATTACKER)
        with trio.fail_after(SLACK):
            await was_heard.wait()
        assert heard == [ATTACKER]
