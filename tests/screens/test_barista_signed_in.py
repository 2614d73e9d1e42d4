"""The barista's page where the port takes credentials: the baristas' token, or an account."""

from __future__ import annotations

import time
from collections.abc import Generator

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from cafe.accounts.secret import find_secret
from cafe.accounts.tokens import tokens_of
from cafe.settings import Settings
from tests.screens.barista_tablet import PLENTY, counter_of, tablet, waiting
from tests.screens.browser import Visitor, barriers
from tests.system.credentials import PASSWORD, bearer
from tests.system.shop import TOKEN, Shop, open_shop

BY_TOKEN = "Or the baristas' token"


@pytest.fixture(scope="module")
def closed_shop() -> Generator[Shop]:
    """Yield a shop whose baristas' port takes a token, or an account."""
    with open_shop(worker_token=TOKEN, **PLENTY) as shop:
        yield shop


def sign_in(page: Page, fields: dict[str, str]) -> None:
    """Fill in the dialog and send it."""
    dialog = page.get_by_role("dialog", name="Sign in")
    for label, value in fields.items():
        dialog.get_by_label(label).fill(value)
    dialog.get_by_role("button", name="Sign in").click()


def test_baristas_sign_in_with_the_token_and_out(closed_shop: Shop, visitor: Visitor) -> None:
    with counter_of(closed_shop, TOKEN) as counter:
        (number,) = counter.order("Ada")
    page = tablet(visitor, closed_shop, None)
    expect(page.locator("#sign-in")).to_be_visible()
    assert barriers(page) == []
    sign_in(page, {BY_TOKEN: "wrong"})
    expect(page.get_by_text("Sign in to see the orders.")).to_be_visible()
    expect(page.get_by_role("alert").first).to_be_visible()
    assert barriers(page) == []
    page.locator("#sign-in-open").click()
    sign_in(page, {BY_TOKEN: TOKEN})
    page.get_by_label("Name").fill("Cleo")
    page.keyboard.press("Enter")
    expect(waiting(page, number)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(waiting(page, number)).to_be_hidden()
    expect(page.get_by_text("Sign in to see the orders.")).to_be_visible()


def test_an_account_of_a_barista_may_work_and_one_of_a_customer_may_not(
    closed_shop: Shop, visitor: Visitor
) -> None:
    settings = Settings.model_validate({"database_url": closed_shop.database_url})
    operator = bearer(tokens_of(find_secret(settings)).operator(time.time()))
    page = tablet(visitor, closed_shop, None)
    for role in ("customer", "barista"):
        account = {"email": f"{role}@example.com", "password": PASSWORD, "role": role}
        added = httpx.post(f"{closed_shop.worker}/admin/users", json=account, headers=operator)
        assert added.status_code == httpx.codes.CREATED, added.text
    sign_in(page, {"E-mail address": "customer@example.com", "Password": PASSWORD})
    expect(page.get_by_role("alert").first).to_contain_text("barista")
    page.locator("#sign-in-open").click()
    sign_in(page, {"E-mail address": "barista@example.com", "Password": PASSWORD})
    expect(page.get_by_label("Name")).to_be_visible()


def test_orders_that_arrive_after_the_sign_out_are_not_shown(
    closed_shop: Shop, visitor: Visitor
) -> None:
    page = tablet(visitor, closed_shop, None)
    sign_in(page, {BY_TOKEN: TOKEN})
    page.get_by_label("Name").fill("Cleo")
    page.keyboard.press("Enter")
    expect(page.locator("#rename")).to_contain_text("Cleo")
    held: list[Route] = []
    page.route("**/orders", lambda route: held.append(route))  # noqa: PLW0108 - not a builtin
    with page.expect_request("**/orders"), counter_of(closed_shop, TOKEN) as counter:
        counter.order("Ada")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Sign in to see the orders.")).to_be_visible()
    with page.expect_response("**/orders") as answer:
        held[0].continue_()
    answer.value.finished()
    page.evaluate("new Promise((done) => setTimeout(done))")  # the page has read it
    expect(page.locator("#work")).to_be_hidden()
