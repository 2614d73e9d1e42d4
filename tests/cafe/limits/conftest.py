"""The actor, alone in its system, with a clock that the tests set."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from actors import Ref, System, open_system
from cafe.limits.rate_limiter import RateLimiter
from tests.cafe.limits.limiting import LIMITS, HandClock
from tests.machines.redis_server import RedisServer, running_redis, why_not


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with open_system() as system:
        yield system


@pytest.fixture
async def limiter(system: System, clock: HandClock) -> Ref[RateLimiter]:
    return await system.start(partial(RateLimiter, LIMITS, clock))


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """Return one server for all tests of a module; `redis` is it, and empty."""
    if reason := why_not():
        pytest.skip(reason)
    with running_redis() as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    redis_server.command("FLUSHALL")
    redis_server.command("SCRIPT", "FLUSH")
    redis_server.command("CONFIG", "RESETSTAT")
    return redis_server
