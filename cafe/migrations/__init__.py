"""The migrations of the tables, version by version; `cafe.ledger.tables` runs them."""

from __future__ import annotations

VERSIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
)
"""The revisions in `versions/`, oldest first. Kept here too, so that a shop whose database has the
newest does not import alembic (12 MB) to find that out; a test holds both against each other."""
