"""A menu as YAML: what is exported is imported as the same menu, and errors name their lines."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cafe.menu.menu_file import DEEPEST, MOST_BYTES, MenuFile, MenuFileError, price_text, yaml_of
from cafe.menu.product import MOST_CENTS, Menu, Product, Variation, members_of
from cafe.names import tidy
from tests.cafe.menu.menus import TRICKY, first_catalogue, menus

LATTE = """\
products:
- name: Latte
  price: 4.00
  variations:
  - name: Vanilla
    price_change: 0.30
"""


def members_in(menu: Menu) -> list[dict[str, Any]]:
    return [members_of(one) for one in menu.products]


def error_of(text: str | bytes) -> str:
    with pytest.raises(MenuFileError) as refused:
        MenuFile(text if isinstance(text, bytes) else text.encode())
    return str(refused.value)


@given(menu=menus())
def test_what_is_exported_is_imported_as_the_same_menu(menu: Menu) -> None:
    members = members_in(menu)
    read = MenuFile(yaml_of(members).encode()).menu
    assert read.model_dump() == {"products": members}
    assert yaml_of(read.model_dump()["products"]) == yaml_of(members)


@pytest.mark.parametrize("name", TRICKY)
def test_a_name_that_looks_like_something_else_stays_what_it_is(name: str) -> None:
    name = tidy(name)
    product = Product(
        "p", name, name, name, 0, 0, sold_out=False, variations=(Variation("v", name, 0),)
    )
    text = yaml_of([members_of(product)])
    assert MenuFile(text.encode()).menu.model_dump() == {"products": [members_of(product)]}


@pytest.mark.parametrize("name", ["NO", "1:30", "~", "null", "0x1F", "1e3", "12.5", "2026-11-26"])
def test_a_name_is_the_text_that_stands_there_with_and_without_quotes(name: str) -> None:
    for written in (name, f"'{name}'", f'"{name}"'):
        (product,) = MenuFile(LATTE.replace("Latte", written).encode()).menu.products
        assert product.name == name


def test_other_programs_read_names_as_text_and_prices_as_numbers() -> None:
    product = Product("p", "NO", "1:30", "~", 7, 350, sold_out=True)
    (read,) = yaml.safe_load(yaml_of([members_of(product)]))["products"]
    assert (read["name"], read["description"], read["category"]) == ("NO", "1:30", "~")
    assert (read["price"], read["position"], read["sold_out"]) == (3.5, 7, True)


def test_what_a_file_leaves_out_has_its_default() -> None:
    (product,) = MenuFile(LATTE.encode()).menu.products
    assert (product.id, product.description, product.position) == (None, "", None)
    assert (product.base_price_cents, product.sold_out) == (400, False)


@given(cents=st.integers(-MOST_CENTS, MOST_CENTS))
def test_a_price_is_its_text(cents: int) -> None:
    text = price_text(cents)
    assert round(float(text) * 100) == cents
    file = LATTE.replace("4.00", price_text(MOST_CENTS)).replace("0.30", text)
    assert MenuFile(file.encode()).menu.products[0].variations[0].price_change_cents == cents


@pytest.mark.parametrize(
    ("text", "cents"),
    [("19.99", 1999), ("0.07", 7), ("'4.10'", 410), ("+1.15", 115), ("1.10", 110)],
)
def test_decimal_text_with_two_places_is_exact(text: str, cents: int) -> None:
    file = LATTE.replace("4.00", text)
    assert MenuFile(file.encode()).menu.products[0].base_price_cents == cents


NO_PRICES = [
    *("2.345", "2.3", "2", "2.", ".50", "1e3", "1_000.00", "0x1F", "1,50", "\u0661.\u0662\u0663"),
    *("99999999.00", "nan", ".inf", "~", "''", "4.00 EUR", "- 1.00", "--1.00", "[1.00]", "{}"),
]


@pytest.mark.parametrize("text", NO_PRICES)
def test_what_is_no_price_is_an_error_with_its_line_and_member(text: str) -> None:
    file = LATTE.replace("4.00", text)
    if text == "- 1.00":  # that is a list, where none can begin
        assert error_of(file).startswith(", line 3: ")
        return
    assert error_of(file).startswith(", line 3: products.0.price: ")
    other = LATTE.replace("0.30", text)
    assert error_of(other).startswith(", line 6: products.0.variations.0.price_change: ")


WRONG = {
    "a price below zero": (
        LATTE.replace("4.00", "-4.00"),
        "line 3: products.0.price: A price is not below zero.",
    ),
    "a price below zero with a variation": (
        LATTE.replace("0.30", "-4.01"),
        "line 6: products.0.variations.0.price_change: With this variation the price is below zero",
    ),
    "a price over the most": (
        LATTE.replace("4.00", "1000000.01"),
        "line 3: products.0.price: Input should be less than or equal to 100000000",
    ),
    "two products of one name": (
        f"{LATTE}- name: LATTE\n  price: 1.00\n",
        "line 7: products.1.name: Another product has this name.",
    ),
    "two products with one id": (
        "products:\n- {id: a, name: b, price: 1.00}\n- {id: a, name: c, price: 1.00}",
        "line 3: products.1.id: Another product has this id.",
    ),
    "no name": ("products:\n- price: 1.00", "line 2: products.0.name: Field required."),
    "no price": ("products:\n\n- name: a", "line 3: products.0.price: Field required."),
    "an empty name": (LATTE.replace("Latte", ""), "line 2: products.0.name: "),
    "a name of white space": (LATTE.replace("Latte", '" "'), "line 2: products.0.name: This is"),
    "a long name": (LATTE.replace("Latte", "x" * 81), "line 2: products.0.name: "),
    "a name that NFC makes too long": (
        LATTE.replace("Latte", "\u0958" * 80),
        "line 2: products.0.name: This is too long in Unicode's NFC",
    ),
    "a control character": (
        LATTE.replace("Latte", r'"a\u0007"'),
        "line 2: products.0.name: Text has no control characters",
    ),
    "a surrogate": (LATTE.replace("Latte", r'"\ud800"'), "line 2: products.0.name: "),
    "an id that is no word": (
        LATTE.replace("name: Latte", "id: a/b\n  name: Latte"),
        "line 2: products.0.id: String should match",
    ),
    "a position that is none": (
        f"{LATTE}  position: 1e3",
        "line 7: products.0.position: This is an integer, such as 10.",
    ),
    "a state that is none": (
        f"{LATTE}  sold_out: yes",
        "line 7: products.0.sold_out: This is true or false.",
    ),
    "an unknown member": (
        f"{LATTE}  colour: red",
        "line 7: products.0.colour: There is no such member, but id, name,",
    ),
    "a member twice": (f"{LATTE}  price: 3.00", "line 7: price: This member stands here twice."),
    "no list": ("products: Latte", "line 1: products: This is a list."),
    "no mapping": ("products:\n- Latte", "line 2: products.0: This has the members id, name,"),
    "a list as a name": (LATTE.replace("Latte", "[a]"), "line 2: products.0.name: This is text."),
    "nothing of a menu": ("a", "line 1: This has the members products."),
    "no products": ("{}", "line 1: products: Field required."),
    "an alias": (f"{LATTE}- *a", "line 7: A menu has no anchors and aliases."),
    "an anchor": (LATTE.replace("Latte", "&a b"), "line 2: A menu has no anchors and aliases."),
    "a tag": (LATTE.replace("Latte", "!!python/name:os.system x"), "line 2: A menu has no tags."),
    "another document": (f"{LATTE}---\n{LATTE}", "line 7: Here begins another document."),
    "half of YAML": (f"{LATTE}- [", "line 7: This is not YAML: "),
    "a tab": (LATTE.replace("  price", "\tprice"), "line 3: This is not YAML: "),
    "a name that is a list": ("? [a]\n: b", "line 1: The name of a member is text."),
    "much nesting": ("\n" + "[" * 5_000, "line 2: This is nested too deep."),
    "much nesting by lines": ("- " * 5_000, "line 1: This is nested too deep."),
}


@pytest.mark.parametrize(("text", "error"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_line_and_member(text: str, error: str) -> None:
    assert error_of(text).startswith(f", {error}")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", ": The file is empty."),
        (b"# only a comment\n", ": The file is empty."),
        (b" " * (MOST_BYTES + 1), f": A menu has at most {MOST_BYTES:,} bytes."),
        (b"products:\n- name: \xff", ", line 2: This is not UTF-8."),
        (b"products:\n- name: a\x07", ", line 2: This character cannot stand in YAML."),
        ("products:\n- name: a\ufffe".encode(), ", line 2: This character cannot stand in YAML."),
        ("products:\n- name: a".encode("utf-16"), ", line 1: This is not UTF-8."),
    ],
)
def test_a_file_that_is_no_text_or_too_large_is_refused(content: bytes, error: str) -> None:
    assert error_of(content) == error


def test_a_byte_order_mark_is_skipped() -> None:
    assert MenuFile(b"\xef\xbb\xbf" + LATTE.encode()).menu == MenuFile(LATTE.encode()).menu


def test_a_menu_may_be_nested_as_deep_as_a_menu_is() -> None:
    assert len(("products", 0, "variations", 0, "name")) < DEEPEST


def test_an_error_of_the_shop_has_the_line_of_its_place() -> None:
    file = MenuFile(LATTE.encode())
    place = ("products", 0, "variations", 0, "price_change_cents")
    error = ", line 6: products.0.variations.0.price_change: No."
    assert str(file.error(place, "No.")) == error
    assert str(file.error(["products", 0, "id"], "No.")) == ", line 2: products.0.id: No."


def test_the_first_menu_as_a_file() -> None:
    text = yaml_of(members_in(first_catalogue().menu))
    assert text.splitlines()[9:17] == [
        "- id: latte",
        "  name: Latte",
        "  description: ''",
        "  category: Coffee",
        "  position: 20",
        "  price: 4.00",
        "  sold_out: false",
        "  variations:",
    ]


@given(
    content=st.binary(max_size=200)
    | st.text("ab: -[]{}\n'\"&*!#|>?%@`,\\0.", max_size=80).map(str.encode)
)
def test_any_file_is_a_menu_or_an_error(content: bytes) -> None:
    with suppress(MenuFileError):
        MenuFile(content)
