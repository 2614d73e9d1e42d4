"""Housekeeping: deletes expired rows, and frees disk space that the database does not need.

Rule: not urgent. A failure is logged, and the next run retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
import trio

from cafe.ledger.department import Department
from cafe.ledger.errors import LedgerError
from cafe.ledger.ledger import Ledger
from cafe.offer import Offer

DAY = 86_400.0
TIDY_SECONDS = 20.0
PRUNE_SECONDS = 3_600.0
"""The time between prunings."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("shop")


async def keep_house(
    ledger: Ledger,
    keep_days: float,
    departments: Sequence[Department[Any]],
    offers: Sequence[Offer],
) -> None:
    """Tidy the ledger every TIDY_SECONDS, and prune it every PRUNE_SECONDS; never returns."""
    prune_at = trio.current_time() + PRUNE_SECONDS
    while True:
        await trio.sleep(TIDY_SECONDS)
        await ledger.tidy()
        if trio.current_time() >= prune_at:
            prune_at += PRUNE_SECONDS
            try:
                await prune(ledger, keep_days, departments, offers)
            except LedgerError as error:  # the next run retries
                log.error("not pruned", detail=str(error))  # noqa: TRY400 - the text is enough


async def prune(
    ledger: Ledger,
    keep_days: float,
    departments: Sequence[Department[Any]],
    offers: Sequence[Offer],
) -> None:
    """Delete what ended more than `keep_days` ago, then call each offer's `tidy`."""
    before = ledger.now() - keep_days * DAY
    pruned = 0
    for department in departments:
        pruned += await ledger.prune(department, before, departments)
    tidied: dict[str, int] = {}
    for offer in offers:
        tidied.update(await offer.tidy())
    log.info("pruned", ended=pruned, **tidied)
