"""The tables of the menu on both databases: what is stored is loaded, text for text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Executable, Table, delete, func, insert, select, update

from cafe.ledger.checking import check
from cafe.ledger.store import Store, Unit, open_store
from cafe.ledger.tables import events
from cafe.menu.catalogue import Catalogue, Change
from cafe.menu.department import MENU
from cafe.menu.first import FIRST_MENU
from cafe.menu.product import MOST_CENTS, Menu, Product, Variation
from cafe.menu.queries import load_menu
from cafe.menu.schemas import LAST_POSITION
from cafe.menu.tables import entry_of, products, variations
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.menu.menus import TRICKY, menus, new_ids, wish_of


def stored(store: Store, changes: Sequence[Change], at: float = 1.0) -> None:
    """Commit the changes of one turn."""
    store.commit([Unit("menu", tuple(entry_of(one, at, None) for one in changes))])


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(menus(3), max_size=4))
def test_what_is_loaded_is_what_the_model_says(steps: list[Menu]) -> None:
    store, catalogue = FaultyStore(), Catalogue(Menu())
    store.begin()
    for number, menu in enumerate(steps, 1):
        catalogue, changes = catalogue.replace([wish_of(one) for one in menu.products], new_ids())
        stored(store, changes, float(number))
        loaded = store.read(load_menu)
        assert loaded.catalogue.menu.products == catalogue.menu.products
        assert loaded.catalogue.deleted == catalogue.deleted
        assert loaded.is_new == (not (menu.products or catalogue.deleted))
    assert [one for one in store.broken_promises() if "menu" in one] == []


def test_every_text_that_the_edge_lets_in_is_kept_on_both_databases(durable_url: str) -> None:
    listed = [
        Product(
            f"p{number}",
            f"{number} {text}",
            text,
            text,
            LAST_POSITION,
            MOST_CENTS,
            sold_out=bool(number % 2),
            variations=(Variation("v", text, -MOST_CENTS), Variation("w", f"{text}w", MOST_CENTS)),
        )
        for number, text in enumerate(TRICKY)
    ]
    catalogue, changes = Catalogue(Menu()).replace([wish_of(one) for one in listed], new_ids())
    with closing(open_store(durable_url)) as store:
        store.begin()
        assert store.read(load_menu).is_new
        stored(store, changes)
        fewer, deleting = catalogue.delete("p3")
        stored(store, deleting, 2.0)
    with closing(open_store(durable_url)) as store:
        loaded = store.read(load_menu)
        assert set(loaded.catalogue.menu.products) == set(fewer.menu.products)
        assert loaded.catalogue.deleted == {"p3"}
        assert not loaded.is_new
        checked = store.read(lambda connection: list(check(connection, [MENU])))
        assert [str(one) for one in checked if one.findings] == []


def count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_rows_of_what_was_deleted_stay(durable_url: str) -> None:
    catalogue, changes = Catalogue(Menu()).replace(FIRST_MENU, new_ids())
    with closing(open_store(durable_url)) as store:
        store.begin()
        stored(store, changes)
        _, deleting = catalogue.replace((), new_ids())
        stored(store, deleting, 2.0)
        for table, rows in ((products, 6), (variations, 13)):
            assert store.read(partial(count, table=table)) == rows


BREAKING: dict[str, tuple[Executable, str]] = {
    "another status": (
        update(products).where(products.c.product_id == "latte").values(status="sold out"),
        "every product stands where its last event left it",
    ),
    "no events": (
        delete(events).where(events.c.subject == "latte"),
        "every product stands where its last event left it",
    ),
    "a low price": (
        update(variations)
        .where(variations.c.variation_id == "latte-vanilla")
        .values(price_change_cents=-401),
        "no price on the menu is below zero",
    ),
    "one name": (
        update(products).where(products.c.product_id == "latte").values(name="Americano"),
        "no two products on the menu have the same name",
    ),
    "a variation of a deleted product": (
        insert(variations).values(
            product_id="donuts",
            variation_id="x",
            position=1,
            name="X",
            price_change_cents=0,
            deleted=False,
        ),
        "a deleted product has no variations on the menu",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), BREAKING.values(), ids=BREAKING)
def test_a_broken_promise_is_found(damage: Executable, sentence: str, durable_url: str) -> None:
    catalogue, changes = Catalogue(Menu()).replace(FIRST_MENU, new_ids())
    _, deleting = catalogue.delete("donuts")
    with closing(open_store(durable_url)) as store:
        store.begin()
        stored(store, [*changes, *deleting])

        def broken() -> list[str]:
            promises = store.read(lambda connection: list(check(connection, [MENU])))
            return [one.sentence for one in promises if one.findings]

        assert broken() == []
        store.maintain(lambda connection: connection.execute(damage))
        assert sentence in broken()
