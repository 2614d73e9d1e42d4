"""The courier's page, in a real browser over a real shop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import count

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from cafe.http.authentication import Role
from tests.screens.browser import WIDTHS, Visitor, at_each_width, barriers, overflows, visiting
from tests.screens.people import Staff
from tests.system.credentials import PASSWORD
from tests.system.shop import Shop, open_shop

HOSTILE = "<img src=x onerror=alert(1)>"
TOUCH = 48

_numbers = count(1)


@pytest.fixture(scope="module")
def street() -> Generator[Shop]:
    with open_shop(limit_requests=10**6, ban_after=10**6) as shop:
        yield shop


@dataclass(frozen=True, slots=True)
class Round:
    """A courier with a district of their own, and who sends deliveries there."""

    staff: Staff
    email: str
    district: str
    courier_id: str

    def publish(self, address: str | None = "Main Street 1", name: str = "Box") -> str:
        """Publish a delivery, which waits if the courier is not free; return its id."""
        wish = {"name": name, "district": self.district, "address": address, "queue": True}
        return str(self.staff.ask("POST", "/deliveries", json=wish)["order_id"])

    def delivery(self, order_id: str) -> tuple[str, str | None]:
        """Return where a delivery stands, and why it failed."""
        found = self.staff.ask("GET", f"/deliveries/{order_id}")
        return found["status"], found["reason"]


@pytest.fixture
def tour(street: Shop) -> Round:
    """Return a courier who is off duty."""
    staff = Staff(street)
    number = next(_numbers)
    email, district = f"courier{number}@example.com", f"North {number}"
    account = staff.add_user(Role.COURIER, email)
    staff.ask("POST", "/districts", json={"name": district})
    wish = {"name": HOSTILE, "districts": [district], "account": account, "on_duty": False}
    courier_id = staff.ask("POST", "/couriers", json=wish)["courier_id"]
    return Round(staff, email, district, courier_id)


def sign_in(page: Page, email: str) -> None:
    """Sign in."""
    page.get_by_role("button", name="Sign in").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill(email)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()


def working(visitor: Visitor, tour: Round) -> Page:
    """Open the page of a courier who has signed in and goes on duty."""
    page = visitor.open(f"{tour.staff.shop.client}/courier")
    sign_in(page, tour.email)
    page.get_by_role("button", name="Go on duty").click()
    expect(page.locator("#duty")).to_contain_text("On duty")
    return page


def test_a_courier_brings_one_order_after_the_other(visitor: Visitor, tour: Round) -> None:
    page = visitor.open(f"{tour.staff.shop.client}/courier")
    expect(page.get_by_text("Sign in to see what you have in hand.")).to_be_visible()
    assert barriers(page) == []
    sign_in(page, tour.email)
    expect(page.get_by_text("Off duty, and nothing in hand.")).to_be_visible()
    expect(page.locator("#who")).to_have_text(HOSTILE)
    assert barriers(page) == []
    page.get_by_role("button", name="Go on duty").click()
    expect(page.get_by_text("Nothing in hand. The next order")).to_be_visible()
    first = tour.publish(address=HOSTILE, name=HOSTILE)
    second = tour.publish(address=None)
    hand = page.locator("#hand")
    expect(hand.locator(".address")).to_have_text(HOSTILE)
    expect(hand).to_contain_text("To be picked up by")
    assert barriers(page) == []
    page.get_by_role("button", name="Picked up").click()
    expect(hand).to_contain_text("Picked up at")
    assert tour.delivery(first)[0] == "picked_up"
    assert barriers(page) == []
    page.get_by_role("button", name="Delivered", exact=True).click()
    expect(hand).to_contain_text("No address given")
    expect(page.locator("#duty")).to_contain_text("1 delivered")
    assert (tour.delivery(first)[0], tour.delivery(second)[0]) == ("delivered", "assigned")
    tour.staff.ask("POST", f"/deliveries/{second}/cancel", json={})
    expect(page.get_by_text("Nothing in hand. The next order")).to_be_visible()
    page.get_by_role("button", name="Go off duty").click()
    expect(page.locator("#duty")).to_contain_text("Off duty")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_delivery_fails_with_a_usual_reason_or_with_words(visitor: Visitor, tour: Round) -> None:
    first, second = tour.publish(), tour.publish()
    page = working(visitor, tour)
    fail = page.locator("#fail")
    dialog = page.get_by_role("dialog")
    send = dialog.get_by_role("button", name="Not delivered")
    fail.click()
    assert barriers(page) == []
    dialog.get_by_label("Address not found").check()
    send.click()
    expect(dialog).to_be_hidden()
    assert tour.delivery(first) == ("failed", "Address not found")
    fail.click()
    dialog.get_by_label("Another reason").check()
    send.click()
    expect(dialog.get_by_role("alert")).to_have_text("Please say why.")
    assert barriers(page) == []
    dialog.get_by_label("In your words").fill("The dog.")
    page.route("**/fail", lambda route: route.abort())
    send.click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute_all()
    expect(dialog.get_by_label("In your words")).to_have_value("The dog.")
    send.click()
    expect(page.get_by_text("Nothing in hand. The next order")).to_be_visible()
    expect(page.locator("#work-title")).to_be_focused()
    assert tour.delivery(second) == ("failed", "The dog.")


def test_a_step_whose_answer_was_lost_is_seen_as_soon_as_the_shop_is(
    visitor: Visitor, tour: Round
) -> None:
    order_id = tour.publish()
    page = working(visitor, tour)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/pickup", lose)
    page.get_by_role("button", name="Picked up").click()
    expect(page.locator("#hand")).to_contain_text("Picked up at")
    assert tour.delivery(order_id)[0] == "picked_up"


def test_a_token_that_cannot_be_renewed_for_now_signs_no_one_out(
    visitor: Visitor, tour: Round
) -> None:
    page = working(visitor, tour)
    page.evaluate(
        "sessionStorage['cafe.session'] ="
        " JSON.stringify({...JSON.parse(sessionStorage['cafe.session']), access: 'x'})"
    )
    page.route("**/auth/refresh", lambda route: route.abort())
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("cannot be reached")
    page.unroute_all()
    expect(page.locator("#duty")).to_contain_text("On duty")
    tour.publish()
    expect(page.locator("#hand")).to_contain_text("Main Street 1")


def cancelling(tour: Round, order_id: str) -> Callable[[Route], None]:
    """Return a handler that cancels the delivery before the request goes on."""

    def too_late(route: Route) -> None:
        tour.staff.ask("POST", f"/deliveries/{order_id}/cancel", json={})
        route.continue_()

    return too_late


def test_what_the_shop_refuses_is_said_and_the_hand_is_shown_anew(
    visitor: Visitor, tour: Round
) -> None:
    order_id = tour.publish()
    page = visitor.context.new_page()
    page.goto(f"{tour.staff.shop.client}/courier")
    sign_in(page, tour.email)
    page.get_by_role("button", name="Go on duty").click()
    pickup = page.get_by_role("button", name="Picked up")
    expect(pickup).to_be_visible()
    page.route("**/pickup", cancelling(tour, order_id))
    pickup.click()
    expect(page.get_by_text("Nothing in hand. The next order")).to_be_visible()
    expect(page.locator("#trouble")).not_to_be_empty()
    assert barriers(page) == []


def test_a_refusal_is_said_until_the_next_step_whatever_comes_into_the_hand_meanwhile(
    visitor: Visitor, tour: Round
) -> None:
    page = working(visitor, tour)
    order_id = tour.publish()
    page.route("**/pickup", cancelling(tour, order_id), times=1)
    page.get_by_role("button", name="Picked up").click()
    trouble = page.locator("#trouble")
    expect(trouble).not_to_be_empty()
    refusal = trouble.inner_text()
    tour.publish(address="Main Street 2")
    expect(page.locator("#hand")).to_contain_text("Main Street 2")
    expect(trouble).to_have_text(refusal)
    page.get_by_role("button", name="Picked up").click()
    expect(page.locator("#hand")).to_contain_text("Picked up at")
    expect(trouble).to_be_empty()


def test_the_page_is_used_by_keyboard_alone(visitor: Visitor, tour: Round) -> None:
    order_id = tour.publish()
    page = working(visitor, tour)
    expect(page.locator("#pickup")).to_be_visible()
    page.locator("#work-title").focus()
    for button in ("Picked up", "Delivered"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=button, exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#work-title")).to_be_focused()
    expect(page.get_by_text("Nothing in hand. The next order")).to_be_visible()
    assert tour.delivery(order_id)[0] == "delivered"


def test_only_couriers_work_here(visitor: Visitor, tour: Round) -> None:
    email = f"customer{next(_numbers)}@example.com"
    tour.staff.add_user(Role.CUSTOMER, email)
    page = visitor.open(f"{tour.staff.shop.client}/courier")
    sign_in(page, email)
    expect(page.get_by_text("This account is not a courier's.")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, tour.email)
    expect(page.get_by_text("Off duty, and nothing in hand.")).to_be_visible()
    spare = f"spare{next(_numbers)}@example.com"
    tour.staff.add_user(Role.COURIER, spare)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, spare)
    expect(page.get_by_text("No courier has this account")).to_be_visible()


def test_all_states_fit_their_window_in_german(browser: Browser, tour: Round) -> None:
    with visiting(browser, locale="de-DE") as visitor:
        page = visitor.open(f"{tour.staff.shop.client}/courier")
        page.get_by_role("button", name="Anmelden").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("E-Mail-Adresse").fill(tour.email)
        dialog.get_by_label("Passwort").fill(PASSWORD)
        dialog.get_by_role("button", name="Anmelden").click()
        page.get_by_role("button", name="Dienst beginnen").click()
        tour.publish(address="Donaudampfschifffahrtsgesellschaftsstraße 12, Hinterhaus")
        pickup = page.get_by_role("button", name="Abgeholt")
        expect(pickup).to_be_visible()
        for width in at_each_width(page):
            assert (barriers(page), overflows(page)) == ([], False), width
            for button in page.locator(".thumb button:visible").all():
                box = button.bounding_box()
                assert box is not None
                assert min(box["width"], box["height"]) >= TOUCH
            box = pickup.bounding_box()
            assert box is not None
            assert box["y"] > WIDTHS[width] / 2, "the thumb does not reach it"
        pickup.click()
        page.get_by_role("button", name="Nicht zugestellt").click()
        for width in at_each_width(page):
            assert (barriers(page), overflows(page)) == ([], False), width
