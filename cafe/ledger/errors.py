"""What can be wrong with a ledger. Each is one sentence that says what to do."""

from __future__ import annotations


class LedgerError(Exception):
    """The base of all that can be wrong with a ledger; the shop does not start."""


class DatabaseInUse(LedgerError):  # noqa: N818 - it names what is so
    """Another shop owns the database."""


class SchemaBehind(LedgerError):  # noqa: N818 - as above
    """The schema is older than the program; `cafe db upgrade` brings it up."""


class NotALedger(LedgerError):  # noqa: N818 - as above
    """The database is damaged, of somebody else, or of a newer program. It was not touched."""


class DatabaseGone(LedgerError):  # noqa: N818 - as above
    """The database cannot be reached, or cannot be written now; asking again may help."""


class StaleEpoch(LedgerError):  # noqa: N818 - as above
    """Somebody has started from the ledger since, and owns what is to be written."""
