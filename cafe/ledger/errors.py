"""What can be wrong with a ledger. Each is one sentence that says what to do."""

from __future__ import annotations

from typing import Literal

Reason = Literal["invalid", "conflict", "internal"]
"""Why a statement is refused: a value that the database cannot hold; a constraint; anything else,
which is a bug of this program or of the server."""


class LedgerError(Exception):
    """The base of all that can be wrong with a ledger; the shop does not start."""


class DatabaseInUse(LedgerError):  # noqa: N818 - it names what is so
    """Another shop owns the database."""


class SchemaBehind(LedgerError):  # noqa: N818 - as above
    """The schema is older than the program; `cafe db upgrade` brings it up."""


class NotALedger(LedgerError):  # noqa: N818 - as above
    """The database is damaged, of somebody else, or of a newer program. It was not touched."""


class DatabaseGone(LedgerError):  # noqa: N818 - as above
    """The database cannot be reached, or cannot be written now; a retry may succeed."""


class LoginRefused(DatabaseGone):
    """The server answers, and does not let this login into this database.

    At a start that is a wrong setting; a shop that runs was let in before, so it waits.
    """


class RowRefused(LedgerError):  # noqa: N818 - as above
    """The database refuses a statement, and would refuse it again: a retry is of no use."""

    def __init__(self, sentence: str, *, reason: Reason, sqlstate: str | None = None) -> None:
        super().__init__(sentence)
        self.reason: Reason = reason
        self.sqlstate = sqlstate
        """PostgreSQL's code, None on SQLite and for what never reached the server."""


class LedgerChanged(LedgerError):  # noqa: N818 - as above
    """The log does not end where this process has left it, so the shop must not go on."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"The database does not end with event {position}, the last that this shop has "
            "committed: another shop has written to it, or it is a copy that lacks the last "
            "commits. Nothing was written; start again from the database that is right."
        )
