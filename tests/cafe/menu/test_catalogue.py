"""What happens to products: every change is a sequence of allowed transitions, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.menu.catalogue import (
    TRANSITIONS,
    Action,
    Catalogue,
    Change,
    ProductWish,
    Status,
    UnknownProductError,
    VariationWish,
)
from cafe.menu.product import Menu, MenuError, NameTakenError, Product, Variation
from tests.cafe.menu.menus import first_catalogue, menus, new_ids, wish_of


def replaced(catalogue: Catalogue, menu: Menu) -> tuple[Catalogue, list[Change]]:
    return catalogue.replace([wish_of(one) for one in menu.products], new_ids())


def applied(changes: list[Change], status: dict[str, Status]) -> None:
    """Apply transitions to the statuses of products; each has to be allowed."""
    for change in changes:
        product_id = change.product.product_id
        assert status.get(product_id) == change.before
        if change.before is None:
            assert (change.action, change.after) == (Action.ADD, Status.ON_MENU)
        else:
            assert TRANSITIONS[change.before, change.action] is change.after
        status[product_id] = change.after


@given(steps=st.lists(menus(3), max_size=4))
def test_any_menu_follows_any_other_by_allowed_transitions(steps: list[Menu]) -> None:
    catalogue, status = Catalogue(Menu()), dict[str, Status]()
    rows: dict[tuple[str, str], Variation] = {}
    for menu in steps:
        catalogue, changes = replaced(catalogue, menu)
        assert catalogue.menu.products == menu.products
        applied(changes, status)
        assert catalogue.deleted == {one for one, at in status.items() if at is Status.DELETED}
        assert {one for one, at in status.items() if at is Status.SOLD_OUT} == {
            one.product_id for one in menu.products if one.sold_out
        }
        for change in changes:
            product_id = change.product.product_id
            rows |= {(product_id, one.variation_id): one for one in change.product.variations}
            for one in change.gone:
                del rows[product_id, one.variation_id]
        assert rows == {
            (product.product_id, one.variation_id): one
            for product in menu.products
            for one in product.variations
        }


@given(menu=menus())
def test_the_same_menu_again_changes_nothing_also_by_names_alone(menu: Menu) -> None:
    catalogue, _ = replaced(Catalogue(Menu()), menu)
    wishes = [
        wish_of(one)._replace(
            product_id=None,
            variations=tuple(VariationWish(None, *each[1:]) for each in one.variations),
        )
        for one in menu.products
    ]
    for again in ([wish_of(one) for one in menu.products], wishes):
        after, changes = catalogue.replace(again, new_ids())
        assert after.menu.products == menu.products
        assert changes == []


def test_a_new_product_without_a_position_is_the_last() -> None:
    wish = ProductWish("tea", "Tea", base_price_cents=200)
    after, (change,) = first_catalogue().add(wish, new_ids())
    assert (change.action, change.before, change.after) == (Action.ADD, None, Status.ON_MENU)
    assert after.menu.products[-1] == Product("tea", "Tea", "", "", 70, 200, sold_out=False)


def test_a_product_that_is_added_sold_out_has_two_events() -> None:
    wish = ProductWish("tea", "Tea", base_price_cents=200, sold_out=True)
    _, changes = first_catalogue().add(wish, new_ids())
    assert [one.action for one in changes] == [Action.ADD, Action.SELL_OUT]


def test_a_change_leaves_what_it_does_not_name() -> None:
    catalogue = first_catalogue()
    before = catalogue.find("latte")
    after, (change,) = catalogue.change("latte", ProductWish(base_price_cents=0), new_ids())
    assert after.find("latte") == before._replace(base_price_cents=0) == change.product
    assert change.action is Action.CHANGE
    same, none = after.change("latte", ProductWish(name="Latte", sold_out=False), new_ids())
    assert (same.menu.products, none) == (after.menu.products, [])


def test_a_variation_that_is_not_listed_leaves_and_one_without_an_id_is_found_by_its_name() -> None:
    wish = ProductWish(
        variations=(
            VariationWish(None, "VANILLA", 35),
            VariationWish("latte-hazelnut", "Nut", 40),
            VariationWish(None, "Hazelnut", 45),
        )
    )
    after, (change,) = first_catalogue().change("latte", wish, new_ids())
    assert after.find("latte").variations == (
        Variation("latte-vanilla", "VANILLA", 35),
        Variation("latte-hazelnut", "Nut", 40),
        Variation("new-1", "Hazelnut", 45),
    )
    assert [one.variation_id for one in change.gone] == ["latte-pumpkin-spice"]


def test_a_variation_of_another_product_is_unknown() -> None:
    wish = ProductWish(variations=(VariationWish("macchiato-vanilla", "Vanilla", 0),))
    with pytest.raises(MenuError) as refused:
        first_catalogue().change("latte", wish, new_ids())
    assert refused.value.place == (0, "variations", 0, "id")
    with pytest.raises(MenuError):
        first_catalogue().add(wish._replace(product_id="x", name="X"), new_ids())


def test_a_price_below_zero_with_a_variation_that_is_there_is_refused() -> None:
    cheap = ProductWish(variations=(VariationWish(None, "Small", -400),))
    catalogue, _ = first_catalogue().change("latte", cheap, new_ids())
    with pytest.raises(MenuError):
        catalogue.change("latte", ProductWish(base_price_cents=399), new_ids())


def test_a_name_that_another_product_has_is_taken() -> None:
    with pytest.raises(NameTakenError):
        first_catalogue().add(ProductWish("x", "LATTE"), new_ids())
    with pytest.raises(NameTakenError):
        first_catalogue().change("latte", ProductWish(name="Donuts"), new_ids())
    first_catalogue().change("latte", ProductWish(name="LATTE"), new_ids())


def test_a_name_that_a_change_frees_can_be_taken_in_the_same_replacement() -> None:
    wishes = [
        ProductWish("latte", "Old Latte", base_price_cents=1),
        ProductWish(None, "Americano", base_price_cents=2),
        ProductWish(None, "Donut", base_price_cents=3),
    ]
    after, _ = first_catalogue().replace(wishes, new_ids())
    assert [one.product_id for one in after.menu.products] == ["latte", "americano", "new-1"]
    swapped = [
        ProductWish("latte", "Donut", base_price_cents=1),
        ProductWish("new-1", "Old Latte", base_price_cents=2),
    ]
    assert after.replace(swapped, new_ids())[0].menu.names() == ["Donut", "Old Latte"]


def test_a_deleted_product_comes_back_by_its_id_only() -> None:
    deleted, (change,) = first_catalogue().delete("latte")
    assert (change.action, change.after) == (Action.DELETE, Status.DELETED)
    assert len(change.gone) == 3
    assert deleted.delete("latte") == (deleted, [])
    with pytest.raises(UnknownProductError):
        deleted.change("latte", ProductWish(), new_ids())
    named, changes = deleted.add(ProductWish("x", "Latte"), new_ids())
    assert [one.action for one in changes] == [Action.ADD]
    assert named.deleted == {"latte"}
    back, changes = replaced(deleted, first_catalogue().menu)
    assert [one.action for one in changes] == [Action.RESTORE]
    assert (back.menu.products, back.deleted) == (first_catalogue().menu.products, frozenset())


def test_a_product_that_never_was_cannot_be_deleted() -> None:
    with pytest.raises(UnknownProductError):
        first_catalogue().delete("tea")


def test_a_wish_without_a_position_comes_behind_the_one_before_it() -> None:
    wishes = [
        ProductWish(None, "B", position=7),
        ProductWish(None, "A"),
        ProductWish("latte", "Latte"),
    ]
    after, _ = first_catalogue().replace(wishes, new_ids())
    assert [(one.name, one.position) for one in after.menu.products] == [
        ("B", 7),
        ("A", 17),
        ("Latte", 27),
    ]
