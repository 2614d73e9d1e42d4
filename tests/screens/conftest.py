"""One browser and one shop for all tests of the screens that need no others."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.screens.barista_tablet import PLENTY, Counter, counter_of
from tests.screens.browser import Visitor, launch, visiting, why_not
from tests.screens.people import Staff
from tests.system.paying import Providers, open_providers
from tests.system.shop import Shop, open_shop


@pytest.fixture(scope="package")
def browser() -> Generator[Browser]:
    """Yield a running browser; its driver has an event loop, which other tests are kept from."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser: Browser) -> Generator[Visitor]:
    """Yield someone with a browser."""
    with visiting(browser) as someone:
        yield someone


@pytest.fixture(scope="session")
def open_house() -> Generator[Shop]:
    """Yield a shop whose baristas' port is open."""
    with open_shop() as shop:
        yield shop


@pytest.fixture(scope="session")
def busy_house() -> Generator[Shop]:
    """Yield a shop whose baristas' port is open, with limits that no test reaches."""
    with open_shop(**PLENTY) as shop:
        yield shop


@pytest.fixture
def counter(busy_house: Shop) -> Generator[Counter]:
    """Yield the counter of that shop, with no orders."""
    with counter_of(busy_house) as counter:
        counter.clear()
        yield counter


@pytest.fixture(scope="session")
def providers() -> Generator[Providers]:
    """Yield the stand-ins of the payment providers."""
    with open_providers() as running:
        yield running


@pytest.fixture(scope="session")
def paying_house(providers: Providers) -> Generator[Shop]:
    """Yield a shop that charges its customers."""
    names = ("payment_url", "refund_url")
    urls: dict[str, Any] = {name: providers.settings[name] for name in names}
    with open_shop(limit_requests=10**6, ban_after=10**6, **urls) as shop:
        yield shop


@pytest.fixture
def staff(paying_house: Shop, providers: Providers) -> Generator[Staff]:
    """Yield the staff of that shop; afterwards nothing waits in it."""
    yield Staff(paying_house)
    providers.behave(charges="accept", refunds="accept")
    Staff(paying_house).brew_all()
