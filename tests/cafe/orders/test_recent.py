"""Which orders the book forgets: the oldest beyond a number, and none that is not committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cafe.orders.order import Order, Status
from cafe.orders.queue import OrderBook


def a_book(most_recent: int) -> OrderBook:
    return OrderBook(lease_seconds=1.0, key_ttl_seconds=1.0, most_recent=most_recent)


def forgotten(book: OrderBook, order_id: str, written: int, committed: int) -> list[str]:
    """Change an ended order; return the orders that are forgotten by that, the oldest first."""
    book.remember(Order(order_id, 1, "americano", None, "", 0.0, status=Status.READY, ended_at=0.0))
    before = list(book.orders)
    book.keep_recent(order_id, written, committed)
    return [one for one in before if one not in book.orders]


def test_the_oldest_are_forgotten_first() -> None:
    book = a_book(2)
    changes = enumerate("abcd", 1)
    assert [forgotten(book, order_id, written, 4) for written, order_id in changes] == [
        [],
        [],
        ["a"],
        ["b"],
    ]


def test_an_order_that_is_not_committed_is_not_forgotten() -> None:
    book = a_book(1)
    for written, order_id in enumerate("abc", 1):
        assert forgotten(book, order_id, written, 0) == []
    assert forgotten(book, "d", 4, 1) == ["a"]
    assert forgotten(book, "e", 5, 1) == []
    assert forgotten(book, "f", 6, 3) == ["b", "c"]


def test_an_order_that_changes_again_becomes_the_youngest() -> None:
    book = a_book(1)
    assert forgotten(book, "a", 1, 0) == []
    assert forgotten(book, "b", 2, 0) == []
    assert forgotten(book, "a", 3, 3) == ["b"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3))), st.integers(1, 4))
def test_no_order_whose_last_change_is_uncommitted_is_ever_forgotten(
    steps: list[tuple[str, int]], most: int
) -> None:
    book, last, committed = a_book(most), dict[str, int](), 0
    for written, (order_id, behind) in enumerate(steps, 1):
        committed = max(committed, written - behind)
        last[order_id] = written
        for one in forgotten(book, order_id, written, committed):
            assert last.pop(one) <= committed
        uncommitted = sum(one > committed for one in last.values())
        assert len(last) <= max(most, uncommitted + 1)
