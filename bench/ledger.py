"""A ledger made before the café starts, for benchmarks that fill it by plain SQL."""

from __future__ import annotations

from pathlib import Path

from bench.report import progress
from cafe.ledger.database import upgrade
from cafe.shop.departments import DEPARTMENTS


def make_ledger(file: Path) -> str:
    """Make the tables of all departments in a new file, and return its address.

    It is made without a shop, whose first menu would be in the log.
    """
    url = f"sqlite:///{file}"
    upgrade(url)
    progress(f"{file.name} has the tables of {len(DEPARTMENTS)} departments")
    return url
