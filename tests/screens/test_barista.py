"""The barista's page on the real shop: claims, finishes that can be undone, keys, timers."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.screens.barista_tablet import (
    Counter,
    becomes,
    finish,
    leave,
    message_of,
    mine,
    start,
    tablet,
    waiting,
)
from tests.screens.browser import Visitor, at_each_width, barriers, overflows, visiting
from tests.system.shop import Line

HOSTILE = "<img src=x onerror=alert(1)>"
LATTES: list[Line] = [
    {"product_id": "latte", "variation_id": "latte-vanilla", "quantity": 2},
    {"product_id": "americano", "quantity": 1},
]
HELD = 11_000
"""Milliseconds after which a finish is held back no longer."""
SMALL_TARGETS = """
() => [...document.querySelectorAll("button, input, a, label:has([type=checkbox])")]
  .filter((one) => one.checkVisibility() && one.type !== "checkbox" && one.className !== "skip")
  .map((one) => [one.outerHTML, one.getBoundingClientRect()])
  .filter(([, { width, height }]) => width < 48 || height < 48)
"""


def test_orders_are_shown_oldest_first_with_lines_and_totals(
    counter: Counter, visitor: Visitor
) -> None:
    first = counter.order_basket(LATTES)
    second, third = counter.order("Ada", HOSTILE)
    page = tablet(visitor, counter.shop)
    expect(waiting(page)).to_have_count(3)
    numbers = page.locator("#waiting h3 b").all_text_contents()
    assert numbers == [str(number) for number in (first, second, third)]
    lines = waiting(page, first).locator(".lines li").all_text_contents()
    assert lines == [
        "2 \N{MULTIPLICATION SIGN} LatteVanilla",
        "1 \N{MULTIPLICATION SIGN} Americano",
    ]
    expect(waiting(page, second)).to_contain_text("Ada")
    rows = page.locator("#totals tbody tr").all_text_contents()
    assert rows == ["Americano3", "Latte · Vanilla2"]
    assert barriers(page) == []


def test_hostile_names_of_customers_and_baristas_are_text(
    counter: Counter, visitor: Visitor
) -> None:
    number, other = counter.order(HOSTILE, HOSTILE)
    counter.start(f"{HOSTILE} & Bo")
    page = tablet(visitor, counter.shop, HOSTILE)
    expect(page.locator("#others li")).to_contain_text(f"{HOSTILE} & Bo")
    start(page, other)
    expect(mine(page, other)).to_contain_text(HOSTILE)
    expect(page.locator("main img, header img")).to_have_count(0)
    assert counter.standing(number)[1] == f"{HOSTILE} & Bo"


def test_a_name_is_asked_once_and_kept_and_can_be_changed(
    counter: Counter, visitor: Visitor
) -> None:
    (number,) = counter.order("Ada")
    page = tablet(visitor, counter.shop, None)
    expect(page.get_by_label("Name")).to_be_focused()
    assert barriers(page) == []
    page.keyboard.press("Escape")
    (other,) = counter.order("Bea")
    expect(page.locator("#news")).to_have_text("1 new order")
    expect(waiting(page, other)).to_be_visible()
    expect(page.get_by_label("Name")).to_be_hidden()
    page.get_by_role("button", name=f"Start order {number}").click()  # which asks again
    page.get_by_label("Name").fill("  Cleo ")
    page.get_by_role("button", name="Save").click()
    expect(mine(page, number)).to_be_visible()
    assert counter.standing(number) == ("preparation", "Cleo")
    page.reload()
    expect(mine(page, number)).to_be_visible()
    expect(page.get_by_label("Name")).to_be_hidden()
    page.get_by_role("button", name="Cleo \N{EN DASH} change").click()
    expect(page.get_by_label("Name")).to_have_value("Cleo")
    page.get_by_label("Name").fill("Dora")
    page.keyboard.press("Enter")
    expect(page.locator("#others li")).to_contain_text("Cleo")
    expect(mine(page)).to_have_count(0)


def test_a_finish_is_held_back_and_can_be_undone(counter: Counter, visitor: Visitor) -> None:
    (number,) = counter.order("Ada")
    visitor.context.clock.install()
    page = tablet(visitor, counter.shop)
    start(page, number)
    finish(page, number)
    expect(page.locator("#held-text")).to_have_text(
        re.compile(rf"Order {number} is called in \d+ s")
    )
    assert barriers(page) == []
    page.get_by_role("button", name=f"Undo {number}").click()
    expect(mine(page, number)).to_be_visible()
    expect(message_of(page)).to_contain_text("still in your hands")
    page.clock.fast_forward(HELD)
    assert counter.standing(number) == ("preparation", "Cleo")
    finish(page, number)
    assert counter.standing(number) == ("preparation", "Cleo")
    page.clock.fast_forward(HELD)
    becomes(counter, page, number, "over")
    expect(page.locator("#held")).to_be_hidden()


def test_the_next_finish_sends_the_one_before_it(counter: Counter, visitor: Visitor) -> None:
    first, second = counter.order("Ada", "Bea")
    page = tablet(visitor, counter.shop)
    start(page, first)
    start(page, second)
    finish(page, first)
    finish(page, second)
    becomes(counter, page, first, "over")
    assert counter.standing(second) == ("preparation", "Cleo")
    expect(page.locator("#held-text")).to_contain_text(f"Order {second}")


def test_a_double_click_does_one_thing(counter: Counter, visitor: Visitor) -> None:
    first, second, third, _ = counter.order("Ada", "Bea", "Cal", "Dan")
    page = tablet(visitor, counter.shop)
    page.get_by_role("button", name=f"Start order {first}").dblclick()
    expect(page.get_by_role("button", name=f"Start order {second}")).to_be_visible()
    start(page, second)
    start(page, third)
    expect(mine(page)).to_have_count(3)
    finish(page, first)
    # The second click meets the next card, which has moved there.
    page.get_by_role("button", name=f"Finish {second}").dblclick()
    expect(mine(page, second)).to_have_count(0)
    expect(mine(page, third)).to_be_visible()


def test_an_order_that_is_put_back_waits_in_its_old_place(
    counter: Counter, visitor: Visitor
) -> None:
    first, second = counter.order("Ada", "Bea")
    page = tablet(visitor, counter.shop)
    start(page, first)
    page.get_by_role("button", name=f"Put back {first}").click()
    expect(waiting(page)).to_have_count(2)
    expect(waiting(page).first).to_contain_text(str(first))
    expect(message_of(page)).to_contain_text(f"Order {first} waits again")
    assert counter.standing(first) == ("waiting", None)
    assert counter.standing(second) == ("waiting", None)


def test_a_refusal_is_shown_by_what_the_shop_says(counter: Counter, visitor: Visitor) -> None:
    (number,) = counter.order("Ada")
    page = tablet(visitor, counter.shop)
    start(page, number)
    finish(page, number)
    (claim,) = counter.listed()
    counter.baristas.post(f"/release/{claim['order_id']}/").raise_for_status()
    leave(page)  # sends what is held back
    refused = counter.baristas.post(f"/finish/{claim['order_id']}/").json()["detail"]
    expect(page.get_by_role("alert")).to_have_text(f"Order {number}: {refused}")
    expect(waiting(page, number)).to_be_visible()
    assert barriers(page) == []


def test_the_keyboard_alone_is_enough(counter: Counter, visitor: Visitor) -> None:
    first, second, third = counter.order("Ada", "Bea", "Cal")
    page = tablet(visitor, counter.shop)
    keys = page.keyboard
    expect(waiting(page)).to_have_count(3)
    keys.press("Enter")  # without a number: the next one
    expect(mine(page, first)).to_be_visible()
    keys.type(str(third))
    expect(page.get_by_label("Number", exact=True)).to_have_value(str(third))
    keys.press("Enter")
    expect(message_of(page)).to_have_text(f"Order {third} is not next: {second} has waited longer.")
    expect(page.get_by_label("Number", exact=True)).to_have_value(str(third))
    keys.press("Escape")
    expect(page.get_by_label("Number", exact=True)).to_have_value("")
    keys.type(str(second))
    keys.press("Enter")
    expect(mine(page, second)).to_be_visible()
    keys.type(str(first))
    keys.press("Enter")
    expect(page.locator("#held-text")).to_contain_text(f"Order {first}")
    counter.start("Bo")
    expect(page.locator("#others li")).to_contain_text("Bo")
    keys.type(f"{third}\n")
    expect(message_of(page)).to_have_text(f"Order {third} is in the hands of Bo.")
    keys.type("999999\n")
    expect(message_of(page)).to_have_text("No order 999999 waits or is in preparation.")


def test_the_digits_can_be_switched_off(counter: Counter, visitor: Visitor) -> None:
    page = tablet(visitor, counter.shop)
    page.get_by_role("button", name="Help").click()
    expect(page.get_by_role("dialog", name="How this works")).to_be_visible()
    assert barriers(page) == []
    page.get_by_label("Digits go to the number field").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.type("17")
    expect(page.get_by_label("Number", exact=True)).to_have_value("")
    page.reload()
    page.get_by_role("button", name="Help").click()
    expect(page.get_by_label("Digits go to the number field")).not_to_be_checked()


def test_timers_say_in_words_and_colours_how_late_it_is(counter: Counter, visitor: Visitor) -> None:
    counter.order("Ada")
    counter.start("Cleo")
    (number,) = counter.order("Bea")
    visitor.context.clock.install()
    page = tablet(visitor, counter.shop)
    late = waiting(page, number).locator(".late")
    expect(late).to_have_text(re.compile(r"^Waits 0:\d\d$"))
    in_hand = mine(page).locator(".late")
    for seconds, level, hand, queue in (
        (100, "amber", "In hand 1:4", "Waits 1:4"),
        (50, "red", "Hurry: goes back in", "Waits 2:3"),
        (160, "red", "Hurry: goes back in 0:00", "Late: waits 5:1"),
        (300, "red", "Hurry: goes back in 0:00", "Very late: waits 10:1"),
    ):
        page.clock.fast_forward(seconds * 1000)
        expect(in_hand).to_contain_text(hand)
        expect(in_hand).to_have_class(f"late {level}")
        expect(late).to_contain_text(queue)
        assert barriers(page) == []


def test_all_fits_the_window_and_a_thumb(counter: Counter, browser: Browser) -> None:
    counter.order("A" * 80, HOSTILE, drink="latte")
    counter.order("Ada", "Bea", "Cal")
    with visiting(browser, color_scheme="dark") as visitor:
        page = tablet(visitor, counter.shop, "W" * 40, "?lang=de")
        for _ in range(2):
            page.locator("#start").click()
            expect(mine(page)).to_have_count(1)
            page.locator("#mine .main").click()
            expect(page.locator("#held")).to_be_visible()
        page.locator("#start").click()
        expect(mine(page)).to_have_count(1)
        for width in at_each_width(page):
            assert not overflows(page), width
            assert page.evaluate(SMALL_TARGETS) == [], width
            assert barriers(page) == [], width
