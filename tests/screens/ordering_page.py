"""What tests of the order page do on it, as a customer would."""

from __future__ import annotations

from itertools import count

from playwright.sync_api import Page, expect

from cafe.http.role import Role
from tests.screens.browser import Visitor
from tests.screens.people import Staff
from tests.system.credentials import PASSWORD

HOSTILE = "<img src=x onerror=alert(1)>"

_numbers = count(1)


def ordering(visitor: Visitor, staff: Staff) -> Page:
    """Open the page; return it as soon as it has the menu."""
    page = visitor.open(staff.shop.client)
    expect(page.get_by_role("button", name="Add Latte")).to_be_visible()
    return page


def choose(page: Page, product: str, kind: str | None = None) -> None:
    """Put one of a product into the basket."""
    if kind is not None:
        page.get_by_label(f"Kind of {product}").select_option(label=kind)
    page.get_by_role("button", name=f"Add {product}").click()


def order_as_guest(page: Page, name: str = "") -> None:
    """Order an americano."""
    choose(page, "Americano")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Order, and pay at the counter").click()


def register(page: Page) -> str:
    """Make an account, and sign in with it; return its e-mail address."""
    email = f"ada{next(_numbers)}@example.com"
    page.get_by_role("button", name="Create an account").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(HOSTILE)
    dialog.get_by_label("E-mail address").fill(email)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create an account").click()
    expect(page.locator("#who")).to_have_text(HOSTILE)
    return email


def become_customer(page: Page, staff: Staff) -> str:
    """Sign in with a new account, which staff have made: an address may not make many by itself."""
    email = f"ada{next(_numbers)}@example.com"
    staff.add_user(Role.CUSTOMER, email, HOSTILE)
    page.locator("header").get_by_role("button", name="Sign in").click()
    fill_in(page, email)
    expect(page.locator("#who")).to_have_text(HOSTILE)
    return email


def sign_in(page: Page, email: str) -> None:
    """Sign in, where the order is shown."""
    page.locator("main").get_by_role("button", name="Sign in").click()
    fill_in(page, email)


def fill_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the dialog that asks for an account, and send it."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill(email)
    dialog.get_by_label("Password").fill(password)
    dialog.get_by_role("button", name="Sign in").click()


def standing(page: Page, text: str) -> None:
    """Wait until the page says where the order stands."""
    expect(page.locator("#standing")).to_contain_text(text)


def change_kept(page: Page, pattern: str, text: str) -> None:
    """Change what the browser remembers of the order."""
    page.evaluate(
        "([pattern, text]) => { localStorage['cafe.order'] ="
        " localStorage['cafe.order'].replace(new RegExp(pattern), text); }",
        [pattern, text],
    )
