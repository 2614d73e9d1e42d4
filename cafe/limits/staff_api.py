"""The managers' routes for bans: list them, and lift one.

Rule: HTTP into one ask of the RateLimiter, and its answer into HTTP. A ban is shown and named by
the key under which its address is counted: the /64 of an IPv6 address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import time
from typing import Annotated, Any, Final

import structlog
import trio
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from actors import Ref
from cafe.http.app import example, problems
from cafe.http.authentication import Manager
from cafe.http.plain_routes import PlainRoute
from cafe.http.refusals import Invalid
from cafe.http.reply import NOTHING, answer
from cafe.http.worker_guards import BARISTAS_ONLY
from cafe.limits.address import parse_key
from cafe.limits.bans import Ban
from cafe.limits.rate_limiter import LiftBan, ListBans, NotBanned, RateLimiter

MOST_LISTED: Final = 500
LONGEST_ADDRESS: Final = 64
BAN: Final = {"address": "198.51.100.66", "until": "2026-03-14T09:27:53Z", "seconds": 60.0}
LIFTED: Final[dict[int | str, dict[str, Any]]] = {
    204: {"description": "It may connect again; its next ban is a short one."}
}

Address = Annotated[
    str,
    Path(
        max_length=LONGEST_ADDRESS,
        description="An IP address, or as the list has it: of IPv6 a /64.",
    ),
]

log: structlog.stdlib.BoundLogger = structlog.get_logger("ban")


class NoAddress(Invalid):
    """The path names no address that could be banned."""

    kind = "address"

    def __init__(self) -> None:
        super().__init__("This is no IP address, and no IPv6 /64", "path", "address")


class BanOut(BaseModel):
    """An address that is banned now."""

    model_config = example(BAN)

    address: str = Field(description="Of IPv6 the /64 that is banned as a whole.")
    until: datetime
    seconds: float = Field(description="How long the whole ban is, from its beginning.")


class BansOut(BaseModel):
    """The newest bans that are in force, at most 500, the newest first."""

    model_config = example({"bans": [BAN]})

    bans: list[BanOut]


def ban_routes(limiter: Ref[RateLimiter], now: Callable[[], float] = time) -> APIRouter:
    """Return the routes that managers use; `now` returns seconds since the Unix epoch."""
    router = APIRouter(tags=["bans"], responses=BARISTAS_ONLY, route_class=PlainRoute)

    @router.get("/admin/bans", response_model=BansOut)
    async def bans(_manager: Manager) -> Response:
        """List the addresses that are banned, the newest first, at most 500."""
        found = await limiter.ask(ListBans(MOST_LISTED))
        return answer({"bans": list(bans_out(found, now() - trio.current_time()))})

    @router.delete(
        "/admin/bans/{address:path}",
        status_code=204,
        responses={**LIFTED, **problems(404, refusal=NotBanned())},
    )
    async def lift(manager: Manager, address: Address) -> Response:
        """Lift a ban, at once and on both ports."""
        try:
            key = parse_key(address)
        except ValueError:
            raise NoAddress from None
        await limiter.ask(LiftBan(key))
        log.info("lifted", address=key, by=manager.name)
        return NOTHING

    return router


def bans_out(bans: Iterable[Ban], ahead: float) -> Iterable[dict[str, Any]]:
    """Yield the members of `BanOut`; `ahead` converts the bans' times to the Unix epoch."""
    for ban in bans:
        until = datetime.fromtimestamp(round(ban.until + ahead), UTC)
        yield {"address": ban.address, "until": until, "seconds": ban.seconds}
