"""Waiting in virtual time until a condition holds: hours cost nothing there."""

from __future__ import annotations

from collections.abc import Callable

import trio


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until `condition` holds; raises TooSlowError after `seconds`."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - it is virtual time, which costs nothing
            await trio.sleep(seconds / 1_000)
