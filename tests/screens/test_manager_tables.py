"""Tables and bookings on the manager's page: a day as lanes, decisions, and what is in the way."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.screens.browser import Visitor, barriers
from tests.screens.manager_house import (
    HOSTILE,
    House,
    dialog,
    evening,
    go,
    open_desk,
    open_managed,
    row,
    whole,
)

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def house() -> Generator[House]:
    with open_managed() as opened:
        yield opened


@pytest.fixture
def page(house: House, visitor: Visitor) -> Page:
    page = open_desk(house, visitor)
    go(page, "tables")
    return page


def show_day(page: Page, days: int) -> None:
    page.get_by_label("Day", exact=True).fill(evening(days).date().isoformat())


def test_a_request_appears_and_is_accepted_and_the_one_it_overlaps_is_declined(
    house: House, page: Page
) -> None:
    show_day(page, 1)
    table = house.add_table()
    one, other = house.ask_for(table, "Zoe"), house.ask_for(table, HOSTILE, hours=1)
    bar = page.locator(".lanes .bar", has_text="Zoe")
    expect(bar).to_have_accessible_name("Table 1, 19:00 to 21:00: Zoe, 2 people, requested")
    bar.click()
    expect(dialog(page).locator(".notice")).to_contain_text(HOSTILE)
    assert barriers(page) == []
    dialog(page).get_by_label("Reason").fill("Welcome")
    dialog(page).get_by_role("button", name="Accept").click()
    expect(page.locator("#news")).to_have_text(
        "Booking: accepted. 1 request that overlaps was declined."
    )
    expect(bar).to_have_class("bar accepted")
    expect(row(page, "Zoe")).to_contain_text("accepted")
    expect(row(page, HOSTILE)).to_contain_text("declined")
    assert house.booking(one)["status"] == "accepted"
    assert house.booking(other)["status"] == "declined"


def test_a_decision_that_another_manager_has_made_is_refused_and_shown(
    house: House, page: Page
) -> None:
    asked = house.ask_for(house.add_table(), "Ida", days=2)
    row(page, "Ida").get_by_role("button", name="Details").click()
    accept = dialog(page).get_by_role("button", name="Accept")
    expect(accept).to_be_visible()
    # The other one decides while this manager's press is on its way.
    path = f"/admin/bookings/{asked['booking_id']}"

    def decide_first(route: object) -> None:
        whole(house.operator.post(f"{path}/decline", json={"reason": "We are closed"}))
        route.continue_()  # type: ignore[attr-defined] # it is Playwright's

    page.route(f"**{path}/accept", decide_first)
    accept.click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("cannot be accepted")
    expect(dialog(page).locator(".facts")).to_contain_text("We are closed")
    assert barriers(page) == []


def test_a_booking_by_telephone_that_conflicts_shows_the_other_and_keeps_what_was_typed(
    house: House, page: Page
) -> None:
    table = house.add_table()
    asked = house.ask_for(table, "Max", days=4)
    whole(house.operator.post(f"/admin/bookings/{asked['booking_id']}/accept"))
    show_day(page, 4)
    expect(page.locator(".lanes .bar", has_text="Max")).to_be_visible()
    page.get_by_role("button", name="Add a booking").click()
    form = dialog(page)
    form.get_by_label("Table").select_option(table)
    form.get_by_label("Name").fill("Uma")
    form.get_by_label("Telephone").fill("+49 30 123456")
    form.get_by_role("button", name="Add a booking").click()
    expect(form.get_by_role("alert")).to_have_text("This table is taken at this time.")
    expect(form.locator(".notice")).to_contain_text("Max")
    assert barriers(page) == []
    expect(form.get_by_label("Name")).to_have_value("Uma")
    day = evening(4).date().isoformat()
    form.get_by_label("From").fill(f"{day}T21:00")
    form.get_by_label("To", exact=True).fill(f"{day}T22:30")
    form.get_by_role("button", name="Add a booking").click()
    expect(row(page, "Uma")).to_contain_text("accepted")


def test_a_request_is_declined_with_a_reason_by_keyboard(house: House, page: Page) -> None:
    asked = house.ask_for(house.add_table(), "Kai", days=5)
    row(page, "Kai").get_by_role("button", name="Details").focus()
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_role("button", name="Decline")).to_be_visible()
    dialog(page).get_by_label("Reason").focus()
    page.keyboard.type("A party")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(row(page, "Kai")).to_have_count(0)
    assert house.booking(asked)["reason"] == "A party"


def test_a_table_is_added_changed_and_closed(house: House, page: Page) -> None:
    page.get_by_role("button", name="Add a table").click()
    dialog(page).get_by_label("Number").fill("70")
    dialog(page).get_by_label("Seats").fill("8")
    dialog(page).get_by_role("button", name="Save").click()
    table = row(page, "70")
    table.get_by_role("button", name="Edit").click()
    dialog(page).get_by_label("Price").fill("12.50")
    dialog(page).get_by_role("button", name="Save").click()
    expect(table).to_contain_text("12.50")
    table.get_by_role("button", name="Close table").click()
    expect(table).to_contain_text("closed")
    expect(table.get_by_role("button", name="Open")).to_be_focused()
    (closed,) = (
        one for one in house.operator.get("/admin/tables").json()["tables"] if one["number"] == 70
    )
    assert (closed["seats"], closed["price_cents"], closed["status"]) == (8, 1250, "closed")
