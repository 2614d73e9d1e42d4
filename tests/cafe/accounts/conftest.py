"""The databases on which accounts are tested."""

from __future__ import annotations

from tests.cafe.ledger.conftest import new_url, postgres, shared_url, store, url

__all__ = ["new_url", "postgres", "shared_url", "store", "url"]
