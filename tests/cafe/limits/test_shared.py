"""Two fronts with one Redis: an address has its limit once, and a ban holds at both."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import trio

from actors import ActorCrashed, Message
from cafe.limits.bans import Ban
from cafe.limits.grants import GRANT_SHARE
from cafe.limits.rate_limiter import (
    MOST_CREDIT,
    Admit,
    Bans,
    CountLimits,
    LiftBan,
    LimitExceeded,
    Limits,
    ListBans,
    NotBanned,
    RecordRefusals,
    WatchBans,
    Window,
)
from cafe.limits.redis_calls import POLL_SECONDS
from cafe.limits.shared import SharedRateLimiter
from tests.cafe.limits.fronts import LIMITS, PREFIX, Front, is_shared, open_fronts, wait_shared
from tests.cafe.limits.limiting import ATTACKER, OFFICE
from tests.machines.redis_server import RedisServer

SOON = 20.0
"""Seconds after which a test fails: a busy machine is slow, and a second is what is promised."""


async def ask_often(
    front: Front, address: str, times: int, results: Counter[str], window: Window = "customers"
) -> None:
    for _ in range(times):
        try:
            await front.ask(Admit(address, window=window))
            results["admitted"] += 1
        except LimitExceeded as exceeded:
            results[exceeded.limit] += 1


async def get_banned(front: Front, address: str) -> None:
    await front.ask(RecordRefusals(((address, LIMITS.ban_after),)))


async def next_bans(front: Front, seen: int = 0) -> Bans:
    with trio.fail_after(SOON):
        return await front.ask(WatchBans(seen))


def calls_of(redis: RedisServer) -> int:
    """Return how often the script was called."""
    found = re.findall(r"cmdstat_eval(?:sha)?:calls=(\d+)", redis.command("INFO", "commandstats"))
    return sum(map(int, found))


async def test_fronts_share_one_allowance(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        results = Counter[str]()
        for _ in range(3):
            await ask_often(one, OFFICE, 5, results)
            await ask_often(other, OFFICE, 5, results)
        assert results == {"admitted": 30}
        left = (await other.ask(Admit(OFFICE))).remaining
        # What the first was granted and has not used is counted already.
        assert 60 - 31 - 15 // GRANT_SHARE <= left <= 60 - 31
        assert (await other.ask(Admit(ATTACKER))).remaining == 59
        assert (await other.ask(CountLimits())).addresses == 2


async def test_the_limit_holds_to_the_request_when_all_come_at_once(redis: RedisServer) -> None:
    async with open_fronts(redis, 3, Limits(requests=100, window_seconds=3_600)) as fronts:
        results = Counter[str]()
        async with trio.open_nursery() as nursery:
            for at in range(60):
                nursery.start_soon(ask_often, fronts[at % 3], OFFICE, 5, results)
        assert results.keys() == {"admitted", "requests"}
        assert 100 * GRANT_SHARE // (GRANT_SHARE + 1) <= results["admitted"] <= 100


async def test_an_address_that_goes_on_gets_all_of_its_limit(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        results = Counter[str]()
        await ask_often(one, OFFICE, 61, results)
        assert results == {"admitted": 60, "requests": 1}
        with pytest.raises(LimitExceeded) as refused:
            await other.ask(Admit(OFFICE))
        assert (refused.value.limit, refused.value.quota) == ("requests", 60)
        assert 0 < (refused.value.retry_after or 0) <= 7_200


async def test_credit_is_counted_before_it_is_given(redis: RedisServer) -> None:
    async with open_fronts(redis, limits=Limits(window_seconds=3_600)) as (one, other):
        given_before = [(await one.ask(Admit(OFFICE))).credit for _ in range(200)]
        assert max(given_before) == MOST_CREDIT
        given = (await one.ask(Admit(OFFICE))).credit
        left = (await other.ask(Admit(OFFICE))).remaining
        assert left == 600 - 201 - given - 1
        # The guard has let through all of it, and says so: it is not counted again.
        await one.ask(Admit(OFFICE, let_through=given))
        assert (await other.ask(Admit(OFFICE))).remaining <= left - 2
        assert (await other.ask(Admit(OFFICE))).remaining >= left - 3 - MOST_CREDIT


async def test_what_was_passed_on_without_a_grant_is_counted(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        await one.ask(Admit(OFFICE, let_through=7))
        assert (await other.ask(Admit(OFFICE))).remaining <= 60 - 9


async def test_each_port_has_its_own_windows(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        results = Counter[str]()
        await ask_often(one, OFFICE, 60, results)
        await ask_often(other, OFFICE, 50, results, "baristas")
        assert results == {"admitted": 110}


async def test_a_ban_at_one_front_is_a_ban_at_the_other(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        await get_banned(one, ATTACKER)
        (ban,) = (await next_bans(other)).bans
        assert (ban.address, ban.seconds) == (ATTACKER, 60.0)
        assert abs(ban.since - trio.current_time()) < SOON
        for window in ("customers", "baristas", None):
            with pytest.raises(LimitExceeded) as refused:
                await other.ask(Admit(ATTACKER, window=window))
            assert refused.value.limit == "banned"
        counts = await other.ask(CountLimits())
        assert (counts.banned, counts.bans, counts.refused["banned"]) == (1, 1, 3)


async def test_refusals_at_both_fronts_earn_one_ban(redis: RedisServer) -> None:
    async with open_fronts(redis) as fronts:
        for front in fronts:
            await front.ask(RecordRefusals(((ATTACKER, LIMITS.ban_after // 2),)))
        for front in fronts:
            assert [ban.address for ban in (await next_bans(front)).bans] == [ATTACKER]


async def test_requests_over_the_limit_earn_a_ban_at_all_fronts(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        results = Counter[str]()
        await ask_often(one, ATTACKER, 65, results)
        await ask_often(other, ATTACKER, 20, results)
        assert results == {"admitted": 60, "requests": LIMITS.ban_after, "banned": 15}


async def test_a_front_that_starts_later_reads_the_bans_in_force(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        await get_banned(one, ATTACKER)
        await next_bans(other)
        async with open_fronts(redis, 1) as (late,):
            assert [ban.address for ban in (await next_bans(late)).bans] == [ATTACKER]


async def test_a_ban_that_is_lifted_at_one_front_is_lifted_at_the_other(
    redis: RedisServer,
) -> None:
    async with open_fronts(redis) as (one, other):
        await get_banned(one, ATTACKER)
        seen = (await next_bans(other)).revision
        await next_bans(one)
        await one.ask(LiftBan(ATTACKER))
        assert (await next_bans(other, seen)).lifted == (ATTACKER,)
        for front in (one, other):
            assert await front.ask(ListBans(500)) == ()
            await front.ask(Admit(ATTACKER))
        with pytest.raises(NotBanned):
            await other.ask(LiftBan(ATTACKER))


async def test_watchers_are_answered_once_for_each_ban(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        bans: list[Ban] = []
        seen = 0
        for address in (ATTACKER, "192.0.2.1", "192.0.2.2"):
            await get_banned(one, address)
            news = await next_bans(other, seen)
            seen = news.revision
            bans += news.bans
        assert [ban.address for ban in bans] == [ATTACKER, "192.0.2.1", "192.0.2.2"]
        with trio.move_on_after(3 * POLL_SECONDS):
            raise AssertionError(await other.ask(WatchBans(seen)))


async def test_what_is_asked_meanwhile_goes_with_one_call(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        before = calls_of(redis)
        async with trio.open_nursery() as nursery:
            for at in range(300):
                nursery.start_soon(front.ask, Admit(f"192.0.{at // 100}.{at % 100}"))
        # The first goes alone, then what has gathered; and there may be polls.
        assert calls_of(redis) - before < 60


async def test_an_address_that_goes_on_is_not_asked_about_each_time(redis: RedisServer) -> None:
    limits = Limits(window_seconds=3_600)
    async with open_fronts(redis, 1, limits) as (front,):
        before = calls_of(redis)
        for _ in range(300):
            await front.ask(Admit(OFFICE))
        asked = calls_of(redis) - before
        results = Counter[str]()
        await ask_often(front, OFFICE, 320, results)
        assert results == {"admitted": 300, "requests": 20}
        assert asked < 60


async def test_a_banned_address_costs_no_call(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        await get_banned(front, ATTACKER)
        await next_bans(front)
        await trio.sleep(2 * POLL_SECONDS)
        begun, before = trio.current_time(), calls_of(redis)
        results = Counter[str]()
        await ask_often(front, ATTACKER, 2_000, results)
        polls = (trio.current_time() - begun) / POLL_SECONDS
        assert results == {"banned": 2_000}
        assert calls_of(redis) - before <= polls + 2


async def test_without_a_window_nothing_is_asked(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        allowance = await front.ask(Admit(OFFICE, window=None))
        assert (allowance.remaining, allowance.credit, allowance.waiting) == (0, 0, 400)
        assert (await front.ask(CountLimits())).addresses == 0


async def test_every_key_is_the_shops_and_expires(redis: RedisServer) -> None:
    async with open_fronts(redis) as (one, other):
        await get_banned(one, ATTACKER)
        await other.ask(Admit(OFFICE))
        await next_bans(other)
        keys = redis.command("KEYS", "*").split("\r\n")[2::2]
        assert len(keys) == 4
        assert all(key.startswith(PREFIX) for key in keys)
        assert ":-1\r\n" not in [redis.command("PTTL", key) for key in keys]


async def test_windows_are_gone_when_they_are_over(redis: RedisServer) -> None:
    async with open_fronts(redis, 1, Limits(window_seconds=0.2)) as (front,):
        await front.ask(Admit(OFFICE))
        with trio.fail_after(SOON):
            while redis.command("DBSIZE") != ":0\r\n":  # noqa: ASYNC110 - of another process
                await trio.sleep(0.05)


async def test_the_memory_of_a_flood_is_bounded(redis: RedisServer) -> None:
    async with open_fronts(redis, 2, Limits(window_seconds=3_600, max_addresses=500)) as fronts:
        results = Counter[str]()
        async with trio.open_nursery() as nursery:
            for at in range(2_000):
                address = f"2001:db8:{at:x}::/64"
                nursery.start_soon(ask_often, fronts[at % 2], address, 1, results)
        assert (await fronts[0].ask(CountLimits())).addresses <= 501
        sizes = [
            int(redis.command("HLEN", key)[1:])
            for key in redis.command("KEYS", "*customers*").split("\r\n")[2::2]
        ]
        assert max(sizes) == 501


class Break(Message["Breakable", None]):
    """Crash."""


class Breakable(SharedRateLimiter):
    @Break.handler
    def crash(self, _message: Break) -> None:
        raise RuntimeError("a bug")


async def test_after_a_crash_the_windows_and_bans_in_redis_still_hold(redis: RedisServer) -> None:
    async with open_fronts(redis, 1, kind=Breakable) as (front,):
        results = Counter[str]()
        await ask_often(front, OFFICE, 60, results)
        await get_banned(front, ATTACKER)
        seen = (await next_bans(front)).revision
        with pytest.raises(ActorCrashed):
            await front.ask(Break())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        assert [ban.address for ban in (await next_bans(front, seen)).bans] == [ATTACKER]
        await ask_often(front, OFFICE, 1, results)
        assert results == {"admitted": 60, "requests": 1}


async def test_asks_that_are_cancelled_leave_the_others_alone(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        results = Counter[str]()
        async with trio.open_nursery() as nursery:
            for at in range(50):
                nursery.start_soon(ask_often, front, f"192.0.2.{at}", 1, results)
                with trio.move_on_after(0):
                    await front.ask(Admit("192.0.2.200"))
        assert results == {"admitted": 50}


async def test_the_script_is_loaded_again_after_it_was_flushed(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        before = (await front.ask(Admit(OFFICE))).remaining
        redis.command("SCRIPT", "FLUSH")
        assert (await front.ask(Admit(OFFICE))).remaining < before
        assert await is_shared(front)


async def test_a_front_says_that_it_shares_its_limits(redis: RedisServer) -> None:
    async with open_fronts(redis, 1) as (front,):
        await wait_shared(front)
