"""Several shops in one database of PostgreSQL: each has a schema and a lock of its own.

Rule: a shop's name travels in the query of its ledger's URL, as `?shop=NAME`, so whatever is given
the URL finds that shop's ledger and no other. Without a name the tables are in the schema that the
role has, and the lock is the one of a database with one shop.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import URL

from cafe.ledger.errors import WrongDatabaseError
from cafe.names import SHOP

OPTION = "shop"
PREFIX = "cafe_"
"""What the name of a shop's schema begins with."""
LOCK = (0x63616665, 1)
"""The key of the advisory lock: "cafe", and 1 or a number that is made from the shop's name."""


def refuse_wrong_shop(url: URL) -> None:
    """Raise WrongDatabaseError where a URL names a shop and cannot, or by no name."""
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
    """Return the name of the shop whose ledger a URL names; None where it has none."""
    shop = url.query.get(OPTION)
    return None if shop is None else str(shop)


def without_shop(url: URL) -> URL:
    """Return the URL as the server's driver knows it."""
    return url.difference_update_query([OPTION])


def schema_of(shop: str | None) -> str | None:
    """Return the schema that has a shop's tables; None where the role's own has them."""
    return None if shop is None else PREFIX + shop


def lock_of(shop: str | None) -> tuple[int, int]:
    """Return the two numbers of a shop's advisory lock, of 32 bits each."""
    if shop is None:
        return LOCK
    return LOCK[0], int.from_bytes(sha256(shop.encode()).digest()[:4], signed=True)
