"""The pages in browsers that remember nothing for them: storage is not allowed, or full."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.screens.barista_tablet import tablet
from tests.screens.browser import Visitor
from tests.screens.ordering_page import become_customer, order_as_guest, ordering, standing
from tests.screens.people import Staff

DENIED = """
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, {
    get() {
      throw new DOMException("Access is denied for this document.", "SecurityError");
    },
  });
}
"""
FULL = """
for (let size = 1 << 22; size >= 1; size /= 2) {
  try {
    for (let n = 0; ; n += 1) localStorage.setItem(`${size} ${n}`, "x".repeat(size));
  } catch {
    // It takes no text of this size any longer.
  }
}
"""


@pytest.mark.parametrize("script", [DENIED, FULL], ids=["denied", "full"])
def test_one_orders_and_signs_in_where_the_browser_remembers_nothing(
    visitor: Visitor, staff: Staff, script: str
) -> None:
    visitor.context.add_init_script(script)
    page = ordering(visitor, staff)
    order_as_guest(page, "Ada")
    standing(page, "First in line")
    staff.brew()
    standing(page, "Ready!")
    page.get_by_role("button", name="Order again").click()
    become_customer(page, staff)


@pytest.mark.parametrize("script", [DENIED, FULL], ids=["denied", "full"])
def test_the_barista_works_where_the_browser_remembers_nothing(
    visitor: Visitor, staff: Staff, script: str
) -> None:
    visitor.context.add_init_script(script)
    tablet(visitor, staff.shop, "Bo")


def test_the_other_pages_open_where_the_browser_remembers_nothing(
    visitor: Visitor, staff: Staff
) -> None:
    visitor.context.add_init_script(DENIED)
    board = visitor.open(f"{staff.shop.client}/board")
    expect(board.locator("#wait")).to_contain_text("waiting")
    board.get_by_role("button", name="Chime").click()
    expect(board.get_by_role("button", name="Chime")).to_have_attribute("aria-pressed", "true")
    for url in (f"{staff.shop.client}/courier", f"{staff.shop.worker}/manager"):
        page = visitor.open(url)
        expect(page.get_by_role("button", name="Sign in").first).to_be_visible()
