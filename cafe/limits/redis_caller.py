"""How the script of the limits is called over one connection to Redis.

Rule: the script is named by its hash; its text is sent where the server does not know that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from coredis.exceptions import NoScriptError

from cafe.limits.script import SHA, SOURCE
from cafe.redis import AWAY, Pool, connect

FAILURES: Final = (*AWAY, msgspec.MsgspecError, TypeError)
"""What a call raises if Redis is away, or what it answers is not the script's."""

Caller = Callable[[str, bytes, int], Awaitable[object]]
"""Calls the script with a prefix and its packed argument, and waits so many slices of time."""


async def connect_caller(pool: Pool) -> Caller:
    """Return what calls the script; raises one of FAILURES within CONNECT_SECONDS."""
    connection = await connect(pool)

    async def call(prefix: str, argument: bytes, slices: int) -> object:
        try:
            (answer,) = await connection.call(("EVALSHA", SHA, 0, prefix, argument), slices=slices)
        except NoScriptError:  # the server was restarted, or its scripts were flushed
            (answer,) = await connection.call(("EVAL", SOURCE, 0, prefix, argument), slices=slices)
        return answer

    return call
