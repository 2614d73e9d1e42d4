from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import ActorCrashed, Message, Ref, System, open_system
from cafe.limits.bans import Ban
from cafe.limits.rate_limiter import (
    Admit,
    Bans,
    LiftBan,
    ListBans,
    NotBanned,
    RateLimiter,
    RecordRefusals,
    WatchBans,
)
from tests.cafe.limits.limiting import ATTACKER, LIMITS, OFFICE, START, HandClock, get_banned


async def test_a_watcher_is_answered_as_soon_as_there_is_a_ban(
    limiter: Ref[RateLimiter], clock: HandClock, nursery: trio.Nursery
) -> None:
    heard: list[Bans] = []

    async def watch() -> None:
        heard.append(await limiter.ask(WatchBans()))

    nursery.start_soon(watch)
    await wait_all_tasks_blocked()
    clock.now += 7
    await get_banned(limiter, ATTACKER)
    await wait_all_tasks_blocked()
    assert [news.bans for news in heard] == [(Ban(ATTACKER, START + 67, 60.0),)]


async def test_a_late_watcher_gets_the_bans_in_force(
    limiter: Ref[RateLimiter],
    clock: HandClock,
) -> None:
    await get_banned(limiter, "192.0.2.1")
    clock.now += 30
    await get_banned(limiter, "192.0.2.2")
    clock.now += 40
    assert [ban.address for ban in (await limiter.ask(WatchBans())).bans] == ["192.0.2.2"]


async def test_a_watcher_gets_each_ban_once(
    limiter: Ref[RateLimiter], nursery: trio.Nursery
) -> None:
    heard: list[list[str]] = []

    async def watch() -> None:
        seen = 0
        while True:
            news = await limiter.ask(WatchBans(seen))
            seen = news.revision
            heard.append([ban.address for ban in news.bans])

    await limiter.ask(RecordRefusals(((ATTACKER, 5), ("192.0.2.1", 5), ("192.0.2.2", 4))))
    nursery.start_soon(watch)
    await wait_all_tasks_blocked()
    await limiter.ask(RecordRefusals((("192.0.2.2", 1),)))
    await wait_all_tasks_blocked()
    assert heard == [[ATTACKER, "192.0.2.1"], ["192.0.2.2"]]
    nursery.cancel_scope.cancel()


async def test_a_watcher_is_told_what_was_lifted(
    limiter: Ref[RateLimiter], nursery: trio.Nursery
) -> None:
    heard: list[Bans] = []

    async def watch(seen: int) -> None:
        heard.append(await limiter.ask(WatchBans(seen)))

    await get_banned(limiter, ATTACKER)
    await get_banned(limiter, OFFICE)
    first = await limiter.ask(WatchBans())
    nursery.start_soon(watch, first.revision)
    await wait_all_tasks_blocked()
    await limiter.ask(LiftBan(ATTACKER))
    await watch(first.revision)
    assert [(news.bans, news.lifted) for news in heard] == [((), (ATTACKER,))] * 2
    assert [ban.address for ban in await limiter.ask(ListBans(500))] == [OFFICE]
    assert [ban.address for ban in (await limiter.ask(WatchBans())).bans] == [OFFICE]


async def test_an_address_that_is_not_banned_is_not_lifted(limiter: Ref[RateLimiter]) -> None:
    with pytest.raises(NotBanned):
        await limiter.ask(LiftBan(ATTACKER))
    await limiter.ask(RecordRefusals(((ATTACKER, LIMITS.ban_after - 1),)))
    with pytest.raises(NotBanned):
        await limiter.ask(LiftBan(ATTACKER))
    await limiter.ask(Admit(ATTACKER))


