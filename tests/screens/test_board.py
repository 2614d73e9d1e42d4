"""The ready board on the real shop: who is being prepared, who is ready, the pause, the chime."""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.screens.barista_tablet import PLENTY, Counter, counter_of
from tests.screens.browser import Visitor, at_each_width, barriers, overflows, visiting
from tests.system.shop import Shop, open_shop

HOSTILE = "<img src=x onerror=alert(1)>"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SOON = 2_000.0
"""Milliseconds: a board shows a change within a second, on a machine that is not busy."""
NOTES = """
window.notes = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) { window.notes += 1; start.apply(this, at); };
"""
"""Counts the notes that a page plays."""


@pytest.fixture(scope="module")
def counter() -> Generator[Counter]:
    """Yield the counter of a shop of this module's own."""
    with open_shop(**PLENTY) as shop, counter_of(shop) as counter:
        yield counter


def brew(counter: Counter, name: str) -> int:
    """Order a coffee, start and finish it; return its ticket number."""
    (number,) = counter.order(name)
    counter.clear()
    return number


def board(visitor: Visitor, shop: Shop, query: str = "") -> Page:
    """Open the board; returns when it shows a state."""
    page = visitor.open(f"{shop.client}/board{query}")
    expect(page.locator("#wait")).not_to_be_empty()
    return page


def test_an_order_goes_over_the_board_as_it_is_brewed(counter: Counter, visitor: Visitor) -> None:
    page = board(visitor, counter.shop)
    (number,) = counter.order("Ada")
    expect(page.locator("#wait")).to_contain_text("1 order is waiting.", timeout=SOON)
    counter.start("Bo")
    expect(page.locator("#preparing li")).to_have_text(f"{number} Ada", timeout=SOON)
    counter.clear()
    expect(page.locator("#newest")).to_have_text(f"{number} Ada", timeout=SOON)
    expect(page.locator("#preparing li")).to_have_count(0)
    expect(page.locator("#news")).to_have_text(f"Ready: {number} Ada")
    later = brew(counter, "Bea")
    expect(page.locator("#newest")).to_have_text(f"{later} Bea", timeout=SOON)
    expect(page.locator("#ready li").first).to_have_text(f"{number} Ada")
    assert barriers(page) == []


def test_a_name_is_text_whatever_it_is(counter: Counter, visitor: Visitor) -> None:
    page = board(visitor, counter.shop)
    number = brew(counter, HOSTILE)
    expect(page.locator("#newest")).to_have_text(f"{number} {HOSTILE}", timeout=SOON)
    brew(counter, "Bea")
    expect(page.locator("#ready li").first).to_have_text(f"{number} {HOSTILE}", timeout=SOON)
    assert page.locator("main img").count() == 0


def test_the_chime_plays_for_what_becomes_ready_once_it_is_switched_on(
    counter: Counter, visitor: Visitor
) -> None:
    visitor.context.add_init_script(NOTES)
    page = board(visitor, counter.shop)
    number = brew(counter, "Ada")
    expect(page.locator("#newest")).to_have_text(f"{number} Ada", timeout=SOON)
    assert page.evaluate("notes") == 0
    page.get_by_role("button", name="Chime").press("Enter")
    expect(page.get_by_role("button", name="Chime", pressed=True)).to_be_visible()
    assert page.evaluate("notes") == 2
    number = brew(counter, "Ada")
    expect(page.locator("#newest")).to_have_text(f"{number} Ada", timeout=SOON)
    assert page.evaluate("notes") == 4


def test_a_board_speaks_german_to_who_prefers_it(counter: Counter, browser: Browser) -> None:
    with visiting(browser, locale="de-AT") as visitor:
        page = board(visitor, counter.shop)
        expect(page.locator("#wait")).to_contain_text("0 Bestellungen warten.")
        assert page.locator("html").get_attribute("lang") == "de"
        page.get_by_role("link", name="English").click()
        expect(page.locator("#wait")).to_contain_text("0 orders are waiting.")


def test_a_full_board_fits_and_has_no_barriers(counter: Counter, visitor: Visitor) -> None:
    for name in ("Ada", "Grace Hopper", "Wilhelmina von und zu Hohenlohe"):
        brew(counter, name)
    page = board(visitor, counter.shop)
    expect(page.locator("#ready li").first).to_be_visible()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in at_each_width(page):
            assert barriers(page) == [], (scheme, width)
            assert not overflows(page), (scheme, width)
