"""The desk, which managers' routes call: it asks the Notifier, and reads lists from the ledger.

Rule: no state, no decisions about notifications. It retries after a crash, and each wait for the
ledger has a time-out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from actors import Ref
from cafe.ledger.retries import ask_again, ledger_time_out
from cafe.ledger.view import LedgerView
from cafe.notifications.messages import Retry
from cafe.notifications.notifier import Notifier
from cafe.notifications.queries import Page, Wanted, read_attempts, read_page


@dataclass(frozen=True, slots=True)
class NotificationDesk:
    """The interface of notifications to their routes."""

    notifier: Ref[Notifier]
    ledger: LedgerView

    async def list(self, wanted: Wanted) -> Page:
        """Return a page of notifications."""
        with ledger_time_out():
            return await self.ledger.read(partial(read_page, wanted=wanted))

    async def retry(self, event_id: str) -> Page:
        """Make a notification due at once; return its state after that commit.

        Raises UnknownNotification or NothingToRetry.
        """
        with ledger_time_out():
            one = await ask_again(self.notifier, Retry(event_id))
            attempts = await self.ledger.read(partial(read_attempts, of=[one]))
            return Page([one], attempts, goes_on=False)
