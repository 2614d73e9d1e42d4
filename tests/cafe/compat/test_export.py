"""What the records of an export may hold, and what is said of those that are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher, Type
from hypothesis import given
from hypothesis import strategies as st

from cafe.accounts.importing import check_hash
from cafe.compat.imports.json_file import JsonFileError
from cafe.compat.imports.moving import Export
from cafe.compat.imports.orders import CoffeeShopOrder, Item, lines_of, shares_of
from cafe.ledger.importing import WrongRecordError
from cafe.menu.product import Menu, Product, Variation
from cafe.orders.order import Status
from tests.cafe.compat.exports import DIGEST, HASH, SALT, USER, Row, export_of

ORDER: Row = {
    "order_id": 7,
    "user_id": 1,
    "items": {"Latte": {"quantity": 2}},
    "total_price": 8,
    "status": "PENDING",
    "created_at": "2026-02-01T08:00:00",
}
LINE: Row = {"product_id": "latte", "name": "Latte", "quantity": 2, "unit_price_cents": 400}
SOLD: Row = {**ORDER, "items": [LINE], "total_cents": 800, "status": "preparation"}
BROUGHT: Row = {"sid": 3, "name": "Cake", "district": "North", "courier_sid": "c1", "status": 1}
MENU = Menu(
    [
        Product("latte", "Latte", "", "", 1, 400, False, (Variation("v", "Vanilla", 30),)),
        Product("tap-water", "Tap Water", "", "", 2, 0, sold_out=False),
    ]
)


def read(system: str = "functech", **lists: list[dict[str, Any]]) -> Export:
    """Read an export of these records, a line each."""
    return Export(system, export_of(**lists).encode(), lambda _number: None)


def said_of(system: str = "functech", **lists: list[dict[str, Any]]) -> str:
    """Return what is said of a file that is wrong."""
    with pytest.raises(JsonFileError) as wrong:
        read(system, **lists)
    return str(wrong.value)


def test_users_have_the_names_that_any_of_the_systems_gives_their_members() -> None:
    django = {
        "id": 2,
        "username": "boss",
        "email": "Boss@Example.com",
        "password": f"argon2{HASH}",
        "is_staff": True,
        "is_active": False,
        "date_joined": "2026-01-05T10:00:00+01:00",
        "last_login": None,
    }
    ada, boss = (one.person() for one in read(users=[USER, django]).users)
    assert ada == ("1", "ada@example.com", "ada@example.com", None, "customer", HASH, False, None)
    at = 1_767_603_600.0
    folded = "boss@example.com"
    assert boss == ("2", "Boss@example.com", folded, "boss", "manager", HASH, True, at)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"email": "ada"}, "email: This is not an e-mail address."),
        ({"email": None}, "email: This is not an e-mail address."),
        ({"user_id": "a/b"}, "user_id: String should match pattern '^[A-Za-z0-9_-]{1,64}$'."),
        ({"user_id": True}, "user_id: Input should be a valid string."),
        (
            {"role": "king"},
            "role: Input should be 'customer', 'barista', 'courier' or 'manager'.",
        ),
        ({"username": "a\nb"}, "username: Text has no control characters or surrogates."),
        ({"created_at": 3}, "created_at: A time is text, as in 2026-03-14T09:26:53+01:00."),
        (
            {"date_joined": "1999-13-01T00:00:00Z"},
            "date_joined: A time is text, as in 2026-03-14T09:26:53+01:00.",
        ),
    ],
)
def test_a_wrong_member_of_a_user_is_named_as_the_file_has_it(
    changes: dict[str, Any], said: str
) -> None:
    assert said_of(users=[USER, {**USER, **changes}]) == f":3: users[1].{said}"


def test_a_missing_member_is_named_in_the_line_of_its_record() -> None:
    assert said_of(users=[{"email": "a@example.com"}]) == ":2: users[0].user_id: Field required."


@pytest.mark.parametrize(
    ("kind", "record", "said"),
    [
        ("products", {"name": "Latte"}, ": It has a `price`, or `base_price_cents`."),
        ("products", {"name": "  ", "price": 1}, ".name: This is only white space."),
        (
            "products",
            {"name": "Latte", "price": 1.005},
            ".price: A price is a decimal with at most two places, from 0 to 1000000.",
        ),
        (
            "products",
            {"name": "Latte", "price": 1, "variations": [{"name": "A"}, {}]},
            ".variations[1].name: Field required.",
        ),
        ("tables", {"id": 0, "seats": 4}, ".id: Input should be greater than or equal to 1."),
        ("couriers", {"sid": 1, "name": "Ada", "districts": []}, ".districts: "),
        ("orders", {**ORDER, "status": "LOST"}, ".status: "),
        ("orders", {**ORDER, "items": {"": {}}}, '.items[""]: '),
        ("orders", {**ORDER, "items": {"Flat White": {"quantity": 0}}}, '.items["Flat White"].'),
        (
            "orders",
            {**ORDER, "updated_at": "2026-02-01T07:00:00"},
            ".updated_at: It ended before it was created.",
        ),
    ],
)
def test_a_wrong_member_of_anything_else_is_named(
    kind: str, record: dict[str, Any], said: str
) -> None:
    lists = {kind: [record]}
    assert said_of("functech", **lists).startswith(f":2: {kind}[0]{said}")


def test_an_order_of_coffee_shop_costs_what_its_lines_cost() -> None:
    (order,) = read("coffee-shop", orders=[SOLD]).orders
    assert isinstance(order, CoffeeShopOrder)
    sold = order.sold(MENU)
    assert (sold.status, sold.total_cents, sold.lines[0].total_cents) == (Status.WAITING, 800, 800)
    assert said_of("coffee-shop", orders=[{**SOLD, "total_cents": 700}]) == (
        ":2: orders[0].total_cents: The items cost 800."
    )


def test_prices_and_totals_may_be_as_high_as_in_our_own_calls() -> None:
    product = {"name": "Roaster", "price": 1_000_000}
    functech = {**ORDER, "total_price": 2_000_000}
    assert read(products=[product], orders=[functech]).counts == {"products": 1, "orders": 1}
    line = {**LINE, "unit_price_cents": 100_000_000}
    coffee = {**SOLD, "items": [line], "total_cents": 200_000_000}
    assert read("coffee-shop", orders=[coffee]).counts == {"orders": 1}


def test_what_is_brought_is_in_work_or_finished() -> None:
    assert read("courier-service", orders=[BROUGHT]).orders[0].order_id == "3"
    said = said_of("courier-service", orders=[{**BROUGHT, "status": 3}])
    assert said == ":2: orders[0].status: Input should be 1 or 2."


def test_restaurant_booking_has_no_orders() -> None:
    assert read("restaurant-booking", orders=[]).counts == {"orders": 0}
    said = said_of("restaurant-booking", orders=[ORDER])
    assert said == ":2: orders[0]: restaurant-booking has none of these."


@pytest.mark.parametrize("kind", list(Type))
def test_hashes_of_argon2_are_taken(kind: Type) -> None:
    hasher = PasswordHasher(1, 64, 2, hash_len=16, salt_len=8, type=kind)
    check_hash(hasher.hash("moving house"))


@pytest.mark.parametrize(
    "costs",
    ["m=1048576,t=4,p=1", "m=65536,t=64,p=4", "m=8192,t=100,p=8", "m=8,t=1,p=1"],
)
def test_a_hash_may_cost_as_much_as_this(costs: str) -> None:
    check_hash(f"$argon2id$v=19${costs}${SALT}${DIGEST}")


@pytest.mark.parametrize(
    "costs",
    [
        "m=1048577,t=1,p=1",
        "m=1048576,t=5,p=1",
        "m=8,t=101,p=1",
        "m=4294967295,t=4294967295,p=1",
        "m=8,t=1,p=2",
        "m=8,t=0,p=1",
        "m=8,t=1,p=0",
    ],
)
def test_a_hash_that_would_hold_sign_ins_up_is_refused(costs: str) -> None:
    with pytest.raises(WrongRecordError, match="would hold up"):
        check_hash(f"$argon2id$v=19${costs}${SALT}${DIGEST}")


@pytest.mark.parametrize(
    "password_hash",
    [
        "",
        "secret123",
        "$2b$12$C6UzMDM.H6dfI/f/IKcEeO1E6TtBdWLZ0JjXo7m1d6ZlPy3kHkGJS",
        "pbkdf2_sha256$600000$salt$hash",
        f"$argon2id$v=19$m=64,t=1,p=1${SALT}$short",
        f"$argon2id$v=19$m=64,t=1,p=1${SALT}$not base64 at all",
        f"{HASH}$more",
        f"$argon2id$v=19$m=99999999999,t=1,p=1${SALT}${DIGEST}",
        f"$argon2id$v=99$m=64,t=1,p=1${SALT}${DIGEST}",
    ],
)
def test_anything_but_a_hash_of_argon2_is_refused(password_hash: str) -> None:
    with pytest.raises(WrongRecordError, match="A password's hash is argon2's"):
        check_hash(password_hash)


@given(
    items=st.lists(
        st.builds(
            Item,
            st.sampled_from(["Latte", "latte", "Tap Water", "Old Blend"]),
            st.sampled_from([None, "Vanilla", "Caramel"]),
            st.integers(1, 50),
        ),
        min_size=1,
        max_size=6,
    ),
    total=st.integers(1, 100_000),
)
def test_lines_make_the_total_and_keep_their_quantities(items: list[Item], total: int) -> None:
    lines = lines_of(items, total, MENU)
    assert sum(one.total_cents for one in lines) == total
    assert min(one.unit_price_cents for one in lines) >= 0
    for name in ("latte", "tap-water", "imported"):
        ids = {"latte": "latte", "tap water": "tap-water", "old blend": "imported"}
        wanted = sum(one.quantity for one in items if ids[one.name.lower()] == name)
        assert sum(one.quantity for one in lines if one.product_id == name) == wanted


def test_lines_have_the_prices_of_the_menu_if_these_make_the_total() -> None:
    items = [Item("latte", "vanilla", 2), Item("Tap Water", None, 1)]
    vanilla = ("latte", "v", "Latte", "Vanilla", 2, 430)
    water = ("tap-water", None, "Tap Water", None, 1, 0)
    assert lines_of(items, 860, MENU) == (vanilla, water)
    assert lines_of(items, 0, MENU) == (vanilla, water)


def test_where_a_share_is_no_whole_number_of_cents_some_units_cost_one_more() -> None:
    lines = lines_of([Item("Old Blend", None, 3)], 1_000, MENU)
    assert [one[4:] for one in lines] == [(2, 333), (1, 334)]


@given(total=st.integers(0, 10**8), weights=st.lists(st.integers(1, 10**6), min_size=1))
def test_shares_are_whole_and_within_one_of_the_exact_ones(total: int, weights: list[int]) -> None:
    shares = shares_of(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    assert all(
        abs(share * whole - total * weight) < whole
        for share, weight in zip(shares, weights, strict=True)
    )
