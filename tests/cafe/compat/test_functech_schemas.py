"""How functech's clients are shown an order, and what they order: pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cafe.compat.functech_schemas import (
    STATUSES,
    NewOrderIn,
    OrderOut,
    UpdateIn,
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


PLAIN = {"quantity": 1, "variation": None}
VANILLA = {"quantity": 1, "variation": "Vanilla"}
HAZELNUT = {"quantity": 1, "variation": "Hazelnut"}


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        ({"americano": {}}, {"Americano": PLAIN}),
        ({"AMERICANO": {"quantity": None, "variation": None}}, {"Americano": PLAIN}),
        ({"  iced   coffee": {}}, {"Iced Coffee": PLAIN}),
        ({"iced-coffee": {}}, {"Iced Coffee": PLAIN}),
        ({"latte": {"variation": " vanilla"}}, {"Latte": VANILLA}),
        ({"latte": {"variation": "latte-vanilla"}}, {"Latte": VANILLA}),
        (
            {"Latte": {"variation": "Vanilla"}, "latte": {"variation": "VANILLA", "quantity": 2}},
            {"Latte": {"quantity": 3, "variation": "Vanilla"}},
        ),
        (
            {"Latte": {"variation": "Vanilla"}, "latte": {"variation": "Hazelnut"}},
            {"Latte": VANILLA, "Latte (Hazelnut)": HAZELNUT},
        ),
        (
            {"Latte": {"variation": "Vanilla"}, "latte": {}},
            {"Latte": PLAIN, "Latte (Vanilla)": VANILLA},
        ),
    ],
)
def test_what_is_ordered_by_names_in_any_case_or_by_ids_is_shown_by_names(
    items: Any, shown: Any
) -> None:
    wanted = wanted_items(MENU, NewOrderIn.model_validate({"items": items}))
    assert items_out(order_of(list(price(MENU, wanted)))) == shown


WRONG_ITEMS: list[Any] = [
    *(None, [], {}, {"": {}}, {"Latte": None}, {"Latte": 2}),
    {"Latte": {"quantity": 0}},
    {"Latte": {"quantity": 101}},
    {"Latte": {"quantity": "2"}},
    {"Latte": {"variation": ""}},
    {"Latte": {"variation": "x" * 81}},
    {"Latte\0": {}},
    {"x" * 81: {}},
    {f"{number}": {} for number in range(101)},
]


@pytest.mark.parametrize("items", WRONG_ITEMS, ids=lambda items: str(items)[:24])
def test_items_are_a_bounded_object_of_objects(items: Any) -> None:
    with pytest.raises(ValidationError):
        NewOrderIn.model_validate({"items": items})


@pytest.mark.parametrize(
    "wrong",
    [
        *({"new_status": status} for status in ("DELIVERED", "paid", None, 1)),
        *({"order_id": order_id} for order_id in ("", 17, None, "x" * 65)),
    ],
    ids=str,
)
def test_an_update_names_an_order_and_one_of_four_statuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UpdateIn.model_validate({"order_id": "x", "new_status": "PAID", **wrong})


def test_what_there_is_not_is_refused_where_it_is_priced() -> None:
    wish = {"Latte": {"variation": "Glazed"}, "Nectar": {"variation": "Vanilla"}, "latte": {}}
    items = wanted_items(MENU, NewOrderIn.model_validate({"items": wish}))
    with pytest.raises(NotOnMenu) as no:
        price(MENU, items)
    assert [one["item"] for one in no.value.errors] == ["items[0]", "items[1]"]
