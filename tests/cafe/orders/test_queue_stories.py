"""The order book, one story at a time; `test_queue.py` has Hypothesis tell thousands."""

from __future__ import annotations

import pytest

from cafe.orders.order import Status
from cafe.orders.queue import UnknownOrderError
from tests.cafe.orders.test_queue import ADDRESSES, LEASE, TTL, a_book, place


def test_an_unknown_order_is_an_error_whatever_is_done_with_it() -> None:
    book = a_book()
    for act in (book.finish, book.release, book.cancel, book.abandon, book.hand_over):
        with pytest.raises(UnknownOrderError):
            act("nobody's", 0.0)


def test_a_key_leads_to_its_order_until_the_time_is_over() -> None:
    book = a_book()
    place(book, "first", key="k")
    book.start(None, 1.0)
    book.finish("first", 10.0)
    held = book.find_by_key(ADDRESSES[0], "k", TTL + 9)
    assert held is not None
    assert held.order_id == "first"
    assert book.find_by_key(ADDRESSES[0], "k", TTL + 10) is None
    with pytest.raises(UnknownOrderError):
        book.find("first")


def test_a_key_is_known_only_to_the_address_that_used_it() -> None:
    book = a_book()
    place(book, "first", key="k")
    assert book.find_by_key(ADDRESSES[1], "k", 0.0) is None


def test_the_key_of_a_cancelled_order_is_free_again() -> None:
    book = a_book()
    place(book, "first", key="k")
    book.cancel("first", 1.0)
    assert book.find_by_key(ADDRESSES[0], "k", 2.0) is None


def test_ended_orders_of_nobody_in_particular_are_bounded() -> None:
    book = a_book()
    for number in range(3_000):
        place(book, f"order-{number}", now=float(number))
        book.start(None, float(number))
        book.finish(f"order-{number}", float(number))
    with pytest.raises(UnknownOrderError):
        book.find("order-0")
    assert book.find("order-2999").status is Status.READY


def test_a_lease_keeps_its_place_when_its_customer_goes_or_comes_back_later() -> None:
    book = a_book()
    for number, order_id in enumerate(("first", "second", "third")):
        place(book, order_id)
        book.start(None, float(number))
    assert book.abandon("first", 5.0) is not None
    assert book.unbind("second", 6.0) is not None
    assert book.next_expiry() == LEASE
    assert [change.order.order_id for change in book.expire(LEASE + 1)][0::2] == ["first", "second"]


def test_what_can_be_collected_later_outlives_what_cannot() -> None:
    book = a_book()
    place(book, "accepted")
    book.unbind("accepted", 0.0)
    book.start(None, 0.0)
    book.finish("accepted", 0.0)
    for number in range(2_000):
        place(book, f"order-{number}", now=1.0)
        book.start(None, 1.0)
        book.finish(f"order-{number}", 1.0)
    assert book.find("accepted").status is Status.READY
