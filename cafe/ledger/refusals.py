"""What an asker hears when something could not be written down.

Rule: after any of these nothing was acknowledged; what to do next is in the sentence.
"""

from __future__ import annotations

from typing import Literal

from cafe.http.refusals import CafeRefusal


class LedgerUnavailable(CafeRefusal):
    """The database cannot be written or read at the moment."""

    status = 503
    told = ("reason",)
    reason = "ledger"
    retry_after = 5.0

    def __init__(self) -> None:
        super().__init__("The shop cannot write anything down at the moment; come back soon.")


class JournalClosed(LedgerUnavailable):
    """What the asker's message led to was not committed, and never will be: ask again.

    The department starts again from what is committed; the same message then has its effect once.
    """


class NotRecorded(CafeRefusal):
    """The database refuses the row: asking again would be refused again."""

    status = 422
    told = ("reason",)

    def __init__(self, reason: Literal["invalid", "conflict", "internal"]) -> None:
        super().__init__("The shop's database refuses to keep this as it was sent.")
        self.reason = reason
