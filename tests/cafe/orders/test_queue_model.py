"""The order book against a model, by Hypothesis: one flat list, which is searched each time."""

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

from cafe.orders.order import (
    NEXT,
    NO_ADDRESS,
    Action,
    Basket,
    Destination,
    NotAllowedError,
    Status,
)
from tests.cafe.ledger.order_histories import HARBOUR, basket
from tests.cafe.orders.test_queue import ADDRESSES, LEASE, a_book
from tests.chance import examples


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
    destination: Destination | None = None
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
        brought=st.booleans(),
    )
    def place(self, address: str, *, keyed: bool, wanted: Basket | None, brought: bool) -> str:
        order_id = f"order-{len(self.known)}"
        key = f"key-{order_id}" if keyed else None
        to = HARBOUR if brought and wanted is not None else None
        change = self.book.place(
            order_id, "americano", None, address, key, self.now, basket=wanted, destination=to
        )
        is_paid = wanted is not None and wanted.prepaid
        self.known[order_id] = Known(
            order_id,
            change.order.number,
            address,
            bound=not keyed and wanted is None,
            key=key,
            basket=wanted,
            is_paid=is_paid,
            destination=to,
        )
        return order_id

    @rule(target=orders)
    def publish(self) -> str:
        order_id = f"order-{len(self.known)}"
        change = self.book.publish(order_id, "2 sandwiches", HARBOUR, self.now, "Di")
        assert (change.before, change.by, change.order.ended_at) == (None, "Di", self.now)
        self.known[order_id] = Known(
            order_id,
            change.order.number,
            NO_ADDRESS,
            bound=False,
            key=None,
            basket=None,
            is_paid=False,
            destination=HARBOUR,
            status=Status.READY,
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

    @rule(order_id=orders)
    def call_off(self, order_id: str) -> None:
        one = self.known[order_id]
        if one.status is not Status.READY:
            with pytest.raises(NotAllowedError):
                self.book.call_off(order_id, self.now)
            return
        ready = self.book.find(order_id)
        change = self.book.call_off(order_id, self.now, "Di", "nobody was there")
        assert (change.by, change.reason) == ("Di", "nobody was there")
        order = change.order
        assert (order.ended_at, order.started_at) == (ready.ended_at, ready.started_at)
        assert (order.barista, order.claim, order.lease_expires_at) == (None, None, None)
        one.status = Status.CANCELLED

    @invariant()
    def no_order_is_lost_and_each_stands_where_the_model_says(self) -> None:
        for one in self.known.values():
            order = self.book.find(one.order_id)
            assert (order.number, order.status) == (one.number, one.status)
            assert order.destination == one.destination

    @invariant()
    def ticket_numbers_go_up_by_one_however_an_order_begins(self) -> None:
        numbers = [one.number for one in self.known.values()]
        assert numbers == list(range(1, len(numbers) + 1))

    @invariant()
    def a_key_leads_to_its_order_until_a_plain_one_is_cancelled(self) -> None:
        for one in self.known.values():
            scope = one.address if one.basket is None else one.basket.scope
            found = self.book.find_by_key(scope, one.key or "", self.now)
            is_free = one.status is Status.CANCELLED and one.basket is None
            assert found == (None if one.key is None or is_free else self.book.find(one.order_id))

    @invariant()
    def what_is_ready_is_listed(self) -> None:
        for order_id in self.known:
            if self.book.find(order_id).ended:  # as its owner does at each change
                self.book.keep_recent(order_id, 0, 0)
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
