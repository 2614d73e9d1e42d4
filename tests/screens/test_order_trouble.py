"""The order page when answers, the shop or time get lost: an order is placed once, and found."""

from __future__ import annotations

import re
import signal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Route, expect

from tests.screens.browser import Visitor, barriers, visiting
from tests.screens.ordering_page import (
    become_customer,
    change_kept,
    choose,
    fill_in,
    order_as_guest,
    ordering,
    sign_in,
    standing,
)
from tests.screens.people import Staff
from tests.system.shop import FREE_PORTS, open_shop

KILLED = -signal.SIGKILL
RENEWED_LATE = """
const ask = fetch;
window.fetch = async (url, options) => {
  if (url.endsWith("/auth/refresh")) await new Promise((resolve) => setTimeout(resolve, 1000));
  return ask(url, options);
};
"""


def lose_answer(route: Route) -> None:
    """Let a request reach the shop, and its answer get lost."""
    route.fetch()
    route.abort()


def test_a_lost_answer_orders_once_also_after_a_reload(visitor: Visitor, staff: Staff) -> None:
    page = ordering(visitor, staff)
    page.route("**/order/", lose_answer)
    order_as_guest(page, "Ada")
    standing(page, "cannot be reached")
    assert barriers(page) == []
    page.reload()
    standing(page, "cannot be reached")
    page.unroute_all()
    standing(page, "First in line")
    assert [one["name"] for one in staff.orders()] == ["Ada"]


def test_sending_can_be_stopped_and_the_same_wish_is_the_same_order(
    visitor: Visitor, staff: Staff
) -> None:
    page = ordering(visitor, staff)
    page.route("**/order/", lose_answer)
    order_as_guest(page, "Ada")
    page.get_by_role("button", name="Stop sending").click()
    expect(page.get_by_label("Your name")).to_have_value("Ada")
    page.unroute_all()
    page.get_by_role("button", name="Order, and pay at the counter").click()
    standing(page, "First in line")
    assert len(staff.orders()) == 1


def test_a_tab_of_another_account_does_not_send_what_is_ordered_in_this_one(
    visitor: Visitor, staff: Staff
) -> None:
    other_tab = ordering(visitor, staff)
    become_customer(other_tab, staff)
    page = ordering(visitor, staff)
    email = become_customer(page, staff)
    page.route("**/orders", lose_answer)
    choose(page, "Latte")
    page.get_by_role("button", name="Order for 4.00").click()
    standing(page, "cannot be reached")
    standing(other_tab, f"Sign in as {email}")
    assert barriers(other_tab) == []
    page.unroute_all()
    standing(page, "First in line")
    expect(other_tab.locator("#number")).not_to_have_text("…")
    assert len(staff.orders()) == 1


def test_what_one_tab_stops_sending_another_stops_too(visitor: Visitor, staff: Staff) -> None:
    other_tab, page = ordering(visitor, staff), ordering(visitor, staff)
    visitor.context.route("**/order/", lambda route: route.abort())
    order_as_guest(page, "Ada")
    standing(other_tab, "cannot be reached")
    page.get_by_role("button", name="Stop sending").click()
    expect(other_tab.locator("#shop")).to_be_visible()
    visitor.context.unroute_all()
    other_tab.get_by_label("Your name").fill("Bob")
    other_tab.get_by_role("button", name="Order, and pay at the counter").click()
    standing(other_tab, "First in line")
    assert [one["name"] for one in staff.orders()] == ["Bob"]


def test_what_was_begun_long_ago_is_not_sent_by_opening_the_page(
    visitor: Visitor, staff: Staff
) -> None:
    page = ordering(visitor, staff)
    page.route("**/order/", lambda route: route.abort())
    order_as_guest(page)
    standing(page, "cannot be reached")
    change_kept(page, r'"begun":\d+', '"begun":0')
    page.unroute_all()
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("does not order it twice")
    assert barriers(page) == []
    assert staff.orders() == []
    page.get_by_role("button", name="Order, and pay at the counter").click()
    standing(page, "First in line")


def test_a_closed_laptop_and_a_killed_shop_lose_no_order(browser: Browser) -> None:
    with visiting(browser) as visitor, open_shop(exit_code=KILLED) as first:
        page = ordering(visitor, Staff(first))
        order_as_guest(page, "Ada")
        standing(page, "First in line")
        url = first.database_url
        first.process.kill()
        first.process.wait()
        expect(page.locator("#connection")).to_contain_text("Disconnected since")
        assert barriers(page) == []
        options = ("--client-bind", urlsplit(first.client).netloc, *FREE_PORTS[2:])
        with open_shop(options, database_url=url) as second:
            expect(page.locator("#connection")).to_have_text("")
            standing(page, "First in line")
            page.close()
            again = visitor.open(second.client)
            standing(again, "First in line")
            Staff(second).brew()
            standing(again, "Ready!")


