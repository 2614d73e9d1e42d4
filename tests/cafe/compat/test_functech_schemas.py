"""How functech's clients are shown an order, and what they order: pure."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.compat.functech_schemas import (
    STATUSES,
    NewOrderIn,
    OrderOut,
    items_out,
    order_out,
    wanted_items,
)
from cafe.menu.product import Menu
from cafe.orders.order import Basket, Line, Order, Status
from cafe.payments.pricing import price
from cafe.payments.refusals import NotOnMenu
from tests.cafe.menu.menus import first_catalogue, menus

MENU = first_catalogue().menu
NAMES = st.sampled_from(["Latte", "Latte (Oat)", "Latte (Oat) (Oat)", "Tea"])
VARIATIONS = st.none() | st.sampled_from(["Oat", "Vanilla", "Latte"])
LINES = st.builds(Line, st.just("p"), st.none(), NAMES, VARIATIONS, st.integers(1, 9), st.just(1))


def order_of(lines: list[Line]) -> Order:
    """Return an order of a basket with these lines."""
    total_cents = sum(line.total_cents for line in lines)
    basket = Basket("ada", tuple(lines), total_cents, "")
    return Order("o", 1, basket.summary, None, "192.0.2.1", 0.5, basket=basket)


@given(lines=st.lists(LINES, min_size=1, max_size=8))
def test_no_line_is_lost_whatever_products_are_called(lines: list[Line]) -> None:
    ordered = Counter[tuple[str, str | None]]()
    for line in lines:
        ordered[line.name, line.variation] += line.quantity
    shown = items_out(order_of(lines))
    assert len(shown) == len(ordered)
    assert Counter(one["quantity"] for one in shown.values()) == Counter(ordered.values())
    for (name, variation), quantity in ordered.items():
        assert any(
            member.startswith(name) and one == {"quantity": quantity, "variation": variation}
            for member, one in shown.items()
        )
    for name in {line.name for line in lines if line.variation is None}:
        assert shown[name] == {"quantity": ordered[name, None], "variation": None}


@given(lines=st.lists(LINES, min_size=1, max_size=3))
def test_an_order_is_shown_as_its_schema_documents(lines: list[Line]) -> None:
    shown = order_out(order_of(lines))
    assert OrderOut.model_validate(shown).model_dump() == shown


def test_each_status_is_one_of_theirs() -> None:
    assert set(STATUSES) == set(Status)


@given(menu=menus())
def test_what_is_shown_of_one_product_can_be_ordered_again(menu: Menu) -> None:
    for product in menu.products:
        wish = {product.name: {"quantity": 2}}
        again = wanted_items(menu, NewOrderIn.model_validate({"items": wish}))
        assert [(one.product_id, one.quantity) for one in again] == [(product.product_id, 2)]


def test_what_there_is_not_is_refused_where_it_is_priced() -> None:
    wish = {"Latte": {"variation": "Glazed"}, "Nectar": {"variation": "Vanilla"}, "latte": {}}
    items = wanted_items(MENU, NewOrderIn.model_validate({"items": wish}))
    with pytest.raises(NotOnMenu) as no:
        price(MENU, items)
    assert [one["item"] for one in no.value.errors] == ["items[0]", "items[1]"]
