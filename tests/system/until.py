"""Waiting in real time until a condition holds.

Rule: only for what has no event here: what another process does, and the other end of a socket.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import trio

TIMEOUT = 30.0
"""Seconds after which a wait for anything fails the test; long, because machines can be busy."""
POLL = 0.01
"""Seconds between polls: what another process does has no event here."""


async def until(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds; raises TooSlowError after TIMEOUT."""

    async def asked() -> object:
        return condition()

    await until_asked(asked)


async def until_asked(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until the async `condition` holds; raises TooSlowError after TIMEOUT."""
    with trio.fail_after(TIMEOUT):
        while not await condition():  # noqa: ASYNC110 - see the rule
            await trio.sleep(POLL)


def poll_until(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds, in a test without trio; raises TimeoutError after TIMEOUT."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(POLL)