def test_a_payment_that_takes_long_is_asked_for_again_with_its_key(
    visitor: Visitor, staff: Staff
) -> None:
    page = ordering(visitor, staff)
    become_customer(page, staff)
    choose(page, "Latte")
    keys: list[str | None] = []
    pending = {"reason": "payment_pending", "detail": "The payment takes longer than usual."}

    def answer_late(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        route.fulfill(status=503, json=pending) if len(keys) == 1 else route.continue_()

    page.route("**/orders", answer_late)
    page.get_by_role("button", name="Order for 4.00").click()
    standing(page, "The payment takes longer than usual.")
    standing(page, "First in line")
    assert keys[0] is not None
    assert keys == [keys[0]] * len(keys)


def test_an_order_that_the_shop_has_forgotten_ends(visitor: Visitor, staff: Staff) -> None:
    page = ordering(visitor, staff)
    order_as_guest(page)
    standing(page, "First in line")
    change_kept(page, '"order_id":"[^"]*"', '"order_id":"unknown"')
    page.reload()
    standing(page, "no longer knows this order")
    page.get_by_role("button", name="Order again").click()
    expect(page.get_by_role("heading", name="Menu")).to_be_visible()


def test_yesterdays_order_is_not_shown_again(visitor: Visitor, staff: Staff) -> None:
    page = ordering(visitor, staff)
    order_as_guest(page)
    standing(page, "First in line")
    staff.brew()
    standing(page, "Ready!")
    page.reload()
    standing(page, "Ready!")
    change_kept(page, '"ready_at":"[^"]*"', '"ready_at":"2026-01-01T00:00:00Z"')
    page.reload()
    expect(page.get_by_role("heading", name="Menu")).to_be_visible()


def test_a_pause_that_the_page_learns_from_a_refusal_is_shown_alike(
    visitor: Visitor, staff: Staff
) -> None:
    page = visitor.context.new_page()
    page.route(re.compile(r"/events$"), lambda route: route.abort())
    page.goto(staff.shop.client)
    choose(page, "Americano")
    staff.ask("PUT", "/admin/pause", json={"minutes": 15, "text": "Back soon."})
    try:
        page.get_by_role("button", name="Order, and pay at the counter").click()
        expect(page.locator("#notice")).to_contain_text("Back soon.")
        expect(page.locator("#trouble")).to_have_text("The shop takes no new orders for now.")
        expect(page.locator("#lines")).to_contain_text("Americano")
    finally:
        staff.ask("DELETE", "/admin/pause")


def test_a_sign_in_that_has_ended_is_asked_for_where_the_order_is_shown(
    visitor: Visitor, staff: Staff
) -> None:
    page = ordering(visitor, staff)
    email = become_customer(page, staff)
    choose(page, "Latte")
    page.evaluate("sessionStorage['cafe.session'] = JSON.stringify({access: 'x', refresh: 'x'})")
    page.reload()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign in and pay now").click()
    fill_in(page, email)
    page.get_by_role("button", name="Order for 4.00").click()
    standing(page, "First in line")
    page.evaluate("sessionStorage['cafe.session'] = JSON.stringify({access: 'x', refresh: 'x'})")
    page.reload()
    standing(page, f"Sign in as {email}")
    sign_in(page, email)
    standing(page, "First in line")


def test_what_is_asked_while_a_sign_in_is_renewed_waits_for_it(
    visitor: Visitor, staff: Staff
) -> None:
    page = ordering(visitor, staff)
    become_customer(page, staff)
    choose(page, "Latte")
    page.get_by_role("button", name="Order for 4.00").click()
    standing(page, "First in line")
    page.evaluate(
        "const session = JSON.parse(sessionStorage['cafe.session']);"
        "sessionStorage['cafe.session'] = JSON.stringify({...session, access: 'expired'});"
    )
    page.add_init_script(RENEWED_LATE)
    page.route("**/events?*", lambda route: route.abort(), times=1)  # asked again meanwhile
    page.reload()
    standing(page, "First in line")
    staff.brew()
    standing(page, "Ready!")


def test_a_customer_whose_sign_in_is_renewed_is_signed_in_meanwhile(
    visitor: Visitor, staff: Staff
) -> None:
    page = ordering(visitor, staff)
    email = become_customer(page, staff)
    seen = page.evaluate("""async () => {
        const { credentials } = await import("/screens/api.js");
        const { account, isSignedIn } = await import("/screens/session.js");
        const renewed = credentials.renew();
        return [isSignedIn(), (await account())?.email, await renewed];
    }""")
    assert seen == [True, email, True]
