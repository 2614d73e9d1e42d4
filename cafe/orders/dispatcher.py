"""THE Dispatcher: the actor who owns all order state.

Rule: whatever happens to an order happens here, in one atomic turn each (plain `def`), on the pure
order book. Customers and baristas who wait are kept replies: the duty to answer them is a value.

A customer who hangs up, a barista who stops waiting: their reply is abandoned, and the callback
that tells so is a turn like any other. So an order is never handed to somebody who has gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

from actors import Actor, Reply, Timer
from cafe.orders.messages import (
    CancelOrder,
    Claim,
    CloseShop,
    CountQueue,
    CutOff,
    FindOrder,
    FinishOrder,
    ListOrders,
    PlaceOrder,
    QueueCount,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from cafe.orders.order import Change, Order, Status
from cafe.orders.queue import OrderBook
from cafe.orders.refusals import (
    CutOffFromQueue,
    KeyReused,
    OrderCancelled,
    QueueFull,
    ShopClosing,
    TooManyWaiting,
    refusing,
)
from cafe.orders.view import View
from cafe.orders.waiting import Barista, Customer, WaitingBaristas, WaitingCustomers


@dataclass(frozen=True, slots=True)
class Rules:
    """The shop's settings that concern orders."""

    lease_seconds: float = 180.0
    max_waiting: int = 10_000
    key_ttl_seconds: float = 86_400.0


