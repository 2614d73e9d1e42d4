"""Menus that chance makes, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from hypothesis import strategies as st

from cafe.menu.catalogue import Catalogue, ProductWish, VariationWish
from cafe.menu.first import FIRST_MENU
from cafe.menu.product import MOST_CENTS, Menu, Product, Variation
from cafe.names import key_of, tidy

_WORDS = """
    NO no Yes on off true null ~ 1:30 0x1F 1e3 .5 - 1.0 2026-11-26 = << &a *a # ' " '' "a" % @ ` | >
    [a {a} a\\n \\ --- ... \u00e9 e\u0301 \u00df SS \u0130 \ufb01 \u03a9 \u2615 \U0001d49c \ufeff
"""
TRICKY = (
    *_WORDS.split(),
    *("!!int 5", "# no", "a: b", "a #b", "? a", ", ", "a\u2028b", "a\u200bb", "\ufffe", "a\xa0b"),
)
"""Texts that YAML, Unicode or a database could take for something else."""
LETTERS = st.characters(exclude_categories=("Cc", "Cs"))
IDS = st.text("abcXYZ019_-", min_size=1, max_size=12)
PRICES = st.integers(0, MOST_CENTS) | st.integers(0, 1000)


def new_ids() -> Callable[[], str]:
    """Return what gives ids that no other product has."""
    numbers = count(1)
    return lambda: f"new-{next(numbers)}"


def texts(shortest: int = 0, longest: int = 80) -> st.SearchStrategy[str]:
    """Return texts as the edge lets them in."""
    tidied = (st.sampled_from(TRICKY) | st.text(LETTERS, max_size=longest)).map(tidy)
    return tidied.filter(lambda text: shortest <= len(text) <= longest)


@st.composite
def variations(draw: st.DrawFn, base: int) -> tuple[Variation, ...]:
    drawn = st.builds(Variation, IDS, texts(1), st.integers(-base, min(MOST_CENTS, 2 * base + 100)))
    named = st.lists(
        drawn, max_size=3, unique_by=(lambda one: key_of(one.name), lambda one: one[0])
    )
    return tuple(draw(named))


@st.composite
def products(draw: st.DrawFn) -> Product:
    base = draw(PRICES)
    return Product(
        draw(IDS),
        draw(texts(1)),
        draw(texts(longest=200)),
        draw(texts()),
        draw(st.integers(0, 1_000_000)),
        base,
        draw(st.booleans()),
        draw(variations(base)),
    )


def are_a_menu(listed: Sequence[Product]) -> bool:
    """Say whether names and ids are all different, without the code of the menu."""
    names = [key_of(one.name) for one in listed]
    ids = [one.product_id for one in listed]
    others = [
        key_of(product.product_id) == name
        for at, product in enumerate(listed)
        for place, name in enumerate(names)
        if place != at
    ]
    return len({*names}) == len({*ids}) == len(listed) and not any(others)


def menus(most: int = 5) -> st.SearchStrategy[Menu]:
    """Return menus that can be."""
    return st.lists(products(), max_size=most).filter(are_a_menu).map(Menu)


def wish_of(product: Product) -> ProductWish:
    """Return the wish for exactly this product."""
    its_variations = tuple(VariationWish(*one) for one in product.variations)
    return ProductWish._make((*product[:-1], its_variations))


def first_catalogue() -> Catalogue:
    """Return what a new shop begins with."""
    return Catalogue(Menu()).replace(FIRST_MENU, new_ids())[0]
