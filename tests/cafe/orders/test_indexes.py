"""What may be forgotten: the oldest beyond a number, and nothing that is not committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cafe.orders.indexes import Recent


def test_the_oldest_are_forgotten_first() -> None:
    recent = Recent(2)
    for written, order_id in enumerate("abcd", 1):
        recent.add(order_id, written)
    assert list(recent.forgettable(4)) == ["a", "b"]
    assert list(recent.forgettable(4)) == []


def test_what_is_not_committed_is_not_forgotten() -> None:
    recent = Recent(1)
    for written, order_id in enumerate("abc", 1):
        recent.add(order_id, written)
    assert list(recent.forgettable(1)) == ["a"]
    assert list(recent.forgettable(1)) == []
    assert list(recent.forgettable(2)) == ["b"]


def test_an_order_that_changes_again_becomes_the_youngest() -> None:
    recent = Recent(1)
    recent.add("a", 1)
    recent.add("b", 2)
    recent.add("a", 3)
    assert list(recent.forgettable(3)) == ["b"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3))), st.integers(1, 4))
def test_no_order_whose_last_change_is_uncommitted_is_ever_forgotten(
    steps: list[tuple[str, int]], most: int
) -> None:
    recent, last, committed = Recent(most), dict[str, int](), 0
    for written, (order_id, behind) in enumerate(steps, 1):
        recent.add(order_id, written)
        last[order_id] = written
        committed = max(committed, written - behind)
        for forgotten in recent.forgettable(committed):
            assert last.pop(forgotten) <= committed
        uncommitted = sum(one > committed for one in last.values())
        assert len(last) <= max(most, uncommitted + 1)
