from collections import Counter
from functools import partial
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Ref, System
from cafe.limits.rate_limiter import (
    Admit,
    Allowance,
    CountLimits,
    LimitCounts,
    LimitExceeded,
    Limits,
    RateLimiter,
    RecordRefusals,
    Window,
    limit_headers,
)
from tests.cafe.limits.limiting import (
    ATTACKER,
    LIMITS,
    OFFICE,
    HandClock,
    get_banned,
    refusal,
    use_up,
)


async def test_a_request_within_the_limit_is_admitted(limiter: Ref[RateLimiter]) -> None:
    allowance = await limiter.ask(Admit(OFFICE))
    assert allowance == Allowance(remaining=9, reset_seconds=20.0, waiting=4)


async def test_what_remains_falls_to_0_and_then_the_next_request_is_refused(
    limiter: Ref[RateLimiter],
) -> None:
    remaining = [(await limiter.ask(Admit(OFFICE))).remaining for _ in range(10)]
    assert remaining == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    refused = await refusal(limiter, OFFICE)
    assert (refused.limit, refused.quota, refused.window_seconds) == ("requests", 10, 10.0)
    assert refused.retry_after == pytest.approx(11.0)
    assert str(refused) == "Your address may make 10 requests in 10 s and has made them."


async def test_a_retry_after_retry_after_is_admitted(
    limiter: Ref[RateLimiter], clock: HandClock
) -> None:
    await use_up(limiter, OFFICE)
    clock.now += (await refusal(limiter, OFFICE)).retry_after or 0.0
    assert (await limiter.ask(Admit(OFFICE))).remaining == 0


async def test_other_addresses_are_not_affected(limiter: Ref[RateLimiter]) -> None:
    await use_up(limiter, ATTACKER)
    await refusal(limiter, ATTACKER)
    assert (await limiter.ask(Admit(OFFICE))).remaining == 9


async def test_refused_requests_do_not_delay_the_next_that_is_admitted(
    limiter: Ref[RateLimiter],
) -> None:
    await use_up(limiter, OFFICE)
    waits = [(await refusal(limiter, OFFICE)).retry_after for _ in range(LIMITS.ban_after - 1)]
    assert waits == [pytest.approx(11.0)] * len(waits)


async def test_too_many_refusals_earn_a_ban(limiter: Ref[RateLimiter]) -> None:
    await use_up(limiter, ATTACKER)
    refusals = [await refusal(limiter, ATTACKER) for _ in range(LIMITS.ban_after + 1)]
    assert [each.limit for each in refusals] == ["requests"] * 5 + ["banned"]
    # The one that was too many already knows how long the ban lasts.
    assert [each.retry_after for each in refusals[-2:]] == [60.0, 60.0]


async def test_a_ban_ends_by_itself(limiter: Ref[RateLimiter], clock: HandClock) -> None:
    await get_banned(limiter, ATTACKER)
    clock.now += 59.5
    assert (await refusal(limiter, ATTACKER)).retry_after == pytest.approx(0.5)
    clock.now += 0.5
    assert (await limiter.ask(Admit(ATTACKER))).remaining == 9


async def test_a_ban_grows_while_its_address_goes_on(
    limiter: Ref[RateLimiter], clock: HandClock
) -> None:
    await get_banned(limiter, ATTACKER)
    clock.now += LIMITS.window_seconds
    refusals = [await refusal(limiter, ATTACKER) for _ in range(LIMITS.ban_after)]
    assert [each.retry_after for each in refusals] == [50.0, 50.0, 50.0, 50.0, 120.0]


async def test_each_port_counts_requests_separately(limiter: Ref[RateLimiter]) -> None:
    await use_up(limiter, OFFICE)
    for remaining in range(LIMITS.worker_requests, 0, -1):
        allowance = await limiter.ask(Admit(OFFICE, window="baristas"))
        assert allowance.remaining == remaining - 1
    quotas: dict[Window, int] = {"customers": 10, "baristas": 20}
    for window, quota in quotas.items():
        with pytest.raises(LimitExceeded) as refused:
            await limiter.ask(Admit(OFFICE, window=window))
        assert (refused.value.limit, refused.value.quota) == ("requests", quota)
    assert (await limiter.ask(CountLimits())).addresses == 2


@pytest.mark.parametrize("window", ["customers", "baristas", None])
async def test_a_ban_holds_on_both_ports(limiter: Ref[RateLimiter], window: Window | None) -> None:
    await get_banned(limiter, ATTACKER)
    with pytest.raises(LimitExceeded) as refused:
        await limiter.ask(Admit(ATTACKER, window=window))
    assert refused.value.limit == "banned"


async def test_without_a_window_nothing_is_counted_but_refusals(limiter: Ref[RateLimiter]) -> None:
    for _ in range(100):
        assert (await limiter.ask(Admit(OFFICE, window=None))).credit == 0
    counts = await limiter.ask(CountLimits())
    assert (counts.addresses, counts.refused["requests"]) == (0, 0)


