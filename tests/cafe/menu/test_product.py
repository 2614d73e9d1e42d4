"""A menu: how it is sorted, searched and shown, and which products can be on one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.menu.product import (
    MOST_BYTES,
    Menu,
    MenuError,
    NameTakenError,
    Product,
    Variation,
    check,
    json_of,
    members_of,
)
from cafe.menu.schemas import MOST_PRODUCTS, MOST_VARIATIONS, MenuOut
from cafe.names import key_of, tidy
from tests.cafe.menu.menus import LETTERS, are_a_menu, first_catalogue, menus, products

LATTE = Product("latte", "Latte", "", "", 20, 400, sold_out=False)


def test_the_first_menu_is_what_a_new_shop_sells() -> None:
    shown = {
        one.name: (
            one.base_price_cents,
            {each.name: each.price_change_cents for each in one.variations},
        )
        for one in first_catalogue().menu.products
    }
    assert shown == {
        "Americano": (300, {}),
        "Latte": (400, {"Pumpkin Spice": 50, "Vanilla": 30, "Hazelnut": 40}),
        "Espresso": (250, {"Single": 0, "Double": 100}),
        "Macchiato": (400, {"Caramel": 50, "Vanilla": 30}),
        "Iced Coffee": (350, {"Regular": 0, "Sweetened": 30, "Extra Ice": 20}),
        "Donuts": (200, {"Glazed": 0, "Jelly": 30, "Boston Cream": 50}),
    }
    assert next(iter(shown)) == "Americano"


@given(menu=menus())
def test_a_product_is_found_by_its_id_and_by_its_name_in_any_case(menu: Menu) -> None:
    for product in menu.products:
        assert menu.find(product.product_id) is product
        for name in (product.name, product.name.upper(), f"  {product.name.lower()} "):
            if key_of(name) == key_of(f"  {product.name} "):  # some letters have no way back
                assert menu.find(name) is product
    assert menu.find("nothing of the kind, ever") is None


@given(menu=menus())
def test_a_variation_is_found_by_its_id_and_by_its_name_in_any_case(menu: Menu) -> None:
    for product in menu.products:
        ids = {one.variation_id for one in product.variations}
        for variation in product.variations:
            assert product.find_variation(variation.variation_id) is variation
            for name in (variation.name, variation.name.upper(), f"  {variation.name.lower()} "):
                is_same = key_of(tidy(name)) == key_of(variation.name)  # some have no way back
                if is_same and name not in ids:
                    assert product.find_variation(name) is variation
        assert product.find_variation("nothing of the kind, ever") is None


def test_the_id_of_a_variation_goes_before_the_name_of_another() -> None:
    large, other = Variation("small", "Large", 50), Variation("other", "Small", 0)
    for variations in ((large, other), (other, large)):
        product = LATTE._replace(variations=variations)
        assert product.find_variation("small") is large
        assert product.find_variation("Small") is other


def test_a_name_is_found_in_either_form_of_unicode() -> None:
    menu = Menu([LATTE._replace(name="Caf\u00e9 Stra\u00dfe")])
    assert menu.find("CAFE\u0301  STRASSE") is menu.products[0]


@given(menu=menus())
def test_products_are_shown_by_position_then_by_name(menu: Menu) -> None:
    order = [(one.position, one.name) for one in menu.products]
    assert order == sorted(order)
    assert set(menu.names()) == {one.name for one in menu.products if not one.sold_out}


@given(menu=menus())
def test_the_body_of_a_menu_is_what_its_schema_documents(menu: Menu) -> None:
    shown = json.loads(json_of(menu))
    assert shown == {"products": [members_of(one) for one in menu.products]}
    assert MenuOut.model_validate(shown).model_dump() == shown


@given(listed=st.lists(products(), max_size=4))
def test_products_are_a_menu_exactly_if_names_and_ids_differ(listed: list[Product]) -> None:
    if are_a_menu(listed):
        check(listed)
    else:
        with pytest.raises(MenuError):
            check(listed)


@pytest.mark.parametrize(
    ("other", "place"),
    [
        (LATTE._replace(product_id="other", name="LATTE"), (1, "name")),
        (LATTE._replace(product_id="other", name="Latte"), (1, "name")),
        (LATTE._replace(product_id="LATTE", name="Other"), (0, "name")),
    ],
)
def test_a_name_that_is_taken_says_where(other: Product, place: tuple[object, ...]) -> None:
    with pytest.raises(NameTakenError) as refused:
        check([LATTE, other])
    assert refused.value.place == place


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ([Variation("a", "A", -400), Variation("b", "B", -401)], (1, "price_change_cents")),
        ([Variation("a", "A", 0), Variation("b", "a", 0)], (1, "name")),
        ([Variation("a", "A", 0), Variation("a", "B", 0)], (1, "id")),
    ],
)
def test_a_wrong_variation_says_where(wrong: list[Variation], place: tuple[object, ...]) -> None:
    with pytest.raises(MenuError) as refused:
        check([LATTE._replace(variations=tuple(wrong))])
    assert refused.value.place == (0, "variations", *place)


def test_a_variation_may_cost_nothing() -> None:
    check([LATTE._replace(variations=(Variation("a", "A", -400),))])


def test_a_menu_that_one_request_could_not_hold_is_refused() -> None:
    listed = [
        LATTE._replace(product_id=f"{number}", name=f"{number}", description="x" * 1000)
        for number in range(55)
    ]
    with pytest.raises(MenuError, match=r"at most 60,000 bytes as JSON; this has 6\d,\d{3}"):
        check(listed)
    check(listed[:50])
    assert len(json_of(Menu(listed[:50]))) <= MOST_BYTES


def test_what_bounds_the_lists_never_bounds_a_menu_of_that_size() -> None:
    least = len(json_of(Menu([LATTE]))) - len(json_of(Menu()))
    assert MOST_PRODUCTS * least > MOST_BYTES
    empty = LATTE._replace(variations=tuple(Variation("a", "a", 0) for _ in range(MOST_VARIATIONS)))
    assert len(json_of(Menu([empty]))) < MOST_BYTES


@given(text=st.text(LETTERS))
def test_a_tidy_text_stays_as_it_is(text: str) -> None:
    tidied = tidy(text)
    assert tidy(tidied) == tidied
    assert tidied == tidied.strip()


def test_a_text_is_tidied() -> None:
    assert tidy("\u2028 Cafe\u0301   au\xa0lait ") == "Caf\u00e9 au lait"
