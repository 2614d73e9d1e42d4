"""The barista's page when something comes between: others, the network, a killed shop, a lease.

Rule: no order is claimed twice, and no finish is lost.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Route, expect

from tests.screens.barista_tablet import (
    PLENTY,
    Counter,
    becomes,
    counter_of,
    finish,
    leave,
    message_of,
    mine,
    start,
    tablet,
    waiting,
)
from tests.screens.browser import Visitor, barriers, visiting
from tests.system.shop import Shop, open_shop


def test_leaving_the_page_sends_the_finish_that_is_held_back(
    counter: Counter, visitor: Visitor
) -> None:
    (number,) = counter.order("Ada")
    page = tablet(visitor, counter.shop)
    start(page, number)
    finish(page, number)
    page.goto(f"{counter.shop.worker}/screens/cup.svg")
    becomes(counter, page, number, "over")


def test_two_tablets_that_race_never_get_the_same_order(counter: Counter, browser: Browser) -> None:
    numbers = counter.order(*"ABCDEF")
    with visiting(browser) as one, visiting(browser) as two:
        pages = [tablet(one, counter.shop, "Bo"), tablet(two, counter.shop, "Cleo")]
        for page in pages:
            expect(waiting(page)).to_have_count(6)
        for had in range(3):
            for page in pages:  # both at once: a click is not waited for
                page.evaluate("document.getElementById('start').click()")
            for page in pages:
                expect(mine(page)).to_have_count(had + 1)
        theirs = [set(page.locator("#mine h3 b").all_text_contents()) for page in pages]
        assert not theirs[0] & theirs[1]
        assert theirs[0] | theirs[1] == {str(number) for number in numbers}
        for page, name in zip(pages, ("Cleo", "Bo"), strict=True):
            expect(page.locator("#others li")).to_have_count(3)
            expect(page.locator("#others li").first).to_contain_text(name)
            expect(page.get_by_role("button", name="Nothing waits")).to_be_disabled()


def test_a_claim_whose_answer_was_lost_is_repeated(counter: Counter, visitor: Visitor) -> None:
    first, second = counter.order("Ada", "Bea")
    page = tablet(visitor, counter.shop)
    keys: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/start/**", lose_the_first_answer)
    page.route("**/orders", lambda route: route.abort())
    button = page.locator("#start")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    button.click()
    expect(message_of(page)).to_have_text(f"Order {first} is yours.")
    assert keys[0] == keys[1]
    page.unroute("**/orders")
    expect(mine(page, first)).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
    assert counter.standing(second) == ("waiting", None)


def test_an_order_whose_lease_expired_is_shown_and_can_still_be_finished(
    browser: Browser,
) -> None:
    with (
        open_shop(lease_seconds=1.5, **PLENTY) as shop,
        counter_of(shop) as counter,
        visiting(browser) as visitor,
    ):
        number, other = counter.order("Ada", "Bea")
        page = tablet(visitor, shop)
        start(page, number)
        expect(message_of(page)).to_contain_text(f"Order {number} is no longer yours")
        expect(waiting(page, number)).to_contain_text("Went back into the queue")
        assert barriers(page) == []
        page.get_by_role("button", name=f"{number} is finished").click()
        becomes(counter, page, number, "over")
        start(page, other)
        finish(page, other)  # is not held back for longer than its lease
        expect(message_of(page)).to_have_text(f"Order {other} is finished.")
        becomes(counter, page, other, "over")


def test_a_page_without_a_network_keeps_a_finish_until_there_is_one(
    counter: Counter, visitor: Visitor
) -> None:
    first, second = counter.order("Ada", "Bea")
    page = tablet(visitor, counter.shop)
    start(page, first)
    visitor.context.set_offline(True)
    finish(page, first)
    leave(page)  # is held back no longer
    expect(page.locator("#unsent")).to_contain_text(str(first))
    page.get_by_role("button", name=f"Start order {second}").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    assert barriers(page) == []
    assert counter.standing(first) == ("preparation", "Cleo")
    visitor.context.set_offline(False)
    becomes(counter, page, first, "over")
    expect(page.locator("#unsent")).to_be_hidden()
    start(page, second)


def killed(shop: Shop) -> tuple[str, ...]:
    """Kill a shop; return the options of one that is started at its ports."""
    shop.process.kill()
    shop.process.wait()
    client, worker = (f"127.0.0.1:{urlsplit(url).port}" for url in (shop.client, shop.worker))
    return ("--client-bind", client, "--worker-bind", worker)


def test_a_finish_of_a_page_that_was_closed_while_the_shop_was_away_is_sent_by_the_next(
    browser: Browser, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"database_url": f"sqlite:///{tmp_path / 'cafe.db'}", **PLENTY}
    with visiting(browser) as visitor:
        with (
            open_shop(exit_code=-signal.SIGKILL, **settings) as shop,
            counter_of(shop) as counter,
        ):
            (number,) = counter.order("Ada")
            page = tablet(visitor, shop)
            start(page, number)
            options = killed(shop)
            finish(page, number)
            page.close()  # what it sends now is lost; offline, a browser would send it afterwards
        with open_shop(options, **settings) as shop, counter_of(shop) as counter:
            assert counter.standing(number) == ("preparation", "Cleo")
            page = tablet(visitor, shop, None)
            expect(page.locator("#work")).to_be_visible()
            expect(mine(page)).to_have_count(0)
            leave(page)
            becomes(counter, page, number, "over")


def test_a_page_catches_up_with_a_shop_that_was_killed(browser: Browser, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"database_url": f"sqlite:///{tmp_path / 'cafe.db'}", **PLENTY}
    with visiting(browser) as visitor:
        with (
            open_shop(exit_code=-signal.SIGKILL, **settings) as shop,
            counter_of(shop) as counter,
        ):
            first, second = counter.order("Ada", "Bea")
            page = tablet(visitor, shop)
            start(page, first)
            options = killed(shop)
            expect(page.locator("#connection")).to_contain_text("Disconnected since")
            assert barriers(page) == []
            finish(page, first)
        with open_shop(options, **settings) as shop, counter_of(shop) as counter:
            expect(page.locator("#connection")).to_be_hidden()
            (third,) = counter.order("Cal")
            expect(waiting(page, third)).to_be_visible()
            leave(page)
            becomes(counter, page, first, "over")
            start(page, second)
