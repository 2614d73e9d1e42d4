"""The menu of a new shop.

Rule: pure. It is written once, at the first start.
"""

from __future__ import annotations

from typing import Final

from cafe.menu.catalogue import ProductWish, VariationWish


def _product(
    product_id: str, name: str, cents: int, category: str, **variations: tuple[str, int]
) -> ProductWish:
    return ProductWish(
        product_id,
        name,
        "",
        category,
        None,
        cents,
        sold_out=False,
        variations=tuple(
            VariationWish(f"{product_id}-{end.replace('_', '-')}", *named)
            for end, named in variations.items()
        ),
    )


FIRST_MENU: Final = (
    _product("americano", "Americano", 300, "Coffee"),
    _product(
        "latte",
        "Latte",
        400,
        "Coffee",
        pumpkin_spice=("Pumpkin Spice", 50),
        vanilla=("Vanilla", 30),
        hazelnut=("Hazelnut", 40),
    ),
    _product("espresso", "Espresso", 250, "Coffee", single=("Single", 0), double=("Double", 100)),
    _product(
        "macchiato",
        "Macchiato",
        400,
        "Coffee",
        caramel=("Caramel", 50),
        vanilla=("Vanilla", 30),
    ),
    _product(
        "iced-coffee",
        "Iced Coffee",
        350,
        "Coffee",
        regular=("Regular", 0),
        sweetened=("Sweetened", 30),
        extra_ice=("Extra Ice", 20),
    ),
    _product(
        "donuts",
        "Donuts",
        200,
        "Food",
        glazed=("Glazed", 0),
        jelly=("Jelly", 30),
        boston_cream=("Boston Cream", 50),
    ),
)
