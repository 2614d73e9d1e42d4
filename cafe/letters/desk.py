"""The desk, which managers' routes call: it asks the Mailer, and reads letters from the ledger.

Rule: no state, no decisions about letters. It retries after a crash, and each wait for the ledger
has a time-out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from actors import Ref
from cafe.ledger.retries import ask_again, ledger_time_out
from cafe.ledger.view import LedgerView
from cafe.letters.messages import Retry
from cafe.letters.queries import Page, Shown, Wanted, read_one, read_page
from cafe.letters.refusals import UnknownLetter

if TYPE_CHECKING:
    from cafe.letters.messages import Mailer


@dataclass(frozen=True, slots=True)
class LetterDesk:
    """The interface of letters to their routes."""

    mailer: Ref[Mailer]
    ledger: LedgerView

    async def list(self, wanted: Wanted) -> Page:
        """Return a page of letters."""
        with ledger_time_out():
            return await self.ledger.read(partial(read_page, wanted=wanted))

    async def show(self, letter_id: str) -> Shown:
        """Return one letter with its text; raises UnknownLetter."""
        with ledger_time_out():
            return await self._read(letter_id)

    async def retry(self, letter_id: str) -> Shown:
        """Make a letter due at once; return its state after that commit.

        Raises UnknownLetter or LetterNotRetried.
        """
        with ledger_time_out():
            await ask_again(self.mailer, Retry(letter_id))
            return await self._read(letter_id)

    async def _read(self, letter_id: str) -> Shown:
        found = await self.ledger.read(partial(read_one, letter_id=letter_id))
        if found is None:
            raise UnknownLetter
        return found
