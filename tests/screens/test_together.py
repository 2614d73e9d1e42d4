"""All screens at once, on one shop: an order from the customer's page to the board."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from tests.screens.barista_tablet import PLENTY, finish, start, tablet
from tests.screens.browser import Visitor, visiting
from tests.system.shop import Shop, open_shop

HELD = 15_000.0
"""Milliseconds in which a finish is sent, which the page holds back for ten seconds."""


def order(visitor: Visitor, shop: Shop, name: str) -> tuple[Page, int]:
    """Order an americano on the order page; return the page, and the ticket number it shows."""
    page = visitor.open(shop.client)
    page.get_by_role("button", name="Add Americano").click()
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Order, and pay at the counter").click()
    expect(page.locator("#number")).to_have_text(re.compile(r"\d+"))
    return page, int(page.locator("#number").inner_text())


def test_an_order_goes_over_all_screens_also_when_the_shop_is_killed_in_between(
    browser: Browser, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"database_url": f"sqlite:///{tmp_path / 'cafe.db'}", **PLENTY}
    with visiting(browser) as guest, visiting(browser) as barista, visiting(browser) as wall:
        with open_shop(exit_code=-signal.SIGKILL, **settings) as shop:
            board = wall.open(f"{shop.client}/board")
            work = tablet(barista, shop)
            page, number = order(guest, shop, "Ada")
            expect(board.locator("#wait")).to_contain_text("1 order is waiting.")
            start(work, number)
            expect(board.locator("#preparing li")).to_have_text(f"{number} Ada")
            expect(page.locator("#standing")).to_contain_text("Being prepared")
            shop.process.kill()
            shop.process.wait()
            for one in (board, work, page):
                expect(one.locator("#connection")).to_contain_text("Disconnected since")
        ports = [f"127.0.0.1:{urlsplit(url).port}" for url in (shop.client, shop.worker)]
        options = ("--client-bind", ports[0], "--worker-bind", ports[1])
        with open_shop(options, **settings):
            for one in (board, work, page):
                expect(one.locator("#connection")).to_be_empty()
            expect(board.locator("#preparing li")).to_have_text(f"{number} Ada")
            finish(work, number)
            expect(board.locator("#newest")).to_have_text(f"{number} Ada", timeout=HELD)
            shown = monotonic()
            expect(page.locator("#standing")).to_contain_text("Ready!")
            # Both follow the same commit. Far more than it takes, for machines that are busy.
            assert monotonic() - shown < 5.0
