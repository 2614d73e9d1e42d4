"""A RateLimiter for tests: small limits, a clock to set, and what addresses do."""

import pytest

from actors import Ref
from cafe.limits.rate_limiter import Admit, LimitExceeded, Limits, RateLimiter, RecordRefusals

OFFICE = "192.0.2.7"
ATTACKER = "198.51.100.66"
START = 1_000_000.0
LIMITS = Limits(
    requests=10,
    worker_requests=20,
    window_seconds=10.0,
    waiting=4,
    ban_after=5,
    ban_seconds=60.0,
)


class HandClock:
    """Returns the time that a test has set; a bucket of the windows begins with the test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


async def refusal(limiter: Ref[RateLimiter], address: str) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as refused:
        await limiter.ask(Admit(address))
    return refused.value


async def use_up(limiter: Ref[RateLimiter], address: str) -> None:
    for _ in range(LIMITS.requests):
        await limiter.ask(Admit(address))


async def get_banned(limiter: Ref[RateLimiter], address: str) -> None:
    await limiter.ask(RecordRefusals(((address, LIMITS.ban_after),)))
