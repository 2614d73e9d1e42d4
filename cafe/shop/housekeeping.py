"""Keeping house: what is kept no longer is deleted, and room that is not needed is given back.

Rule: it may wait. What goes wrong is logged, and tried again the next time.
"""

from __future__ import annotations

from functools import partial

import structlog
import trio

from cafe.ledger.errors import LedgerError
from cafe.ledger.ledger import Ledger
from cafe.orders.queries import drop_expired_keys
from cafe.settings import Settings
from cafe.shop.departments import DEPARTMENTS

DAY = 86_400.0
TIDY_SECONDS = 20.0
PRUNE_SECONDS = 3_600.0
"""Between two looks for what is kept no longer."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


async def keep_house(ledger: Ledger, settings: Settings) -> None:
    """Delete what is kept no longer, and give room back that is not needed, for ever."""
    prune_at = trio.current_time() + PRUNE_SECONDS
    while True:
        await trio.sleep(TIDY_SECONDS)
        await ledger.tidy()
        if trio.current_time() >= prune_at:
            prune_at += PRUNE_SECONDS
            try:
                await prune(ledger, settings)
            except LedgerError as error:  # the next time will do
                log.error("not pruned", detail=str(error))  # noqa: TRY400 - it tells all


async def prune(ledger: Ledger, settings: Settings) -> None:
    """Delete orders that ended long ago, and keys that are remembered no longer."""
    now = ledger.now()
    pruned = 0
    for department in DEPARTMENTS:
        pruned += await ledger.prune(department, now - settings.keep_days * DAY, DEPARTMENTS)
    expired = partial(drop_expired_keys, placed_before=now - settings.key_ttl_seconds)
    log.info("pruned", ended=pruned, keys=await ledger.maintain(expired))
