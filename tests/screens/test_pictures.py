"""Pictures of the pages, as README and docs/screens.md show them.

`make pictures` writes them into docs/screens; other runs take them, and see that each is there.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cafe.http.authentication import Role
from tests.imports import ROOT
from tests.screens.barista_tablet import PLENTY, Counter, counter_of, tablet
from tests.screens.browser import Visitor, visiting
from tests.screens.people import Staff
from tests.system.credentials import PASSWORD
from tests.system.shop import open_shop

SHOWN = ROOT / "docs/screens"
BASKET = [
    {"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 2},
    {"product_id": "americano", "quantity": 1},
]


@pytest.fixture(scope="module")
def counter() -> Generator[Counter]:
    """Yield the counter of a shop in which a day has begun."""
    with open_shop(**PLENTY) as shop, counter_of(shop) as counter:
        counter.order("Ada", "Grace", "Linus")
        counter.clear()
        counter.order("Barbara", "Edsger", "Alan")
        counter.start("Bo")
        counter.order_basket(BASKET)
        yield counter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where pictures are written."""
    return Path(os.environ.get("PICTURES", tmp_path))


def take(page: Page, folder: Path, name: str) -> None:
    """Take a picture, once nothing moves; what README shows has the same name."""
    path = folder / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.parent == SHOWN or (SHOWN / path.name).is_file(), "make pictures"


def sign_in(page: Page, email: str) -> None:
    """Sign in with the page's dialog."""
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()


def test_the_board(counter: Counter, browser: Browser, folder: Path) -> None:
    with visiting(browser, 1920, color_scheme="dark") as visitor:
        page = visitor.open(f"{counter.shop.client}/board")
        expect(page.locator("#preparing li")).to_have_count(1)
        take(page, folder, "board")


def test_the_order_page(counter: Counter, browser: Browser, folder: Path) -> None:
    with visiting(browser, 360) as visitor:
        page = visitor.open(counter.shop.client)
        page.get_by_role("button", name="Add Americano").click()
        take(page, folder, "menu")
        page.get_by_label("Your name").fill("Katherine")
        page.get_by_role("button", name="Order, and pay at the counter").click()
        expect(page.locator("#standing")).to_contain_text("in line")
        page.evaluate("scrollTo(0, 0)")
        take(page, folder, "order")


def test_the_barista_s_page(counter: Counter, visitor: Visitor, folder: Path) -> None:
    page = tablet(visitor, counter.shop, "Cleo")
    expect(page.locator("#waiting > li").first).to_be_visible()
    take(page, folder, "barista")


def test_the_courier_s_page(counter: Counter, browser: Browser, folder: Path) -> None:
    staff = Staff(counter.shop)
    account = staff.add_user(Role.COURIER, "courier@example.com")
    staff.ask("POST", "/districts", json={"name": "Old Town"})
    wish = {"name": "Cory", "districts": ["Old Town"], "account": account, "on_duty": True}
    staff.ask("POST", "/couriers", json=wish)
    parcel = {"name": "Box of cakes", "district": "Old Town", "address": "Main Street 1"}
    staff.ask("POST", "/deliveries", json=parcel)
    with visiting(browser, 360) as visitor:
        page = visitor.open(f"{counter.shop.client}/courier")
        page.get_by_role("button", name="Sign in").click()
        sign_in(page, "courier@example.com")
        expect(page.get_by_text("Main Street 1")).to_be_visible()
        take(page, folder, "courier")


def test_the_manager_s_page(counter: Counter, browser: Browser, folder: Path) -> None:
    Staff(counter.shop).add_user(Role.MANAGER, "manager@example.com")
    with visiting(browser, 1920) as visitor:
        page = visitor.open(f"{counter.shop.worker}/manager")
        sign_in(page, "manager@example.com")
        expect(page.locator("#desk svg").first).to_be_visible()
        take(page, folder, "manager")
