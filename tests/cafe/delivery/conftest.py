"""The fixtures of the ledger's tests that give a database, for those of delivery's tables."""

from __future__ import annotations

from tests.cafe.ledger.conftest import durable_url, new_url, postgres

__all__ = ["durable_url", "new_url", "postgres"]
