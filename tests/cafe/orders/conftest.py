"""The databases that the ledger's tests have, for those of the orders' tables."""

from __future__ import annotations

from tests.cafe.ledger.conftest import durable_url, new_url, postgres

__all__ = ["durable_url", "new_url", "postgres"]
