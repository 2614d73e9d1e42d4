"""The cache of Idempotency-Keys: it never denies a key that the ledger has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.ledger.department import Drop, Event, Logged, Put
from cafe.orders.kept_keys import KeptKeys, UsedKey
from cafe.orders.order import Order
from cafe.orders.tables import drop_key, orders, put_key, row_of

ADDRESS = "192.0.2.1"
TTL = 100.0


def put_order(order: Order) -> Put:
    return Put(orders, row_of(order))


def order_of(key: str, used_at: float) -> Order:
    return Order(f"order {used_at}", 1, "americano", None, ADDRESS, used_at, key, bound=False)


def logged(*changes: Put | Drop) -> list[Logged]:
    """Return a commit with these changes."""
    event = Event("order", "place", None, "waiting", 0.0)
    return [Logged(1, "orders", event, changes)]


STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from("abcdef"), st.sampled_from([0.0, 1.0, 40.0, 300.0])),
    max_size=30,
)


@given(steps=STEPS, most=st.integers(1, 4), jump=st.sampled_from([0.0, -250.0]))
def test_a_key_that_the_ledger_has_is_never_denied(
    steps: list[tuple[bool, str, float]], most: int, jump: float
) -> None:
    kept, now, used = KeptKeys(TTL, most), 1_000.0, dict[str, float]()
    for number, (is_used, key, pause) in enumerate(steps):
        now += pause + (jump if number == 9 else 0.0)  # as between two processes
        order = order_of(key, now)
        kept.hear(logged(put_order(order), put_key(order) if is_used else drop_key(order)))
        used[key] = now
        if not is_used:
            del used[key]
        for one, used_at in used.items():
            if used_at >= now - TTL:
                assert kept.may_have(ADDRESS, one, now - TTL)


def test_a_new_key_a_freed_one_and_one_of_another_address_are_denied() -> None:
    kept = KeptKeys(TTL)
    first, second = order_of("first", 1.0), order_of("second", 2.0)
    kept.hear(logged(put_order(first), put_key(first)))
    kept.hear(logged(put_order(second), put_key(second)))
    kept.hear(logged(put_order(second), drop_key(second)))
    kept.hear(logged(drop_key(second)))
    assert kept.may_have(ADDRESS, "first", -98.0)
    assert not kept.may_have(ADDRESS, "second", -98.0)
    assert not kept.may_have(ADDRESS, "new", -98.0)
    assert not kept.may_have("192.0.2.2", "first", -98.0)


def test_a_key_is_denied_when_its_time_is_over() -> None:
    kept = KeptKeys(TTL)
    kept.add(ADDRESS, "first", 1.0)
    kept.add(ADDRESS, "second", 102.0)
    assert not kept.may_have(ADDRESS, "first", 2.0)
    assert kept.may_have(ADDRESS, "second", 2.0)


@pytest.mark.parametrize(("since", "may_have"), [(1.0, True), (1.5, False)])
def test_with_too_many_keys_each_key_is_looked_up_while_the_oldest_is_valid(
    since: float, *, may_have: bool
) -> None:
    kept = KeptKeys(TTL, most=2)
    for used_at, key in enumerate("abc", 1):
        kept.add(ADDRESS, key, float(used_at))
    assert kept.may_have(ADDRESS, "new", since) is may_have
    assert kept.may_have(ADDRESS, "c", since)


def test_in_doubt_each_key_is_looked_up_until_the_keys_are_loaded_again() -> None:
    kept = KeptKeys(TTL)
    kept.begin([UsedKey("a", "before", 1.0)])
    assert not kept.may_have("a", "new", since=2.0)
    kept.doubt()
    assert kept.may_have("a", "new", since=2.0)
    kept.begin([UsedKey("a", "after", 3.0)])
    assert not kept.may_have("a", "new", since=2.0)
    assert kept.may_have("a", "after", since=2.0)
    assert not kept.may_have("a", "before", since=0.0)
