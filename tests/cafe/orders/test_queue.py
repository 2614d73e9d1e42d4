"""The order book, one rule at a time; `test_queue_model.py` compares all of it with a model."""

from __future__ import annotations

import pytest

from cafe.orders.order import Order, Status
from cafe.orders.queue import MOST_RECENT, OrderBook, UnknownOrderError

LEASE = 100.0
ADDRESSES = ("10.0.0.1", "10.0.0.2")


TTL = 1_000_000.0  # longer than any run of the model, in which no key expires


def a_book() -> OrderBook:
    return OrderBook(lease_seconds=LEASE, key_ttl_seconds=TTL, most_recent=MOST_RECENT)


def place(book: OrderBook, order_id: str, *, now: float = 0.0, key: str | None = None) -> None:
    book.place(order_id, "americano", None, ADDRESSES[0], key, now)


def test_each_action_on_an_unknown_order_is_an_error() -> None:
    book = a_book()
    for act in (book.finish, book.release, book.cancel, book.abandon, book.hand_over):
        with pytest.raises(UnknownOrderError):
            act("unknown", 0.0)


def test_a_key_finds_its_order_until_its_time_is_over() -> None:
    book = a_book()
    place(book, "first", key="k")
    assert book.find_by_key(ADDRESSES[0], "k", TTL + 1) is not None, "a live order keeps its key"
    book.start(None, 1.0)
    book.finish("first", 10.0)
    held = book.find_by_key(ADDRESSES[0], "k", TTL - 1)
    assert held is not None
    assert held.order_id == "first"
    assert book.find_by_key(ADDRESSES[0], "k", TTL) is None


def test_a_key_is_found_only_for_the_address_that_used_it() -> None:
    book = a_book()
    place(book, "first", key="k")
    assert book.find_by_key(ADDRESSES[1], "k", 0.0) is None


def test_the_key_of_a_cancelled_order_is_free_again() -> None:
    book = a_book()
    place(book, "first", key="k")
    book.cancel("first", 1.0)
    assert book.find_by_key(ADDRESSES[0], "k", 2.0) is None


def test_a_lease_expires_in_time_though_its_order_was_abandoned_or_unbound() -> None:
    book = a_book()
    for number, order_id in enumerate(("first", "second", "third")):
        place(book, order_id)
        book.start(None, float(number))
    assert book.abandon("first", 5.0) is not None
    assert book.unbind("second", 6.0) is not None
    assert book.next_expiry() == LEASE
    assert [changes[0].order.order_id for changes in book.expire(LEASE + 1)] == ["first", "second"]


def test_a_forgotten_order_can_be_added_again_with_its_key() -> None:
    book = a_book()
    place(book, "first", key="k")
    book.start(None, 0.0)
    finished = book.finish("first", 0.0)
    assert finished is not None
    book.forget("first")
    assert "first" not in book.orders
    assert book.find_by_key(ADDRESSES[0], "k", 2.0) is None
    book.remember(finished.order)
    assert book.find("first") == book.find_by_key(ADDRESSES[0], "k", 2.0) == finished.order
    book.hand_over("first", 3.0)
    book.remember(finished.order)
    assert book.find("first").status is Status.DELIVERED, "the book is ahead of the ledger"
    assert book.by_status[Status.DELIVERED] == 1


def test_a_claim_is_found_by_its_id_while_it_holds() -> None:
    book = a_book()
    for order_id in ("first", "second"):
        place(book, order_id)
    claimed = book.start("Bo", 0.0, "c").order
    assert book.claimed_by("c") == claimed
    book.release("first", 1.0)
    assert book.claimed_by("c") is None
    assert book.start("Kim", 2.0, "c").order.order_id == "first"
    book.finish("first", 3.0)
    assert book.claimed_by("c") is None


def test_a_book_resumes_from_the_snapshot_of_a_ledger() -> None:
    before = a_book()
    for number, order_id in enumerate(("first", "second", "third")):
        place(before, order_id, key=f"k{number}", now=float(number))
    before.start("Bo", 3.0)
    book = a_book()
    old = Order("old", 4, "americano", None, ADDRESSES[0], 0.0, "k", False, status=Status.READY)
    book.resume(before.live(), [old], 7, [9.0], now=5.0)
    assert book.live() == before.live()
    assert (len(book.queue), len(book.leases), book.next_expiry()) == (2, 1, 3.0 + LEASE)
    assert book.find_by_key(ADDRESSES[0], "k", 5.0) == old
    assert book.brewing_seconds == 9.0
    assert book.find_by_key(ADDRESSES[0], "k2", 5.0) == before.find("third")
    assert book.start(None, 5.0).order.order_id == "second", "oldest first"
    place(book, "new")
    assert book.find("new").number == 8, "numbers go on from the last one"


def test_an_old_order_does_not_take_its_key_from_a_newer_one() -> None:
    book = a_book()
    old = Order("old", 1, "americano", None, ADDRESSES[0], 0.0, "k", bound=False)
    new = old._replace(order_id="new", number=2, placed_at=TTL, status=Status.READY)
    book.remember(new)
    book.remember(old._replace(status=Status.DELIVERED))
    found = book.find_by_key(ADDRESSES[0], "k", TTL + 1)
    assert found == new
    book = a_book()
    book.remember(old._replace(status=Status.DELIVERED))
    book.remember(new)
    assert book.find_by_key(ADDRESSES[0], "k", TTL + 1) == new
