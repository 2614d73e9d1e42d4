"""Where a ledger is: the database's URL, read once and for all who open or look into it.

Rule: no sentence about a URL holds what may be a password.
"""

from __future__ import annotations

from sqlalchemy import URL, make_url

from cafe.ledger.errors import LedgerError

FORMS = "sqlite:///FILE, sqlite:// or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
POSTGRESQL = "postgresql+psycopg"
SECRET_OPTIONS = ("password", "sslpassword")


class WrongDatabaseError(LedgerError):
    """The URL names no database that could hold a ledger."""


def parse_address(address: str) -> URL:
    """Read a database's URL; raises WrongDatabaseError, which does not repeat it."""
    try:
        url = make_url(address)
    except Exception:  # noqa: BLE001 - any, and its text may hold half a password
        raise WrongDatabaseError(f"The database URL cannot be read; it is {FORMS}.") from None
    if url.drivername == "sqlite":
        if url.host is not None or url.query:
            raise WrongDatabaseError(f"The database URL cannot be read; it is {FORMS}.")
    elif url.drivername != POSTGRESQL:
        raise WrongDatabaseError(
            f"No ledger can be kept at {url.drivername}://; a database is {FORMS}."
        )
    return url


def is_in_memory(url: URL) -> bool:
    """Tell whether a database is gone with its process."""
    return url.drivername == "sqlite" and url.database in {None, "", ":memory:"}


def secrets_of(url: URL) -> tuple[str, ...]:
    """Give what must not be said of a URL; a password may stand in the query too."""
    words = (url.password, *(url.query.get(option) for option in SECRET_OPTIONS))
    return tuple(str(word) for word in words if word)
