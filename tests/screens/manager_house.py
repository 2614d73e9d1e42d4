"""The house that the tests of the manager's page look after: accounts, providers, a mail server.

Rule: what a test prepares it asks of the API, as a program of the operator; what it is about
happens on the page.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from playwright.sync_api import Locator, Page, expect

from cafe.accounts.secret import find_secret
from cafe.accounts.tokens import tokens_of
from cafe.settings import Settings
from tests.screens.browser import Visitor
from tests.system.credentials import PASSWORD, bearer
from tests.system.mail_server import HOST, Inbox, open_inbox
from tests.system.paying import Providers, open_providers
from tests.system.shop import Shop, open_shop
from tests.system.until import TIMEOUT

HOSTILE: Final = "<img src=x onerror=alert(1)>"
SECTIONS: Final = ("today", "orders", "menu", "delivery", "tables", "messages", "accounts", "bans")
EVENING: Final = 19
"""The hour at which guests of tests begin to eat."""


@dataclass(frozen=True)
class House:
    """A shop whose baristas' port is for accounts, and what is around it."""

    shop: Shop
    providers: Providers
    inbox: Inbox
    operator: httpx.Client
    guest: httpx.Client
    customer: httpx.Client
    session: dict[str, str]
    """What a page of a manager who has signed in keeps."""

    def order(self, product: str = "americano") -> dict[str, Any]:
        """Order and pay, as a customer."""
        basket = {"items": [{"product_id": product, "quantity": 2}]}
        return whole(self.customer.post("/orders", json=basket))

    def add_table(self) -> str:
        """Add a table; return its id."""
        table = whole(self.operator.post("/admin/tables", json={"type": "regular", "seats": 4}))
        return str(table["table_id"])

    def ask_for(self, table_id: str, name: str, hours: float = 0, days: int = 1) -> dict[str, Any]:
        """Ask for a table in the evening of a day, some hours later, for two hours."""
        begins = evening(days) + timedelta(hours=hours)
        wish = {
            "table_id": table_id,
            "from": begins.isoformat(),
            "to": (begins + timedelta(hours=2)).isoformat(),
            "party": 2,
            "name": name,
            "email": "guest@example.org",
        }
        return whole(self.guest.post("/bookings", json=wish))

    def booking(self, booking: dict[str, Any]) -> dict[str, Any]:
        """Look at a booking again."""
        return whole(self.operator.get(f"/admin/bookings/{booking['booking_id']}"))


def evening(days: int) -> datetime:
    """Return when the evening of a day begins, in this machine's zone."""
    day = datetime.now().astimezone() + timedelta(days=days)
    return day.replace(hour=EVENING, minute=0, second=0, microsecond=0)


def whole(response: httpx.Response) -> dict[str, Any]:
    """Return what a response says that is no refusal."""
    assert response.is_success, response.text
    members: dict[str, Any] = response.json()
    return members


@contextmanager
def open_managed() -> Generator[House]:
    """Open the house with a manager, a barista, a courier and a customer."""
    with (
        open_inbox_in_a_thread() as inbox,
        open_providers() as providers,
        open_shop(**settings_of(providers, inbox)) as shop,
    ):
        house = house_of(shop, providers, inbox)
        with closing(house.operator), closing(house.guest), closing(house.customer):
            yield house


def settings_of(providers: Providers, inbox: Inbox) -> dict[str, Any]:
    """Return the settings of a shop that charges, notifies and writes to these."""
    return {
        **providers.settings,
        "worker_auth": "accounts",
        "worker_hosts": "",
        "smtp_url": f"smtp://{HOST}:{inbox.port}",
        "mail_from": "cafe@cafe.example",
        "public_url": "https://cafe.example",
        "ban_after": 30,
        "limit_requests": 10**6,
    }


@contextmanager
def open_inbox_in_a_thread() -> Generator[Inbox]:
    """Open a mail server from a thread: in this one Playwright has a loop of asyncio running."""
    opening = open_inbox()
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(opening.__enter__).result()
        thread.submit(opening.__exit__, None, None, None).result()


def house_of(shop: Shop, providers: Providers, inbox: Inbox) -> House:
    """Return a house in which everyone has signed in."""
    settings = Settings.model_validate({"database_url": shop.database_url})
    tokens = tokens_of(find_secret(settings))

    def as_operator(request: httpx.Request) -> httpx.Request:
        request.headers.update(bearer(tokens.operator(time.time())))  # it holds for a minute
        return request

    operator = client(shop.worker, auth=as_operator)
    for role in ("manager", "barista", "courier", "customer"):
        account = {"email": f"{role}@example.com", "password": PASSWORD, "role": role}
        whole(operator.post("/admin/users", json=account))
    token = signed_in(shop.client, "customer")["access_token"]
    customer = client(shop.client, headers=bearer(token))
    session = signed_in(shop.worker, "manager")
    kept = {"access": session["access_token"], "refresh": session["refresh_token"]}
    return House(shop, providers, inbox, operator, client(shop.client), customer, kept)


def client(url: str, **options: Any) -> httpx.Client:
    """Return a client of an app."""
    return httpx.Client(base_url=url, timeout=TIMEOUT, follow_redirects=True, **options)


def signed_in(url: str, role: str) -> dict[str, Any]:
    """Sign in the account of a role."""
    form = {"username": f"{role}@example.com", "password": PASSWORD}
    return whole(httpx.post(f"{url}/auth/token", data=form, timeout=TIMEOUT))


def open_desk(house: House, visitor: Visitor, section: str = "today", query: str = "") -> Page:
    """Open a section of the page in the browser of a manager who has signed in."""
    kept = json.dumps(json.dumps(house.session))
    visitor.context.add_init_script(f"sessionStorage['cafe.session'] ??= {kept}")
    page = visitor.open(f"{house.shop.worker}/manager{query}#{section}")
    expect(page.locator("#desk")).to_be_visible()
    return page


def sign_in(page: Page, role: str, password: str = PASSWORD) -> None:
    """Fill in the form for signing in, and send it."""
    page.locator("#sign-in [name=username]").fill(f"{role}@example.com")
    page.locator("#sign-in [name=password]").fill(password)
    page.locator("#sign-in [type=submit]").click()


def go(page: Page, section: str) -> None:
    """Go to a section, and wait until it shows what it has loaded."""
    page.locator(f"#sections a[href='#{section}']").click()
    settled(page)


def settled(page: Page) -> None:
    """Wait until the chosen section has the focus, and each of its lists its rows, or says none."""
    expect(page.locator("#section-title")).to_be_focused()
    for listing in page.locator("#section table[role=table]").all():
        expect(listing.locator("tbody tr").first).to_be_attached()


def row(page: Page, text: str) -> Locator:
    """Return the row of a list in which something stands."""
    return page.locator("#section tbody tr", has_text=text)


def dialog(page: Page) -> Locator:
    """Return the dialog that is open on the page."""
    return page.locator("dialog.made[open]").last
