"""One browser and one shop for all tests of the screens that need no others."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.screens.browser import Visitor, launch, visiting, why_not
from tests.system.shop import Shop, open_shop


@pytest.fixture(scope="session")
def browser() -> Generator[Browser]:
    """Yield a running browser."""
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
