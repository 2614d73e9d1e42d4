"""The order page, in a real browser over a real shop: guests, accounts, payments."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from cafe.http.authentication import Role
from tests.screens.browser import Visitor, at_each_width, barriers, overflows, visiting
from tests.screens.ordering_page import (
    HOSTILE,
    become_customer,
    choose,
    fill_in,
    order_as_guest,
    ordering,
    register,
    sign_in,
    standing,
)
from tests.screens.people import Staff
from tests.system.paying import Providers


def test_a_guest_orders_and_sees_the_place_in_line_until_it_is_ready(
    visitor: Visitor, staff: Staff
) -> None:
    for _ in range(2):
        staff.order()
    page = ordering(visitor, staff)
    order_as_guest(page, HOSTILE)
    standing(page, "Third in line")
    (_, _, mine) = staff.orders()
    assert (mine["name"], mine["drink"]) == (HOSTILE, "americano")
    expect(page.locator("#number")).to_have_text(str(mine["number"]))
    expect(page.get_by_text("Pay at the counter: 3.00")).to_be_visible()
    assert barriers(page) == []
    staff.brew()
    standing(page, "Second in line, about 1 minute.")
    staff.brew()
    standing(page, "First in line")
    claim = staff.start()
    standing(page, "Being prepared")
    expect(page.get_by_role("button", name="Cancel the order")).to_be_hidden()
    staff.brew(claim["order_id"])
    standing(page, "Ready!")
    expect(page).to_have_title(f"{mine['number']}: Ready!")
    assert barriers(page) == []
    staff.ask("PATCH", f"/orders/{mine['order_id']}/status", json={"status": "delivered"})
    standing(page, "Collected.")
    page.get_by_role("button", name="Order again").click()
    expect(page.get_by_role("heading", name="Menu")).to_be_focused()
    expect(page.get_by_text("Nothing yet.")).to_be_visible()


def test_an_order_that_waits_can_be_cancelled(visitor: Visitor, staff: Staff) -> None:
    page = ordering(visitor, staff)
    order_as_guest(page)
    page.get_by_role("button", name="Cancel the order").click()
    assert barriers(page) == []
    page.get_by_role("button", name="Keep it").click()
    standing(page, "First in line")
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()
    standing(page, "Cancelled.")
    assert staff.orders() == []


def test_the_page_is_used_by_keyboard_alone(visitor: Visitor, staff: Staff) -> None:
    page = ordering(visitor, staff)
    page.get_by_role("button", name="Add Americano").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Your name").focus()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your order")).to_be_focused()
    standing(page, "First in line")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cancel the order")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    standing(page, "First in line")


def test_a_customer_registers_and_pays_for_several(
    visitor: Visitor, staff: Staff, providers: Providers
) -> None:
    page = ordering(visitor, staff)
    choose(page, "Latte", "Vanilla (+0.30)")
    choose(page, "Latte", "Vanilla (+0.30)")
    choose(page, "Donuts")
    expect(page.get_by_text("Without an account you can order one plain product")).to_be_visible()
    assert barriers(page) == []
    email = register(page)
    assert barriers(page) == []
    before = len(providers.done("charges"))
    page.get_by_role("button", name="Order for 10.60").click()
    standing(page, "First in line")
    expect(page.get_by_text("2 \N{MULTIPLICATION SIGN} Latte (Vanilla)")).to_be_visible()
    expect(page.get_by_text("Paid: 10.60")).to_be_visible()
    assert len(providers.done("charges")) == before + 1
    page.reload()
    standing(page, "First in line")
    other_tab = visitor.open(staff.shop.client)  # where nobody has signed in
    standing(other_tab, f"Sign in as {email}")
    assert barriers(other_tab) == []
    sign_in(other_tab, email)
    standing(other_tab, "First in line")
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()
    for one in (page, other_tab):
        standing(one, "Cancelled.")
        expect(one.get_by_text("10.60 will be refunded.")).to_be_visible()


def test_two_tabs_show_the_one_basket_that_would_be_ordered(visitor: Visitor, staff: Staff) -> None:
    page, other_tab = ordering(visitor, staff), ordering(visitor, staff)
    choose(page, "Americano")
    expect(other_tab.get_by_text("Total 3.00")).to_be_visible()
    choose(other_tab, "Latte")
    expect(page.get_by_text("Total 7.00")).to_be_visible()


def test_what_the_provider_refuses_is_shown_and_the_basket_stays(
    visitor: Visitor, staff: Staff, providers: Providers
) -> None:
    page = ordering(visitor, staff)
    become_customer(page, staff)
    choose(page, "Latte")
    providers.behave(charges="refuse")
    page.get_by_role("button", name="Order for 4.00").click()
    expect(page.get_by_role("alert").filter(has_text="payment was refused")).to_be_visible()
    assert barriers(page) == []
    providers.behave(charges="accept")
    page.get_by_role("button", name="Order for 4.00").click()
    standing(page, "First in line")
    expect(page.locator("#trouble")).to_have_text("")


def test_another_total_is_shown_and_asked_for(visitor: Visitor, staff: Staff) -> None:
    page = ordering(visitor, staff)
    become_customer(page, staff)
    choose(page, "Latte")
    staff.ask("PATCH", "/admin/products/latte", json={"base_price_cents": 450})
    try:
        page.get_by_role("button", name="Order for 4.00").click()
        expect(page.get_by_text("It now costs 4.50, not 4.00.")).to_be_visible()
        assert barriers(page) == []
        page.get_by_role("button", name="Back to the basket").click()
        assert staff.orders() == []
        page.get_by_role("button", name="Order for 4.50").click()
        standing(page, "First in line")
        expect(page.get_by_text("Paid: 4.50")).to_be_visible()
    finally:
        staff.ask("PATCH", "/admin/products/latte", json={"base_price_cents": 400})


def test_what_is_sold_out_is_shown_and_not_ordered(visitor: Visitor, staff: Staff) -> None:
    name = f"{HOSTILE} tart"
    wish = {"name": name, "category": HOSTILE, "base_price_cents": 500, "sold_out": True}
    added = staff.ask("POST", "/admin/products", json=wish)
    try:
        page = ordering(visitor, staff)
        item = page.get_by_role("listitem").filter(has_text=name)
        expect(item.get_by_text("Sold out")).to_be_visible()
        expect(item.get_by_role("button")).to_have_count(0)
        expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
        assert barriers(page) == []
        choose(page, "Americano")
        staff.ask("PATCH", "/admin/products/americano", json={"sold_out": True})
        page.get_by_role("button", name="Order, and pay at the counter").click()
        expect(page.locator("#trouble")).to_contain_text("There is no such drink now.")
        expect(page.locator("#lines")).to_contain_text("not available now")
        assert barriers(page) == []
    finally:
        staff.ask("PATCH", "/admin/products/americano", json={"sold_out": False})
        staff.ask("DELETE", f"/admin/products/{added['id']}")


def test_a_pause_is_shown_with_its_text_and_time_and_goes_away(
    visitor: Visitor, staff: Staff
) -> None:
    page = ordering(visitor, staff)
    choose(page, "Americano")
    button = page.get_by_role("button", name="Order, and pay at the counter")
    staff.ask("PUT", "/admin/pause", json={"minutes": 15, "text": HOSTILE})
    try:
        notice = page.locator("#notice")
        expect(notice).to_have_text(
            re.compile(rf"No orders until \d\d:\d\d\. {re.escape(HOSTILE)}")
        )
        expect(button).to_be_disabled()
        assert barriers(page) == []
    finally:
        staff.ask("DELETE", "/admin/pause")
    expect(notice).to_be_hidden()
    expect(button).to_be_enabled()


def test_all_states_fit_their_window_in_german(browser: Browser, staff: Staff) -> None:
    with visiting(browser, locale="de-AT") as visitor:
        page = visitor.open(staff.shop.client)
        page.get_by_role("button", name="Americano: dazu").click()
        fits_each_width(page)
        page.get_by_role("button", name="Bestellen und an der Theke zahlen").click()
        standing(page, "Als Nächstes an der Reihe")
        fits_each_width(page)
        staff.brew()
        standing(page, "Fertig!")
        fits_each_width(page)


def fits_each_width(page: Page) -> None:
    for width in at_each_width(page):
        assert (barriers(page), overflows(page)) == ([], False), width


def test_a_barista_who_signs_in_is_told_that_only_customers_order(
    visitor: Visitor, staff: Staff
) -> None:
    staff.add_user(Role.BARISTA, "bo@example.com", "Bo")
    page = ordering(visitor, staff)
    choose(page, "Latte")
    page.get_by_role("button", name="Sign in and pay now").click()
    dialog = page.get_by_role("dialog")
    fill_in(page, "bo@example.com", "wrong")
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    assert barriers(page) == []
    fill_in(page, "bo@example.com")
    page.get_by_role("button", name="Order for 4.00").click()
    expect(page.locator("#trouble")).not_to_be_empty()
    expect(page.locator("#lines")).to_contain_text("Latte")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in and pay now")).to_be_visible()
