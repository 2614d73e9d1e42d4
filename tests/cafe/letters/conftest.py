"""The ledgers of the tests in `tests/cafe/ledger`."""

from tests.cafe.ledger.conftest import durable_url, new_url, postgres, shared_url, url

__all__ = ["durable_url", "new_url", "postgres", "shared_url", "url"]
