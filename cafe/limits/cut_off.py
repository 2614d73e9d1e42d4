"""Enforces bans: what the RateLimiter decides is carried to the connections and to the departments.

Rule: no layer asks back upward. The limiter knows nothing of connections or orders: here it is
asked for its next bans, what they cut off is a callable, and refusals at accept are reported to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from actors import ActorCrashed, Ref
from cafe.limits.admission import Admission
from cafe.limits.rate_limiter import RateLimiter, RecordRefusals, WatchBans

REPORT_SECONDS = 0.25
"""How long refusals at the door are gathered: one message then says them all."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ban")


async def enforce_bans(
    limiter: Ref[RateLimiter],
    cut_off: Callable[[str, float], Awaitable[int]],
    doors: Sequence[Admission],
) -> None:
    """Refuse banned addresses at all doors and call `cut_off` for each; never returns.

    `cut_off` is given the address and the seconds that the ban has left, and returns how many
    orders it cancelled.
    """
    seen = 0
    while True:
        try:
            news = await limiter.ask(WatchBans(seen))
            for ban in news.bans:
                for door in doors:
                    door.ban(ban.address, ban.until)
                orders = await cut_off(ban.address, ban.seconds)
                log.warning("banned", address=ban.address, seconds=ban.seconds, orders=orders)
        except ActorCrashed:
            log.exception("bans are read again")
        else:
            seen = news.revision


async def report_refusals(limiter: Ref[RateLimiter], doors: Sequence[Admission]) -> None:
    """Tell the limiter whom the doors have refused, for ever: who goes on knocking stays banned."""
    while True:
        await trio.sleep(REPORT_SECONDS)
        for door in doors:
            counts = door.take_refusals()
            if counts:
                await limiter.tell(RecordRefusals(counts))
