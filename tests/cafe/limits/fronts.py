"""Fronts that share their limits in a real Redis, each with its RateLimiter and its calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import trio

from actors import Ref, Restart, open_system
from cafe.limits.rate_limiter import CountLimits, Limits, RateLimiter
from cafe.limits.shared import open_shared_limits
from tests.machines.redis_server import RedisServer

PREFIX: Final = "cafe:cafe:limits:"
LIMITS: Final = Limits(requests=60, worker_requests=60, window_seconds=3_600, ban_after=10)
"""A window so long that no test sees the end of one, but one in thousands."""
RESTART: Final = Restart(limit=5, within=60)

Front = Ref[RateLimiter]


@asynccontextmanager
async def open_fronts(
    redis: RedisServer, number: int = 2, limits: Limits = LIMITS, kind: type | None = None
) -> AsyncGenerator[list[Front]]:
    """Start so many RateLimiters; `kind` makes another one of what `open_shared_limits` yields."""
    async with AsyncExitStack() as stack:
        makers = [
            await stack.enter_async_context(open_shared_limits(redis.url, PREFIX, limits))
            for _ in range(number)
        ]
        system = await stack.enter_async_context(open_system())
        yield [
            await system.start(
                partial(kind, *make.args) if kind and isinstance(make, partial) else make,
                name=f"front {at}",
                mailbox=10_000,
                restart=RESTART,
            )
            for at, make in enumerate(makers, 1)
        ]


async def is_shared(front: Front) -> bool:
    return (await front.ask(CountLimits())).shared


async def wait_shared(front: Front, *, shared: bool = True) -> None:
    """Wait until a front counts with the others, or by itself."""
    with trio.fail_after(20):
        while await is_shared(front) is not shared:  # noqa: ASYNC110 - it tells by being asked
            await trio.sleep(0.02)
