"""A barista's tablet in a test, and the shop as customers and other baristas reach it meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.screens.browser import TIMEOUT, Visitor
from tests.system.credentials import PASSWORD, bearer
from tests.system.shop import Line, Shop
from tests.system.until import POLL

PLENTY: dict[str, Any] = {"limit_requests": 10**6, "limit_waiting": 1_000}
"""So that the one address of a test is not limited."""

expect.set_options(timeout=TIMEOUT)


@dataclass(frozen=True)
class Counter:
    """The shop as customers and other baristas reach it."""

    shop: Shop
    customers: httpx.Client
    baristas: httpx.Client

    def order(self, *names: str, **members: str) -> list[int]:
        """Order a coffee for each name; return the ticket numbers."""
        return [self._order({"name": name, **members}) for name in names]

    def _order(self, wish: dict[str, str]) -> int:
        answer = self.customers.post("/order/", json=wish, headers={"Prefer": "respond-async"})
        number: int = answer.raise_for_status().json()["number"]
        return number

    def order_basket(self, items: list[Line]) -> int:
        """Order a basket with an account of its own; return the ticket number."""
        account = {"email": f"{os.urandom(4).hex()}@example.com", "password": PASSWORD}
        self.customers.post("/auth/register", json=account).raise_for_status()
        form = {"username": account["email"], "password": PASSWORD}
        token = self.customers.post("/auth/token", data=form).raise_for_status().json()
        headers = bearer(token["access_token"])
        placed = self.customers.post("/orders", json={"items": items}, headers=headers)
        order_id = placed.raise_for_status().json()["order_id"]
        [number] = [int(one["number"]) for one in self.listed() if one["order_id"] == order_id]
        return number

    def listed(self) -> list[Line]:
        """Return the orders that wait or are in preparation."""
        orders: list[Line] = self.baristas.get("/orders").raise_for_status().json()["orders"]
        return orders

    def standing(self, number: int) -> tuple[str, str | None]:
        """Return where an order stands, and who has it; `over` if it is listed no longer."""
        for one in self.listed():
            if one["number"] == number:
                return one["status"], one["barista"]
        return "over", None

    def start(self, barista: str) -> Line:
        """Claim the oldest order."""
        claim = self.baristas.get("/start/", params={"barista": barista})
        found: Line = claim.raise_for_status().json()
        return found

    def clear(self) -> None:
        """Finish all orders."""
        while self.baristas.get("/start/").status_code == 200:
            pass
        for one in self.listed():
            self.baristas.post(f"/finish/{one['order_id']}/").raise_for_status()


@contextmanager
def counter_of(shop: Shop, token: str | None = None) -> Generator[Counter]:
    """Yield the counter of a shop."""
    headers = {} if token is None else bearer(token)
    with (
        httpx.Client(base_url=shop.client) as customers,
        httpx.Client(base_url=shop.worker, headers=headers) as baristas,
    ):
        yield Counter(shop, customers, baristas)


def tablet(visitor: Visitor, shop: Shop, name: str | None = "Cleo", query: str = "") -> Page:
    """Open the page, as a barista with a name."""
    page = visitor.open(f"{shop.worker}/barista{query}")
    if name is not None:
        page.get_by_label("Name").fill(name)
        page.keyboard.press("Enter")
        expect(page.locator("#rename")).to_contain_text(name)
    return page


def mine(page: Page, number: int | None = None) -> Locator:
    """Return the cards of the orders in hand, or the one with this number."""
    return _cards(page, "mine", number)


def waiting(page: Page, number: int | None = None) -> Locator:
    """Return the cards of the orders that wait, or the one with this number."""
    return _cards(page, "waiting", number)


def _cards(page: Page, where: str, number: int | None) -> Locator:
    cards = page.locator(f"#{where} > li")
    if number is None:
        return cards
    return cards.filter(has=page.locator("h3 b").get_by_text(str(number), exact=True))


def start(page: Page, number: int) -> None:
    """Start the next order, which is this one, by one touch."""
    page.get_by_role("button", name=f"Start order {number}").click()
    expect(mine(page, number)).to_be_visible()


def finish(page: Page, number: int) -> None:
    """Finish an order by one touch."""
    page.get_by_role("button", name=f"Finish {number}").click()
    expect(mine(page, number)).to_have_count(0)


def message_of(page: Page) -> Locator:
    """Return what the page says about what was done last."""
    return page.locator("#said")


def becomes(counter: Counter, page: Page, number: int, status: str, who: str | None = None) -> None:
    """Wait until an order stands so at the shop, while the page works."""
    deadline = time.monotonic() + TIMEOUT / 1000
    while (standing := counter.standing(number)) != (status, who):
        assert time.monotonic() < deadline, standing
        page.wait_for_timeout(POLL * 1000)


def leave(page: Page) -> None:
    """Tell the page that it is left: what is held back is sent, as far as it can be."""
    page.evaluate("dispatchEvent(new Event('pagehide'))")
