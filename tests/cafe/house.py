"""What the shop has before any department is open, for tests that open one department alone."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry

from actors import System
from actors.testing import Probe
from cafe.http.refusals import Closing
from cafe.ledger.ledger import Ledger
from cafe.limits.rate_limiter import RateLimiter
from cafe.offer import House
from cafe.settings import read_settings
from cafe.shop.shop import RESTART


def empty_house(system: System, ledger: Ledger, closing: Closing | None = None) -> House:
    """Return a house whose actors start in this system, as the shop starts them."""
    return House(
        read_settings({"database_url": "sqlite://"}),
        partial(system.start, restart=RESTART),
        ledger,
        Probe(RateLimiter),
        closing or Closing(),
        CollectorRegistry(),
    )
