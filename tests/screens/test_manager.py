"""The manager's page in a real browser: who gets in, each section, and what it does to the shop."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.screens.browser import Visitor, at_each_width, barriers, overflows, visiting
from tests.screens.manager_house import (
    HOSTILE,
    SECTIONS,
    House,
    dialog,
    go,
    open_desk,
    open_managed,
    row,
    settled,
    sign_in,
    whole,
)

pytestmark = pytest.mark.once

BANNED = "127.0.0.7"


@pytest.fixture(scope="module")
def house() -> Generator[House]:
    with open_managed() as opened:
        yield opened


@pytest.fixture
def page(house: House, visitor: Visitor) -> Page:
    return open_desk(house, visitor)


def test_a_barista_is_told_that_it_takes_a_manager_and_another_account_gets_in(
    house: House, visitor: Visitor
) -> None:
    page = visitor.open(f"{house.shop.worker}/manager")
    assert barriers(page) == []
    sign_in(page, "manager", "a wrong password")
    expect(page.locator("#sign-in [role=alert]")).not_to_be_empty()
    expect(page.locator("#sign-in [name=username]")).to_have_value("manager@example.com")
    sign_in(page, "barista")
    expect(page.locator("#door-text")).to_contain_text("barista@example.com signed in as barista")
    expect(page.locator("#desk")).to_be_hidden()
    assert barriers(page) == []
    page.locator("#door-open").click()
    sign_in(page, "manager")
    expect(page.locator("#who")).to_have_text("manager@example.com")
    page.locator("#sign-out").click()
    expect(page.locator("#door-open")).to_be_focused()
    expect(page.locator("#desk")).to_be_hidden()
    assert page.evaluate("sessionStorage.length") == 0


def test_each_section_has_no_barriers_fits_its_window_and_shows_names_as_text(
    house: House, page: Page
) -> None:
    fill_with_hostile_names(house, HOSTILE)
    for section in (*SECTIONS[1:], SECTIONS[0]):
        go(page, section)
        for width in at_each_width(page):
            page.emulate_media(color_scheme="dark" if width == 768 else "light")
            if section not in {"orders", "messages", "bans"}:
                expect(page.get_by_text(HOSTILE).first).to_be_visible()
            assert barriers(page) == [], (section, width)
            assert not overflows(page), (section, width)
        expect(page.locator("#trouble")).to_be_empty()
    assert page.locator("img").count() == 0


def fill_with_hostile_names(house: House, name: str) -> None:
    district = whole(house.operator.post("/districts", json={"name": name}))["district_id"]
    whole(house.operator.post("/couriers", json={"name": name, "districts": [district]}))
    box = {"name": name, "district": district, "address": name}
    whole(house.operator.post("/deliveries", json=box))
    whole(house.operator.post("/admin/products", json={"name": name, "base_price_cents": 100}))
    account = {"email": "hostile@example.org", "password": "correct horse"}
    named = {**account, "role": "customer", "username": name}
    whole(house.operator.post("/admin/users", json=named))
    house.ask_for(house.add_table(), name)
    wish = {"drink": "americano", "name": name}
    whole(house.guest.post("/order/", json=wish, headers={"Prefer": "respond-async"}))


def test_sold_out_in_one_touch_is_seen_by_customers(house: House, page: Page) -> None:
    go(page, "menu")
    button = row(page, "Espresso").get_by_role("button", name="Sold out")
    for pressed, before in (("true", "false"), ("false", "true")):
        expect(button).to_have_attribute("aria-pressed", before)
        button.click()
        expect(button).to_have_attribute("aria-pressed", pressed)
        products = house.guest.get("/menu").json()["products"]
        (espresso,) = (one for one in products if one["id"] == "espresso")
        assert espresso["sold_out"] is (pressed == "true")


def test_the_menu_is_edited_by_keyboard_and_a_refusal_loses_nothing_of_it(
    house: House, page: Page
) -> None:
    page.locator("#sections a[href='#menu']").focus()
    page.keyboard.press("Enter")
    settled(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Add a product")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog(page).locator("[name=name]")).to_be_focused()
    page.keyboard.type("latte")
    dialog(page).locator("[name=price]").focus()
    page.keyboard.type("3.20")
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_role("alert")).to_have_text("Another product has this name.")
    assert barriers(page) == []
    dialog(page).locator("[name=name]").fill("Cortado")
    dialog(page).get_by_role("button", name="Add a variation").click()
    page.keyboard.type("Oat")
    page.keyboard.press("Tab")
    page.keyboard.type("0.4")
    page.keyboard.press("Enter")
    expect(dialog(page)).to_have_count(0)
    expect(page.locator("#news")).to_have_text("Saved: Cortado.")
    (added,) = (
        one for one in house.guest.get("/menu").json()["products"] if one["name"] == "Cortado"
    )
    assert added["base_price_cents"] == 320
    assert [one["price_change_cents"] for one in added["variations"]] == [40]
    sold_out = row(page, "Cortado").get_by_role("button", name="Sold out")
    sold_out.focus()
    page.keyboard.press("Space")
    expect(sold_out).to_have_attribute("aria-pressed", "true")
    expect(sold_out).to_be_focused()
    row(page, "Cortado").get_by_role("button", name="Delete").click()
    dialog(page).get_by_role("button", name="Delete").click()
    expect(row(page, "Cortado")).to_have_count(0)


def test_a_pause_is_told_to_the_board_and_to_those_who_order_until_it_is_lifted(
    house: House, page: Page, browser: Browser
) -> None:
    page.get_by_role("button", name="Pause").click()
    dialog(page).get_by_label("Minutes").fill("15")
    dialog(page).get_by_label("What customers are told").fill(HOSTILE)
    assert barriers(page) == []
    dialog(page).get_by_role("button", name="Pause").click()
    expect(page.locator("#pause-state")).to_contain_text("No orders until")
    assert barriers(page) == []
    with visiting(browser) as guest:
        board = guest.open(f"{house.shop.client}/board")
        expect(board.locator("#notice")).to_contain_text(HOSTILE)
        refused = house.guest.post("/order/", json={"drink": "americano"})
        assert (refused.status_code, refused.json()["reason"]) == (503, "paused")
        go(page, "orders")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#pause-state")).to_have_text("Orders are taken.")
        expect(board.locator("#notice")).to_be_hidden()
    house.order()


def test_a_cancelled_order_leaves_the_queue_and_shows_its_history_and_refund(
    house: House, page: Page
) -> None:
    ordered = house.order()
    expect(row(page, "2 americano")).not_to_have_count(0)
    go(page, "orders")
    page.get_by_label("Order id").fill(ordered["order_id"])
    page.get_by_role("button", name="Show").click()
    expect(dialog(page).locator(".facts")).to_contain_text("Paymentpaid")
    assert barriers(page) == []
    dialog(page).get_by_role("button", name="Cancel order").click()
    dialog(page).get_by_role("button", name="Cancel order").click()
    expect(dialog(page).locator("tbody")).to_contain_text("cancelled")
    expect(dialog(page).locator(".facts")).to_contain_text("Paymentrefunded")
    expect(dialog(page).get_by_role("button", name="Cancel order")).to_be_hidden()
    charge = house.providers.done("charges")[-1]
    refunded = [one["body"]["charge_id"] for one in house.providers.done("refunds")]
    assert refunded.count(charge["id"]) == 1
    dialog(page).get_by_role("button", name="Close").click()
    expect(row(page, str(ordered["number"])).first).to_contain_text("refunded")


def test_orders_are_listed_page_by_page(house: House, page: Page) -> None:
    for _ in range(26):
        house.order()
    go(page, "orders")
    expect(page.locator("#section tbody tr")).to_have_count(25)
    first = numbers(page)
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_role("button", name="Newer")).to_be_enabled()
    second = numbers(page)
    assert all(newer > older for newer, older in pairwise([*first, *second]))
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()
    assert numbers(page) == first


def numbers(page: Page) -> list[int]:
    return [int(text) for text in page.locator("#section tbody th").all_inner_texts()]


def test_a_delivery_is_cancelled_with_a_reason_and_a_courier_goes_off_duty(
    house: House, page: Page
) -> None:
    district = whole(house.operator.post("/districts", json={"name": "Docks"}))["district_id"]
    whole(house.operator.post("/couriers", json={"name": "Kim", "districts": [district]}))
    box = whole(house.operator.post("/deliveries", json={"name": "Box", "district": district}))
    go(page, "delivery")
    row(page, "Docks").first.get_by_role("button", name="Cancel").click()
    dialog(page).get_by_label("Reason").fill("It fell")
    assert barriers(page) == []
    dialog(page).get_by_role("button", name="Cancel delivery").click()
    expect(row(page, "It fell")).to_contain_text("cancelled")
    assert house.operator.get(f"/deliveries/{box['order_id']}").json()["status"] == "cancelled"
    row(page, "Kim").last.get_by_role("button", name="Off duty").click()
    expect(row(page, "Kim").last.get_by_role("button", name="On duty")).to_be_visible()


def test_letters_and_notifications_that_failed_are_tried_again(house: House, page: Page) -> None:
    house.inbox.answers["guest@example.org"] = ["550 5.1.1 No such user"]
    house.providers.behave(notifications="fail")
    house.ask_for(house.add_table(), "Eve", days=3)
    house.order()
    go(page, "messages")
    letter = row(page, "Request received: guest@example.org")
    expect(letter).to_contain_text("set aside")
    letter.get_by_role("button", name="Read").click()
    expect(dialog(page)).to_contain_text("Eve")
    assert barriers(page) == []
    dialog(page).get_by_role("button", name="Close").click()
    letter.get_by_role("button", name="Try again").click()
    expect(letter).to_have_count(0)
    assert house.operator.get("/admin/letters?state=set_aside").json()["letters"] == []
    page.get_by_label("Notifications: Status").select_option("retrying")
    failed = page.locator("#section tbody tr", has_text="Order").first
    expect(failed).to_contain_text("being retried")
    house.providers.behave(notifications="accept")
    failed.get_by_role("button", name="Try again").click()
    expect(page.locator("#news")).to_have_text("It is tried again.")
    expect(page.locator("#trouble")).to_be_empty()


def test_an_account_is_added_and_disabled_and_a_token_is_shown_once(
    house: House, page: Page
) -> None:
    go(page, "accounts")
    page.get_by_role("button", name="Add an account").click()
    dialog(page).locator("[name=email]").fill("new@example.com")
    dialog(page).locator("[name=password]").fill("short")
    dialog(page).get_by_role("button", name="Add an account").click()
    expect(dialog(page).get_by_role("alert")).not_to_be_empty()
    expect(dialog(page).locator("[name=email]")).to_have_value("new@example.com")
    dialog(page).locator("[name=password]").fill("correct horse")
    dialog(page).get_by_role("button", name="Add an account").click()
    row(page, "new@example.com").get_by_role("button", name="Disable").click()
    dialog(page).get_by_role("button", name="Disable").click()
    expect(row(page, "new@example.com")).to_contain_text("disabled")
    page.get_by_role("button", name="Add a token").click()
    dialog(page).locator("[name=name]").fill("till")
    dialog(page).get_by_role("button", name="Add a token").click()
    token = dialog(page).locator("textarea").input_value()
    assert barriers(page) == []
    staff = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{house.shop.worker}/orders", headers=staff).status_code == 200
    dialog(page).get_by_role("button", name="Close").click()
    assert token not in page.content()
    row(page, "till").get_by_role("button", name="Delete").click()
    dialog(page).get_by_role("button", name="Delete").click()
    expect(row(page, "till")).to_have_count(0)
    assert httpx.get(f"{house.shop.worker}/orders", headers=staff).status_code == 401


def test_what_could_not_be_loaded_offline_is_loaded_once_the_shop_is_back(
    page: Page, visitor: Visitor
) -> None:
    visitor.context.set_offline(True)
    page.locator("#sections a[href='#menu']").click()
    expect(page.locator("#trouble")).to_contain_text("The shop cannot be reached.")
    assert barriers(page) == []
    visitor.context.set_offline(False)
    expect(row(page, "Latte")).to_be_visible()
    expect(page.locator("#trouble")).to_be_empty()


def test_a_ban_is_lifted(house: House, page: Page) -> None:
    transport = httpx.HTTPTransport(local_address=BANNED)
    with httpx.Client(base_url=house.shop.client, transport=transport, timeout=1) as attacker:
        while not house.operator.get("/admin/bans").json()["bans"]:
            try:
                attacker.get(f"/order/{'x' * 24}")
            except httpx.TransportError:
                break  # a banned address gets no answer
    go(page, "bans")
    row(page, BANNED).get_by_role("button", name="Lift the ban").click()
    expect(row(page, BANNED)).to_have_count(0)
    assert house.operator.get("/admin/bans").json()["bans"] == []


def test_the_page_speaks_german(house: House, visitor: Visitor) -> None:
    page = open_desk(house, visitor, "menu", "?lang=de")
    expect(page.locator("#section-title")).to_have_text("Karte")
    expect(page.get_by_role("button", name="Ausverkauft").first).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.locator("#section-title")).to_have_text("Menu")