class Dispatcher(Actor):
    """Owns every order, from the ticket to the hand-over."""

    def __init__(
        self, rules: Rules, clock: Callable[[], float], record: Callable[[Change], None]
    ) -> None:
        """Keep orders by `rules`.

        `clock` tells seconds since the epoch; `record` is told of every transition, in order.
        """
        self._rules = rules
        self._clock = clock
        self._record = record
        self._book = OrderBook(
            lease_seconds=rules.lease_seconds, key_ttl_seconds=rules.key_ttl_seconds
        )
        self._customers = WaitingCustomers()
        self._baristas = WaitingBaristas()
        self._lease_timer: Timer | None = None
        self._closing: ShopClosing | None = None

    # Customers

    @PlaceOrder.deferred
    def place(self, message: PlaceOrder, reply: Reply[Standing]) -> None:
        """Give the message's key its order, or put a new one in the queue."""
        order = self._find_by_key(message) or self._place_new(message)
        self._wait_for(order, reply, message.hold, collects=True)
        self._hand_out()

    @FindOrder.deferred
    def find(self, message: FindOrder, reply: Reply[Standing]) -> None:
        """Show an order to whoever knows its id."""
        with refusing("found"):
            order = self._book.find(message.order_id)
        self._wait_for(order, reply, message.hold, collects=False)

    @CancelOrder.handler
    def cancel(self, message: CancelOrder) -> Standing:
        """Cancel an order while it waits."""
        with refusing("cancelled"):
            change = self._book.cancel(message.order_id, self._clock())
        if change is not None:
            self._note(change)
        return self._standing(self._book.find(message.order_id))

    @CutOff.handler
    def cut_off(self, message: CutOff) -> int:
        """Take a banned address's orders out of the queue, kept ones too."""
        changes = self._book.cut_off(message.address, self._clock())
        for change in changes:
            for customer in self._customers.dismiss(change.order.order_id):
                customer.reply.fail(CutOffFromQueue(message.seconds))
            self._record(change)
        return len(changes)

    # Baristas

    @StartOrder.deferred
    def start(self, message: StartOrder, reply: Reply[Claim | None]) -> None:
        """Let a barista wait for the next order; those who came first get theirs first."""
        if message.hold <= 0 and not self._book.waiting:
            reply.send(None)
            return
        timer = self.after(message.hold, partial(self._send_away, reply)) if message.hold else None
        self._baristas.add(reply, Barista(message.barista, timer))
        reply.on_abandoned(partial(self._baristas.remove, reply))
        self._hand_out()

    @FinishOrder.handler
    def finish(self, message: FinishOrder) -> Order:
        """Declare an order ready, and hand it to whoever waits for it."""
        with refusing("finished"):
            change = self._book.finish(message.order_id, self._clock())
        if change is not None:
            self._note(change)
        return self._book.find(message.order_id)

    @ReleaseOrder.handler
    def release(self, message: ReleaseOrder) -> Order:
        """Give a claimed order back to its old place in the queue."""
        with refusing("released"):
            changes = self._book.release(message.order_id, self._clock())
        self._note(*changes)
        self._hand_out()
        return changes[-1].order

    # Whoever looks on

    @ListOrders.handler
    def list_orders(self, _message: ListOrders) -> list[Standing]:
        """List what waits and what is being prepared, oldest first."""
        return [self._standing(order) for order in self._book.live()]

    @CountQueue.handler
    def count(self, _message: CountQueue) -> QueueCount:
        """Tell how busy the shop is."""
        has_room = self._book.waiting < self._rules.max_waiting
        return self._view.count(accepting=has_room and self._closing is None)

    @CloseShop.handler
    def close(self, message: CloseShop) -> int:
        """Answer everybody who waits, and refuse every order from now on."""
        self._closing = ShopClosing("The shop is closing; come back soon.", message.retry_after)
        for reply in self._baristas.dismiss_all():
            reply.send(None)
        told = [customer.reply.fail(self._closing) for customer in self._customers.dismiss_all()]
        return sum(told)

    # Placing

    def _find_by_key(self, message: PlaceOrder) -> Order | None:
        if message.key is None:
            return None
        order = self._book.find_by_key(message.address, message.key, self._clock())
        if order is not None and (order.drink, order.name) != (message.drink, message.name):
            raise KeyReused
        return order

    def _place_new(self, message: PlaceOrder) -> Order:
        if self._closing is not None:
            raise self._closing
        if self._book.waiting >= self._rules.max_waiting:
            raise QueueFull("The queue is full; come back a little later.", self._view.retry_after)
        if self._book.waiting_from(message.address) >= message.max_waiting:
            raise TooManyWaiting(message.max_waiting, self._view.retry_after)
        change = self._book.place(
            secrets.token_urlsafe(12),
            message.drink,
            message.name,
            message.address,
            message.key,
            self._clock(),
        )
        self._record(change)
        return change.order

    # Waiting customers

    def _wait_for(
        self, order: Order, reply: Reply[Standing], hold: float, *, collects: bool
    ) -> None:
        if order.ended or hold <= 0:
            self._answer_now(order, reply, collects=collects)
            return
        customer = Customer(reply, collects)
        if hold < inf:
            customer.timer = self.after(hold, partial(self._stop_waiting, order.order_id, customer))
        self._customers.add(order.order_id, customer)
        reply.on_abandoned(partial(self._hang_up, order.order_id, customer))

    def _answer_now(self, order: Order, reply: Reply[Standing], *, collects: bool) -> None:
        """Answer with the order as it stands; it is no longer bound to the connection."""
        unbound = self._book.unbind(order.order_id, self._clock()) if collects else None
        if unbound is not None:
            self._record(unbound)
        got_it = reply.send(self._standing(order))
        if got_it and collects and order.status is Status.READY:
            self._record(self._book.hand_over(order.order_id, self._clock()))

    def _stop_waiting(self, order_id: str, customer: Customer) -> None:
        self._customers.remove(order_id, customer)
        self._answer_now(self._book.find(order_id), customer.reply, collects=customer.collects)

    def _hang_up(self, order_id: str, customer: Customer) -> None:
        self._customers.remove(order_id, customer)
        if customer.collects:
            change = self._book.abandon(order_id, self._clock())
            if change is not None:
                self._note(change)

    # Waiting baristas

    def _hand_out(self) -> None:
        """Give waiting orders to waiting baristas, both in the order in which they came."""
        while self._baristas and self._book.waiting:
            reply, barista = self._baristas.take_first()
            change = self._book.start(barista, self._clock())
            self._record(change)
            reply.send(Claim(change.order, self._book.waiting))
        self._watch_leases()

    def _send_away(self, reply: Reply[Claim | None]) -> None:
        self._baristas.remove(reply)
        reply.send(None)

    def _watch_leases(self) -> None:
        expiry = self._book.next_expiry()
        if self._lease_timer is None and expiry is not None:
            self._lease_timer = self.after(max(0.0, expiry - self._clock()), self._expire)

    def _expire(self) -> None:
        self._lease_timer = None
        self._note(*self._book.expire(self._clock()))
        self._hand_out()

    # What a change entails

    def _note(self, *changes: Change) -> None:
        """Record the changes, and answer those who waited for an order that has ended."""
        for change in changes:
            self._record(change)
            if change.order.ended:
                self._settle(change.order)

    def _settle(self, order: Order) -> None:
        handed_over = False
        for customer in self._customers.dismiss(order.order_id):
            if customer.collects and order.status is Status.CANCELLED:
                customer.reply.fail(OrderCancelled())
            else:
                handed_over |= customer.reply.send(self._standing(order)) and customer.collects
        if handed_over:
            self._record(self._book.hand_over(order.order_id, self._clock()))

    @property
    def _view(self) -> View:
        return View(self._book, len(self._baristas), self._clock())

    def _standing(self, order: Order) -> Standing:
        return self._view.standing(order)
