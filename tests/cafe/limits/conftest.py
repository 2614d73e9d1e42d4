"""The actor, alone in its system, with a clock that the tests set."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from actors import Ref, System, open_system
from cafe.limits.rate_limiter import RateLimiter
from tests.cafe.limits.limiting import LIMITS, HandClock


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
