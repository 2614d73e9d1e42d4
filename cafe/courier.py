"""The courier: takes what the Dispatcher has written down to the Ledger, group by group.

Rule: one group at a time, in order, until the ledger has it; then the Dispatcher may keep his
promises. While a group is being written the next one gathers, so the slower the disk, the larger
the groups.

After a crash of either the Dispatcher begins anew with what the ledger has. A group of the one
before, if it comes too late, is refused by its epoch and thrown away: nobody was told of it.
"""

from __future__ import annotations

import structlog
import trio

from actors import ActorCrashed, ActorStopped, Ref
from cafe.ledger.ledger import Ledger
from cafe.ledger.messages import Commit, LedgerUnavailable, OtherEpoch
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import AwaitRecords, Batch, RecordsKept, RecordsRefused, TakeRecords

RETRY_SECONDS = 0.25
"""Between two tries to write a group, as long as the database cannot be written."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("ledger")


async def carry_records(dispatcher: Ref[Dispatcher], ledger: Ref[Ledger]) -> None:
    """Carry on until either actor stops, or the caller is cancelled."""
    while True:
        try:
            await dispatcher.ask(AwaitRecords())
            batch = await dispatcher.ask(TakeRecords())
            if await deliver(batch, ledger):
                await dispatcher.ask(RecordsKept(batch.epoch, batch.last))
            else:
                await dispatcher.ask(RecordsRefused(batch.epoch))
        except ActorCrashed as crash:
            log.warning("began_anew", because=str(crash))
        except ActorStopped:
            return


async def deliver(batch: Batch, ledger: Ref[Ledger]) -> bool:
    """Have a group written, however long it takes; tell whether it was, and not refused."""
    failed_at: float | None = None
    while True:
        try:
            await ledger.ask(Commit(batch.epoch, batch.records))
        except OtherEpoch:
            log.warning("threw_away", records=len(batch.records))
            return False
        except LedgerUnavailable:
            if failed_at is None:
                failed_at = trio.current_time()
                log.error(  # noqa: TRY400 - whoever raised it has told why
                    "unavailable", records=len(batch.records)
                )
            await trio.sleep(RETRY_SECONDS)
        else:
            if failed_at is not None:
                log.info("available", after_seconds=round(trio.current_time() - failed_at, 3))
            return True