async def test_an_exceeded_limit_says_what_the_response_needs(limiter: Ref[RateLimiter]) -> None:
    await get_banned(limiter, ATTACKER)
    refused = await refusal(limiter, ATTACKER)
    assert (refused.status, refused.problem_members()) == (429, {"limit": "banned"})
    assert refused.headers() == (
        (b"retry-after", b"60"),
        (b"ratelimit-policy", b'"requests";q=10;w=10'),
        (b"ratelimit", b'"requests";r=0;t=60'),
    )


def test_a_cap_on_waiting_orders_is_a_policy_of_its_own() -> None:
    refused = LimitExceeded("waiting", retry_after=3.5, quota=400)
    assert str(refused) == "Your address has 400 orders waiting, as many as it may."
    assert dict(refused.headers()) == {
        b"retry-after": b"4",
        b"ratelimit-policy": b'"waiting";q=400;qu="concurrent-requests"',
        b"ratelimit": b'"waiting";r=0;t=4',
    }


async def test_everything_is_counted(limiter: Ref[RateLimiter], clock: HandClock) -> None:
    await use_up(limiter, OFFICE)
    await refusal(limiter, OFFICE)
    await limiter.ask(RecordRefusals(((ATTACKER, 5), ("192.0.2.8", 2))))
    await limiter.ask(RecordRefusals((("192.0.2.8", 1),), limit="waiting"))
    for _ in range(3):
        await refusal(limiter, ATTACKER)
    assert await limiter.ask(CountLimits()) == LimitCounts(
        refused={
            "requests": 1,
            "waiting": 1,
            "banned": 3,
            "connections": 7,
            "unknown": 0,
            "credentials": 0,
        },
        banned=1,
        bans=1,
        addresses=1,
    )
    clock.now += 60
    assert (await limiter.ask(CountLimits())).banned == 0


async def test_five_thousand_orders_at_once_get_the_quota_and_a_ban_of_a_minute(
    system: System, clock: HandClock
) -> None:
    limiter = await system.start(partial(RateLimiter, Limits(), clock))
    answers = Counter[str]()
    for _ in range(5_000):
        try:
            await limiter.ask(Admit(ATTACKER))
            answers["admitted"] += 1
        except LimitExceeded as exceeded:
            answers[exceeded.limit] += 1
    assert answers == {"admitted": 600, "requests": 400, "banned": 4_000}
    assert (await refusal(limiter, ATTACKER)).retry_after == 60.0
    assert (await limiter.ask(Admit(OFFICE))).remaining == 599


async def test_a_flood_of_addresses_shares_one_window_and_does_not_affect_known_ones(
    system: System,
) -> None:
    limits = Limits(requests=10, window_seconds=10.0, ban_after=5, max_addresses=3)
    limiter = await system.start(partial(RateLimiter, limits))
    await limiter.ask(Admit(OFFICE))
    flood = [f"2001:db8:{n:x}::/64" for n in range(100)]
    # Two more get a window of their own, and ten what the others share.
    for address in flood[:12]:
        await limiter.ask(Admit(address))
    assert {(await refusal(limiter, address)).limit for address in flood[12:]} == {"requests"}
    assert (await limiter.ask(Admit(OFFICE))).remaining == 8
    assert (await limiter.ask(CountLimits())).addresses == 3


def test_the_defaults_let_two_groups_of_an_office_in_at_once() -> None:
    limits = Limits()
    assert (limits.requests, limits.window_seconds, limits.waiting) == (600, 10.0, 400)
    assert (limits.ban_after, limits.ban_seconds) == (400, 60.0)
    assert limits.worker_requests == 6_000


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_would_refuse_every_request_raises(value: float) -> None:
    with pytest.raises(ValueError, match=r"^window_seconds must be more than 0$"):
        Limits(window_seconds=value)


def test_the_header_fields_name_the_policy_and_when_to_retry() -> None:
    assert limit_headers("requests", quota=600, window_seconds=10.0, retry_after=6.2) == (
        (b"retry-after", b"7"),
        (b"ratelimit-policy", b'"requests";q=600;w=10'),
        (b"ratelimit", b'"requests";r=0;t=7'),
    )


def test_a_policy_without_a_window_is_a_cap_on_concurrent_requests() -> None:
    fields = dict(limit_headers("waiting", quota=400, window_seconds=0.0, retry_after=5.0))
    assert fields[b"ratelimit-policy"] == b'"waiting";q=400;qu="concurrent-requests"'


@pytest.mark.parametrize("seconds", [0.0, 0.001, 1.0])
def test_no_client_is_asked_to_retry_at_once(seconds: float) -> None:
    fields = dict(limit_headers("requests", quota=1, window_seconds=0.5, retry_after=seconds))
    assert fields[b"retry-after"] == b"1"
    assert fields[b"ratelimit"] == b'"requests";r=0;t=1'
    assert fields[b"ratelimit-policy"] == b'"requests";q=1;w=1'


@given(st.floats(0, 1e6))
def test_seconds_are_rounded_up(seconds: float) -> None:
    fields = dict(limit_headers("requests", quota=1, window_seconds=1, retry_after=seconds))
    assert int(fields[b"retry-after"]) == max(1, ceil(seconds))