@pytest.mark.schedules(30)
async def test_bans_and_lifts_race_and_a_watcher_ends_with_what_holds_under_any_schedule() -> None:
    banned: set[str] = set()

    async def follow(limiter: Ref[RateLimiter]) -> None:
        seen = 0
        while True:
            news = await limiter.ask(WatchBans(seen))
            seen = news.revision
            banned.update(ban.address for ban in news.bans)
            banned.difference_update(news.lifted)

    async def lift(limiter: Ref[RateLimiter], address: str) -> None:
        with suppress(NotBanned):
            await limiter.ask(LiftBan(address))

    async with open_system() as system, trio.open_nursery() as nursery:
        limiter = await system.start(partial(RateLimiter, LIMITS))
        nursery.start_soon(follow, limiter)
        async with trio.open_nursery() as others:
            for address in (ATTACKER, OFFICE, "192.0.2.1"):
                others.start_soon(get_banned, limiter, address)
                others.start_soon(lift, limiter, address)
        await wait_all_tasks_blocked()
        assert banned == {ban.address for ban in await limiter.ask(ListBans(500))}
        nursery.cancel_scope.cancel()


async def test_a_watcher_gets_a_ban_that_was_lengthened(
    limiter: Ref[RateLimiter], clock: HandClock
) -> None:
    await get_banned(limiter, ATTACKER)
    first = await limiter.ask(WatchBans())
    clock.now += LIMITS.window_seconds
    await get_banned(limiter, ATTACKER)
    second = await limiter.ask(WatchBans(first.revision))
    assert [(ban.address, ban.seconds) for ban in second.bans] == [(ATTACKER, 120.0)]


async def test_a_watcher_that_is_cancelled_is_dropped(
    system: System, nursery: trio.Nursery
) -> None:
    instances: list[RateLimiter] = []

    def make() -> RateLimiter:
        instances.append(RateLimiter(LIMITS))
        return instances[-1]

    limiter = await system.start(make)
    nursery.start_soon(limiter.ask, WatchBans())
    await wait_all_tasks_blocked()
    assert len(vars(instances[0])["_watchers"]) == 1
    nursery.cancel_scope.cancel()
    with trio.CancelScope(shield=True):
        await wait_all_tasks_blocked()
    assert vars(instances[0])["_watchers"] == set()


@pytest.mark.schedules(30)
async def test_every_watcher_gets_every_ban_under_any_schedule() -> None:
    """Two watch all the time, one comes and goes; each asks from its last revision on."""
    heard: dict[str, list[str]] = {"close": [], "other": [], "fickle": []}
    addresses = [f"192.0.2.{n}" for n in range(6)]

    async def follow(watcher: str, limiter: Ref[RateLimiter], seconds: float) -> None:
        seen = 0
        while len(heard[watcher]) < len(addresses):
            with trio.move_on_after(seconds):
                news = await limiter.ask(WatchBans(seen))
                seen = news.revision
                heard[watcher] += [ban.address for ban in news.bans]

    async with open_system() as system:
        limiter = await system.start(partial(RateLimiter, LIMITS))
        with trio.fail_after(100):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow, "close", limiter, 1000)
                nursery.start_soon(follow, "other", limiter, 1000)
                nursery.start_soon(follow, "fickle", limiter, 0.5)
                for address in addresses:
                    nursery.start_soon(get_banned, limiter, address)
                    await trio.sleep(1 / 3)
    assert {one: sorted(banned) for one, banned in heard.items()} == dict.fromkeys(heard, addresses)


class Break(Message["Breakable", None]):
    """Crash."""


class Breakable(RateLimiter):
    @Break.handler
    def crash(self, _message: Break) -> None:
        raise RuntimeError("a bug")


async def test_a_restart_forgets_and_a_watcher_goes_on_from_what_it_has_seen(
    system: System, clock: HandClock, nursery: trio.Nursery
) -> None:
    limiter = await system.start(partial(Breakable, LIMITS, clock))
    clock.now += 1
    await get_banned(limiter, ATTACKER)
    seen = (await limiter.ask(WatchBans())).revision
    crashes: list[ActorCrashed] = []

    async def watch() -> None:
        try:
            await limiter.ask(WatchBans(seen))
        except ActorCrashed as crash:
            crashes.append(crash)

    nursery.start_soon(watch)
    await wait_all_tasks_blocked()
    with pytest.raises(ActorCrashed):
        await limiter.ask(Break())
    await wait_all_tasks_blocked()
    assert len(crashes) == 1
    assert (await limiter.ask(Admit(ATTACKER))).remaining == 9
    await get_banned(limiter, OFFICE)
    assert [ban.address for ban in (await limiter.ask(WatchBans(seen))).bans] == [OFFICE]
