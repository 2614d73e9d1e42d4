"""Several shops in one database of PostgreSQL: each has a schema and a lock of its own.

Rule: a shop's name is in the query of its ledger's URL, as `?shop=NAME`, so a program with the URL
finds that shop's ledger and no other. Without a name the tables are in the role's own schema, and
the lock is that of a database with one shop.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import URL

from cafe.ledger.errors import WrongDatabaseError
from cafe.names import SHOP

OPTION = "shop"
PREFIX = "cafe_"
"""The prefix of a shop's schema."""
LOCK = (0x63616665, 1)
"""The key of the advisory lock: "cafe", and 1 or a hash of the shop's name."""


def refuse_wrong_shop(url: URL) -> None:
    """Raise WrongDatabaseError for a shop in a SQLite URL, and for an invalid name."""
    if OPTION not in url.query:
        return
    if url.drivername == "sqlite":
        raise WrongDatabaseError(
            "A SQLite file holds one shop: leave CAFE_SHOP unset and give each shop a file of its "
            "own, or keep them in one database of PostgreSQL."
        )
    shop = url.query[OPTION]
    if not isinstance(shop, str) or SHOP.fullmatch(shop) is None:
        raise WrongDatabaseError(
            "A shop's name begins with a letter and has up to 31 of a to z, 0 to 9 and _."
        )


def shop_of(url: URL) -> str | None:
    """Return the name of the shop in a URL; None if there is none."""
    shop = url.query.get(OPTION)
    return None if shop is None else str(shop)


def without_shop(url: URL) -> URL:
    """Return the URL for the driver, which does not know the option."""
    return url.difference_update_query([OPTION])


def schema_of(shop: str | None) -> str | None:
    """Return the schema with a shop's tables; None for the role's own."""
    return None if shop is None else PREFIX + shop


def lock_of(shop: str | None) -> tuple[int, int]:
    """Return the two numbers of a shop's advisory lock, of 32 bits each."""
    if shop is None:
        return LOCK
    return LOCK[0], int.from_bytes(sha256(shop.encode()).digest()[:4], signed=True)
