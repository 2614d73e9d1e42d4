"""Ids of orders: those that were given are known, and nothing else is taken for one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.orders.ids import MAC_BYTES, SECRET_BYTES, UNSIGNED_LENGTH, OrderIds
from cafe.orders.tables import orders

SECRET = bytes(range(SECRET_BYTES))
SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
LENGTH = 24
OLD = "bPqX_tOKH9QLV1k8"


@given(secret=SECRETS, has_unsigned=st.booleans())
def test_every_id_that_was_made_may_exist_for_all_with_its_secret(
    secret: bytes, *, has_unsigned: bool
) -> None:
    order_id = OrderIds(secret).new()
    assert OrderIds(secret, has_unsigned=has_unsigned).may_exist(order_id)


@given(st.one_of(st.text(), st.text(alphabet="AZaz09-_", min_size=LENGTH, max_size=LENGTH)))
def test_whatever_was_not_made_does_not_exist(order_id: str) -> None:
    assert not OrderIds(SECRET).may_exist(order_id)


@given(secret=SECRETS, other=SECRETS)
def test_an_id_of_another_ledger_does_not_exist(secret: bytes, other: bytes) -> None:
    assert OrderIds(other).may_exist(OrderIds(secret).new()) is (secret == other)


@given(
    place=st.integers(0, LENGTH - 1),
    letter=st.characters(codec="utf-8"),
    has_unsigned=st.booleans(),
)
def test_an_id_with_one_character_changed_does_not_exist(
    place: int, letter: str, *, has_unsigned: bool
) -> None:
    ids = OrderIds(SECRET, has_unsigned=has_unsigned)
    order_id = ids.new()
    changed = order_id[:place] + letter + order_id[place + 1 :]
    assert ids.may_exist(changed) is (changed == order_id)


@pytest.mark.parametrize("has_unsigned", [False, True])
def test_a_part_of_an_id_and_more_than_one_do_not_exist(*, has_unsigned: bool) -> None:
    ids = OrderIds(SECRET, has_unsigned=has_unsigned)
    order_id = ids.new()
    for length in range(LENGTH):
        assert ids.may_exist(order_id[:length]) is (has_unsigned and length == UNSIGNED_LENGTH)
    for more in ("A", "=", "\n", " ", "/", "\0", order_id, "x" * 1_000):
        assert not ids.may_exist(order_id + more)
        assert not ids.may_exist(more + order_id)


@pytest.mark.parametrize("has_unsigned", [False, True])
@pytest.mark.parametrize(
    "order_id", ["", "\0", "é" * 16, "\ud800" * 24, "☕" * 24, "\uff11" * 24, "x" * 100_000]
)
def test_what_is_no_id_at_all_does_not_exist(order_id: str, *, has_unsigned: bool) -> None:
    assert not OrderIds(SECRET, has_unsigned=has_unsigned).may_exist(order_id)


def test_an_id_from_before_ids_were_signed_may_exist_where_there_are_such_orders() -> None:
    assert OrderIds(SECRET, has_unsigned=True).may_exist(OLD)
    assert not OrderIds(SECRET).may_exist(OLD)


def test_an_id_fits_into_its_column_and_into_a_path() -> None:
    order_id = OrderIds(SECRET).new()
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}", order_id)
    assert len(order_id) == UNSIGNED_LENGTH + MAC_BYTES * 4 // 3 == LENGTH
    assert len(order_id) <= getattr(orders.c.order_id.type, "length", 0)


def test_ids_do_not_repeat() -> None:
    ids = OrderIds(SECRET)
    assert len({ids.new() for _ in range(1_000)}) == 1_000


def test_the_secret_is_not_shown() -> None:
    shown = repr(OrderIds(b"secret" * 6))
    assert "secret" not in shown
