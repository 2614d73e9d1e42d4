"""The order book: Hypothesis compares it with a naive model, then each rule has a test of its own.

The model is one flat list, which is searched for each question.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from cafe.orders.order import NEXT, Action, Basket, NotAllowedError, Order, Status
from cafe.orders.queue import MOST_RECENT, OrderBook, UnknownOrderError
from tests.cafe.ledger.order_histories import basket
from tests.chance import examples

LEASE = 100.0
ADDRESSES = ("10.0.0.1", "10.0.0.2")


TTL = 1_000_000.0  # longer than any run of the model, in which no key expires


def a_book() -> OrderBook:
    return OrderBook(lease_seconds=LEASE, key_ttl_seconds=TTL, most_recent=MOST_RECENT)


def place(book: OrderBook, order_id: str, *, now: float = 0.0, key: str | None = None) -> None:
    book.place(order_id, "americano", None, ADDRESSES[0], key, now)


@dataclass
class Known:
    """One order as the model has it."""

    order_id: str
    number: int
    address: str
    bound: bool
    key: str | None
    basket: Basket | None
    is_paid: bool
    status: Status = Status.WAITING
    lease_until: float = 0.0
    lapsed: bool = False
    abandoned: bool = False
    starts: int = 0
    returns: int = 0


class BookAgainstModel(RuleBasedStateMachine):
    """Does the same to the order book and to the model."""

    orders = Bundle("orders")

    @initialize()
    def open_book(self) -> None:
        self.book = a_book()
        self.known: dict[str, Known] = {}
        self.now = 0.0

    def in_status(self, status: Status) -> list[Known]:
        found = [one for one in self.known.values() if one.status is status]
        return sorted(found, key=lambda one: one.number)

    @rule(
        target=orders,
        address=st.sampled_from(ADDRESSES),
        keyed=st.booleans(),
        wanted=st.sampled_from([None, basket(), basket(prepaid=True)]),
    )
    def place(self, address: str, *, keyed: bool, wanted: Basket | None) -> str:
        order_id = f"order-{len(self.known)}"
        key = f"key-{order_id}" if keyed else None
        change = self.book.place(order_id, "americano", None, address, key, self.now, basket=wanted)
        is_paid = wanted is not None and wanted.prepaid
        self.known[order_id] = Known(
            order_id,
            change.order.number,
            address,
            bound=not keyed and wanted is None,
            key=key,
            basket=wanted,
            is_paid=is_paid,
        )
        return order_id

    @rule()
    def start(self) -> None:
        waiting = self.in_status(Status.WAITING)
        if not waiting:
            with pytest.raises(IndexError):
                self.book.start("Bo", self.now)
            return
        change = self.book.start("Bo", self.now)
        assert change.order.order_id == waiting[0].order_id, "not the oldest"
        self.started(waiting[0], LEASE)

    def started(self, one: Known, lease: float) -> None:
        one.status = Status.PREPARATION
        one.lease_until = self.now + lease
        one.starts += 1
        assert one.starts == one.returns + 1, "handed out twice"

    @rule(order_id=orders, lease=st.sampled_from((0.0, 2 * LEASE)))
    def step(self, order_id: str, lease: float) -> None:
        one = self.known[order_id]
        if one.status not in NEXT:
            with pytest.raises(NotAllowedError):
                self.book.step(order_id, "Di", self.now)
            return
        change = self.book.step(order_id, "Di", self.now, lease_seconds=lease)
        assert (change.order.status, change.by) == (NEXT[one.status], "Di")
        if one.status is Status.WAITING:
            self.started(one, max(lease, LEASE))
        one.status = change.order.status

    @rule(order_id=orders)
    def finish(self, order_id: str) -> None:
        one = self.known[order_id]
        late = one.status is Status.WAITING and one.lapsed
        if one.status is Status.PREPARATION or late:
            change = self.book.finish(order_id, self.now)
            assert change is not None
            assert change.action is (Action.FINISH_LATE if late else Action.FINISH)
            one.status = Status.READY
        elif one.status in {Status.READY, Status.DELIVERED}:
            assert self.book.finish(order_id, self.now) is None
        else:
            with pytest.raises(NotAllowedError):
                self.book.finish(order_id, self.now)

    def give_back(self, one: Known) -> None:
        one.returns += 1
        one.status = Status.CANCELLED if one.abandoned else Status.WAITING

    @rule(order_id=orders)
    def release(self, order_id: str) -> None:
        one = self.known[order_id]
        if one.status is Status.PREPARATION:
            self.book.release(order_id, self.now)
            self.give_back(one)
        else:
            with pytest.raises(NotAllowedError):
                self.book.release(order_id, self.now)

    @rule(seconds=st.sampled_from((1.0, 60.0, 100.0, 250.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.book.expire(self.now)
        for one in self.in_status(Status.PREPARATION):
            if one.lease_until <= self.now:
                one.lapsed = True
                self.give_back(one)

    @rule(order_id=orders)
    def cancel(self, order_id: str) -> None:
        one = self.known[order_id]
        if one.status is Status.WAITING:
            self.book.cancel(order_id, self.now)
            one.status = Status.CANCELLED
        elif one.status is Status.CANCELLED:
            assert self.book.cancel(order_id, self.now) is None
        else:
            with pytest.raises(NotAllowedError):
                self.book.cancel(order_id, self.now)

    @rule(order_id=orders)
    def disconnect(self, order_id: str) -> None:
        one = self.known[order_id]
        self.book.abandon(order_id, self.now)
        if one.bound and one.status is Status.WAITING:
            one.status = Status.CANCELLED
        elif one.bound and one.status is Status.PREPARATION:
            one.abandoned = True

    @rule(address=st.sampled_from(ADDRESSES))
    def cut_off(self, address: str) -> None:
        self.book.cut_off(address, self.now)
        for one in self.in_status(Status.WAITING):
            if one.address == address and not one.is_paid:
                one.status = Status.CANCELLED

    @rule(order_id=orders)
    def hand_over(self, order_id: str) -> None:
        one = self.known[order_id]
        if one.status is Status.READY:
            self.book.hand_over(order_id, self.now)
            one.status = Status.DELIVERED

    @invariant()
    def no_order_is_lost_and_each_stands_where_the_model_says(self) -> None:
        for one in self.known.values():
            order = self.book.find(one.order_id)
            assert (order.number, order.status) == (one.number, one.status)

    @invariant()
    def a_key_leads_to_its_order_until_a_plain_one_is_cancelled(self) -> None:
        for one in self.known.values():
            scope = one.address if one.basket is None else one.basket.scope
            found = self.book.find_by_key(scope, one.key or "", self.now)
            is_free = one.status is Status.CANCELLED and one.basket is None
            assert found == (None if one.key is None or is_free else self.book.find(one.order_id))

    @invariant()
    def what_is_ready_is_listed(self) -> None:
        listed = {order.order_id for order in self.book.ready()}
        assert listed == {one.order_id for one in self.in_status(Status.READY)}

    @invariant()
    def the_queue_is_what_waits_oldest_first(self) -> None:
        waiting = self.in_status(Status.WAITING)
        live = [order.number for order in self.book.live() if order.status is Status.WAITING]
        assert live == [one.number for one in waiting]
        for position, one in enumerate(waiting, start=1):
            assert (
                self.book.standing(self.book.find(one.order_id), 0, self.now).position == position
            )

    @invariant()
    def every_count_agrees_with_the_orders(self) -> None:
        counts = {status: len(self.in_status(status)) for status in Status}
        assert self.book.by_status == counts
        assert len(self.book.queue) == counts[Status.WAITING]
        assert len(self.book.leases) == counts[Status.PREPARATION]
        for address in ADDRESSES:
            waiting = [w for w in self.in_status(Status.WAITING) if w.address == address]
            assert self.book.waiting_from[address] == len(waiting)

    @invariant()
    def the_next_expiry_is_the_earliest_lease(self) -> None:
        leases = [one.lease_until for one in self.in_status(Status.PREPARATION)]
        assert self.book.next_expiry() == min(leases, default=None)


TestBookAgainstModel = BookAgainstModel.TestCase
TestBookAgainstModel.settings = settings(
    max_examples=examples(150), stateful_step_count=40, deadline=None
)


# One rule at a time


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
