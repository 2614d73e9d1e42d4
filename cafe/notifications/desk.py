"""The desk: where managers' routes ask. It asks the Notifier, and reads lists from the ledger.

Rule: no state, no decisions about notifications. It retries after a crash, and bounds each wait for
the ledger.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from actors import ActorCrashed, Ref
from cafe.ledger.errors import JournalClosed, LedgerUnavailable
from cafe.ledger.ledger import Ledger
from cafe.notifications.messages import Retry
from cafe.notifications.notification import Notification
from cafe.notifications.notifier import Notifier
from cafe.notifications.queries import Page, Wanted, read_attempts, read_page

TRIES: Final = 3
LEDGER_SECONDS: Final = 5.0
"""How long a request may wait for the ledger."""


@contextmanager
def ledger_time_out() -> Generator[None]:
    """Raise LedgerUnavailable if the block takes longer than a request may wait for the ledger."""
    with trio.move_on_after(LEDGER_SECONDS) as scope:
        yield
    if scope.cancelled_caught:
        raise LedgerUnavailable


@dataclass(frozen=True, slots=True)
class NotificationDesk:
    """Where notifications are listed and retried."""

    notifier: Ref[Notifier]
    ledger: Ledger

    async def list(self, wanted: Wanted) -> Page:
        """Return a page of notifications."""
        with ledger_time_out():
            return await self.ledger.read(partial(read_page, wanted=wanted))

    async def retry(self, event_id: str) -> Page:
        """Have a notification attempted at once; return it, as it stands then.

        Raises UnknownNotification or NothingToRetry.
        """
        with ledger_time_out():
            one = await self._retry(Retry(event_id))
            attempts = await self.ledger.read(partial(read_attempts, of=[one]))
            return Page([one], attempts, goes_on=False)

    async def _retry(self, message: Retry) -> Notification:
        for _ in range(TRIES - 1):
            try:
                return await self.notifier.ask(message)
            except (ActorCrashed, JournalClosed):
                await trio.lowlevel.checkpoint()
        return await self.notifier.ask(message)
