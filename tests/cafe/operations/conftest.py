"""The fixture of the ledger's tests that gives a database, for the tests of a day's figures."""

from __future__ import annotations

from tests.cafe.ledger.conftest import durable_url, new_url, postgres

__all__ = ["durable_url", "new_url", "postgres"]
