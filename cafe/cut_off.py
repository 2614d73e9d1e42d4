"""Carrying out bans: what the RateLimiter decides, the door and the queue enforce.

Rule: no layer asks back upward. The limiter knows nothing of connections and orders; here it is
asked for its next bans, and told whom the door has refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio

from actors import ActorCrashed, Ref
from cafe.limits.rate_limiter import RateLimiter, RecordRefusals, WatchBans
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import CutOff
from cafe.serving.admission import Admission

REPORT_SECONDS = 0.25
"""How long refusals at the door are gathered: one message then says them all."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ban")


async def enforce_bans(
    limiter: Ref[RateLimiter], dispatcher: Ref[Dispatcher], doors: Sequence[Admission]
) -> None:
    """Shut all doors to a banned address and take its orders out of the queue, for ever."""
    seen = 0
    while True:
        try:
            news = await limiter.ask(WatchBans(seen))
            for ban in news.bans:
                for door in doors:
                    door.ban(ban.address, ban.until)
                orders = await dispatcher.ask(CutOff(ban.address, ban.seconds))
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
