"""THE Dispatcher: the actor who owns all order state.

Rule: whatever happens to an order happens here, in one atomic turn each (plain `def`), on the pure
order book. Customers and baristas who wait are kept replies: the duty to answer them is a value.

A customer who hangs up, a barista who stops waiting: their reply is abandoned, and the callback
that tells so is a turn like any other. So an order is never handed to somebody who has gone.

Nothing is acknowledged that a crash could undo. Each change is a record, and an answer is a promise
(`answers.py`), kept when the ledger has all that happened before it was made (`cafe/courier.py`
takes the records there). The Dispatcher never waits: turns go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

from actors import Actor, Reply, Timer
from cafe.ledger.messages import LedgerUnavailable, Snapshot
from cafe.orders.answers import Answers
from cafe.orders.messages import (
    AwaitRecords,
    Batch,
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
    RecordsKept,
    RecordsRefused,
    ReleaseOrder,
    Standing,
    StartOrder,
    TakeRecords,
)
from cafe.orders.order import Change, Order, Status
from cafe.orders.outbox import Outbox
from cafe.orders.queue import OrderBook
from cafe.orders.records import order_of
from cafe.orders.refusals import (
    CutOffFromQueue,
    KeyReused,
    OrderCancelled,
    QueueFull,
    ShopClosing,
    TooManyWaiting,
    UnknownOrder,
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
    ledger_seconds: float = 5.0
    """How long whoever asks waits for the ledger, before he is refused."""
    return_seconds: float = 10.0
    """After a crash: how long an order waits for its customer to be asked for again."""


MOST_UNKEPT = 50_000
"""Records that wait for the ledger; beyond, orders are refused at once."""

BEGINNING = Snapshot(
    epoch=1, last_sequence=0, last_number=0, live=(), by_status={}, brewing_seconds=()
)
"""Of a shop that has never been open."""


class OvertakenError(Exception):
    """Another shop has written to the ledger: what this one knows is out of date."""


class Dispatcher(Actor):
    """Owns every order, from the ticket to the hand-over."""

    def __init__(
        self,
        rules: Rules,
        clock: Callable[[], float],
        record: Callable[[Change], None],
        snapshot: Snapshot = BEGINNING,
    ) -> None:
        """Keep orders by `rules`, beginning with what the ledger has.

        `clock` tells seconds since the epoch; `record` is told of every transition, in order.
        """
        self._rules = rules
        # The machine's clock may have been set back since the last event: ours goes on from there.
        behind = max(0.0, snapshot.last_at - clock())
        self._clock: Callable[[], float] = (lambda: clock() + behind) if behind else clock
        self._journal = record
        self._book = OrderBook(
            lease_seconds=rules.lease_seconds, key_ttl_seconds=rules.key_ttl_seconds
        )
        self._book.resume(
            map(order_of, snapshot.live),
            snapshot.last_number,
            {Status(status): number for status, number in snapshot.by_status.items()},
            snapshot.brewing_seconds,
        )
        outbox = Outbox(snapshot.epoch, snapshot.last_sequence)
        self._answers = Answers(outbox, self.after, self._clock, rules.ledger_seconds)
        self._unwritten: dict[str, list[Callable[[], None]]] = {}
        """Orders that the ledger may not take; what is to be done once it has."""
        self._customers = WaitingCustomers()
        self._baristas = WaitingBaristas()
        self._lease_timer: Timer | None = None
        self._closing: ShopClosing | None = None
        # In the first epoch of a process nobody is left who held a connection in the last.
        self._patience = rules.return_seconds if snapshot.epoch > 1 else 0.0

    def on_start(self) -> None:
        """Look after the orders that were there before: their leases, and their customers."""
        self._watch_leases()
        if self._patience:
            self.after(self._patience, self._abandon_the_unclaimed)
        else:
            self._abandon_the_unclaimed()

    # Customers

    @PlaceOrder.deferred
    def place(self, message: PlaceOrder, reply: Reply[Standing]) -> None:
        """Give the message's key or id its order, or put a new one in the queue."""
        self._recall(message.recalled)
        try:
            order = self._find_placed(message)
        except OrderCancelled as cancelled:
            self._answers.fail(reply, cancelled)
            return
        if order is not None:
            self._wait_for(order, reply, message.hold, collects=True)
            return
        order = self._place_new(message)
        if message.hold > 0:
            self._wait_for(order, reply, message.hold, collects=True)
        else:
            self._answer_now(order, reply, collects=True)
        self._hand_out()

    @FindOrder.deferred
    def find(self, message: FindOrder, reply: Reply[Standing]) -> None:
        """Show an order to whoever knows its id."""
        self._recall(message.recalled)
        with refusing("found"):
            order = self._book.find(message.order_id)
        self._wait_for(order, reply, message.hold, collects=False)

    @CancelOrder.deferred
    def cancel(self, message: CancelOrder, reply: Reply[Standing]) -> None:
        """Cancel an order while it waits."""
        self._recall(message.recalled)
        with self._answers.telling_conflicts(reply), refusing("cancelled"):
            change = self._book.cancel(message.order_id, self._clock())
            if change is not None:
                self._note(change)
            self._answers.send(reply, self._standing(self._book.find(message.order_id)))

    @CutOff.handler
    def cut_off(self, message: CutOff) -> int:
        """Take a banned address's orders out of the queue, kept ones too."""
        changes = self._book.cut_off(message.address, self._clock())
        for change in changes:
            self._record(change)
            for customer in self._customers.dismiss(change.order.order_id):
                self._answers.fail(customer.reply, CutOffFromQueue(message.seconds))
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

    @FinishOrder.deferred
    def finish(self, message: FinishOrder, reply: Reply[Order]) -> None:
        """Declare an order ready, and hand it to whoever waits for it."""
        self._recall(message.recalled)
        with self._answers.telling_conflicts(reply), refusing("finished"):
            change = self._book.finish(message.order_id, self._clock())
            if change is not None:
                self._note(change)
            self._answers.send(reply, self._book.find(message.order_id))

    @ReleaseOrder.deferred
    def release(self, message: ReleaseOrder, reply: Reply[Order]) -> None:
        """Give a claimed order back to its old place in the queue."""
        self._recall(message.recalled)
        with self._answers.telling_conflicts(reply), refusing("released"):
            changes = self._book.release(message.order_id, self._clock())
            self._note(*changes)
            self._answers.send(reply, changes[-1].order)
            self._hand_out()

    # Whoever looks on

    @ListOrders.handler
    def list_orders(self, _message: ListOrders) -> list[Standing]:
        """List what waits and what is being prepared, oldest first."""
        return [self._standing(order) for order in self._book.live()]

    @CountQueue.handler
    def count(self, _message: CountQueue) -> QueueCount:
        """Tell how busy the shop is."""
        has_room = self._book.waiting < self._rules.max_waiting
        return self._view.count(
            accepting=has_room and self._closing is None, unkept=self._answers.unkept
        )

    @CloseShop.deferred
    def close(self, message: CloseShop, reply: Reply[int]) -> None:
        """Answer everybody who waits, and refuse every order from now on."""
        self._closing = ShopClosing("The shop is closing; come back soon.", message.retry_after)
        for barista in self._baristas.dismiss_all():
            barista.send(None)
        told = [customer.reply.fail(self._closing) for customer in self._customers.dismiss_all()]
        self._answers.wait_no_longer()
        self._answers.send(reply, sum(told))

    # The way to the ledger

    @AwaitRecords.deferred
    def await_records(self, _message: AwaitRecords, reply: Reply[None]) -> None:
        """Let the courier wait until there is something to take."""
        self._answers.call_courier(reply)

    @TakeRecords.handler
    def take_records(self, _message: TakeRecords) -> Batch:
        """Give the courier what has gathered."""
        return self._answers.take()

    @RecordsKept.handler
    def keep_promises(self, message: RecordsKept) -> None:
        """Answer whoever waited for the ledger."""
        self._answers.kept(message.epoch, message.last)

    @RecordsRefused.handler
    def begin_anew(self, message: RecordsRefused) -> None:
        """Crash, if it is this instance whose records the ledger will never take."""
        if self._answers.are_of(message.epoch):
            raise OvertakenError

    def _record(self, change: Change) -> None:
        self._journal(change)
        self._answers.record(change)

    # Placing

    def _find_placed(self, message: PlaceOrder) -> Order | None:
        if self._book.knows(message.order_id):
            placed = self._book.find(message.order_id)
            if placed.status is Status.CANCELLED:
                raise OrderCancelled
            return placed
        order = self._find_by_key(message)
        if order is None and (message.again or self._is_out_of_date(message.recalled)):
            raise UnknownOrder
        if order is not None and (order.drink, order.name) != (message.drink, message.name):
            raise KeyReused
        return order

    def _find_by_key(self, message: PlaceOrder) -> Order | None:
        if message.key is None:
            return None
        return self._book.find_by_key(message.address, message.key, self._clock())

    def _is_out_of_date(self, found: Order | None) -> bool:
        """Tell whether an order has ended, and was forgotten, since the ledger was asked."""
        return found is not None and not found.ended and not self._book.knows(found.order_id)

    def _recall(self, order: Order | None) -> None:
        if order is not None:
            self._book.recall(order)

    def _place_new(self, message: PlaceOrder) -> Order:
        if self._closing is not None:
            raise self._closing
        if self._answers.unkept > MOST_UNKEPT:
            raise LedgerUnavailable
        if self._book.waiting >= self._rules.max_waiting:
            raise QueueFull("The queue is full; come back a little later.", self._view.retry_after)
        if self._book.waiting_from(message.address) >= message.max_waiting:
            raise TooManyWaiting(message.max_waiting, self._view.retry_after)
        change = self._book.place(
            message.order_id,
            message.drink,
            message.name,
            message.address,
            message.key,
            self._clock(),
        )
        self._record(change)
        self._unwritten[message.order_id] = []
        self._answers.promise(
            partial(self._is_written, message.order_id), partial(self._take_back, message.order_id)
        )
        return change.order

    def _is_written(self, order_id: str) -> None:
        """Answer those who wanted to wait no longer, when the ledger has taken the order."""
        for stop_waiting in self._unwritten.pop(order_id):
            stop_waiting()

    def _take_back(self, order_id: str) -> None:
        """Refuse an order that the ledger did not take in time; nobody was told of it yet."""
        del self._unwritten[order_id]
        for customer in self._customers.dismiss(order_id):
            customer.reply.fail(LedgerUnavailable())
        change = self._book.withdraw(order_id, self._clock(), "not in the ledger in time")
        if change is not None:
            self._note(change)

    # Waiting customers

    def _wait_for(
        self, order: Order, reply: Reply[Standing], hold: float, *, collects: bool
    ) -> None:
        unwritten = order.order_id in self._unwritten
        if order.ended or (hold <= 0 and not unwritten):
            self._answer_now(order, reply, collects=collects)
            return
        customer = Customer(reply, collects)
        stop_waiting = partial(self._stop_waiting, order.order_id, customer)
        self._customers.add(order.order_id, customer)
        reply.on_abandoned(partial(self._hang_up, order.order_id, customer))
        if hold <= 0:
            stop_waiting()
        elif hold < inf:
            customer.timer = self.after(hold, stop_waiting)

    def _answer_now(self, order: Order, reply: Reply[Standing], *, collects: bool) -> None:
        """Answer with the order as it stands; it is no longer bound to the connection."""
        if collects:
            self._deliver(order)
        self._answers.send(reply, self._standing(order), patient=self._has_only_this(order))

    def _has_only_this(self, order: Order) -> bool:
        """Tell whether an order that is in the ledger would be lost with its connection."""
        return order.bound and order.order_id not in self._unwritten

    def _deliver(self, order: Order) -> None:
        """Note what becomes of an order in the hands of its customer."""
        now = self._clock()
        unbound = self._book.unbind(order.order_id, now)
        if unbound is not None:
            self._record(unbound)
        if order.status is Status.READY:
            self._record(self._book.hand_over(order.order_id, now))

    def _stop_waiting(self, order_id: str, customer: Customer) -> None:
        if order_id in self._unwritten:
            # It may be taken back yet: nobody is to be told of it, and go, before that is sure.
            self._unwritten[order_id].append(partial(self._stop_waiting, order_id, customer))
        elif self._customers.remove(order_id, customer):
            self._answer_now(self._book.find(order_id), customer.reply, collects=customer.collects)

    def _hang_up(self, order_id: str, customer: Customer) -> None:
        if self._customers.remove(order_id, customer) and customer.collects:
            self._abandon(order_id, None)

    def _abandon(self, order_id: str, reason: str | None) -> None:
        change = self._book.abandon(order_id, self._clock(), reason)
        if change is not None:
            self._note(change)

    def _abandon_the_unclaimed(self) -> None:
        """Abandon the orders whose customers' connections did not survive the last start."""
        for order in self._book.live():
            if order.bound and not self._customers.collect(order.order_id):
                self._abandon(order.order_id, "its connection was gone after a restart")

    # Waiting baristas

    def _hand_out(self) -> None:
        """Give waiting orders to waiting baristas, both in the order in which they came."""
        while self._baristas and self._book.waiting:
            reply, barista = self._baristas.take_first()
            change = self._book.start(barista, self._clock())
            self._record(change)
            order = change.order
            # Until he has been answered, it comes back from a barista who has gone.
            reply.on_abandoned(partial(self._come_back, order, "its barista had gone"))
            self._answers.promise(
                partial(reply.send, Claim(order, self._book.waiting)),
                partial(self._take_back_claim, reply, order),
            )
        self._watch_leases()

    def _take_back_claim(self, reply: Reply[Claim | None], order: Order) -> None:
        reply.fail(LedgerUnavailable())
        self._come_back(order, "not in the ledger in time")

    def _come_back(self, order: Order, reason: str) -> None:
        """Put an order back of whose claim nobody knows, if that claim still holds."""
        if self._book.is_claimed(order):
            self._note(*self._book.release(order.order_id, self._clock(), reason))
            self._hand_out()

    def _send_away(self, reply: Reply[Claim | None]) -> None:
        self._baristas.remove(reply)
        reply.send(None)

    def _watch_leases(self) -> None:
        if self._lease_timer is not None:
            return
        expiry = self._book.next_expiry()
        if expiry is not None:
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
        customers = self._customers.dismiss(order.order_id)
        standing = self._standing(order)
        if any(customer.collects for customer in customers):
            self._deliver(order)
        for customer in customers:
            if customer.collects and order.status is Status.CANCELLED:
                self._answers.fail(customer.reply, OrderCancelled())
            else:
                self._answers.send(customer.reply, standing, patient=self._has_only_this(order))

    @property
    def _view(self) -> View:
        return View(self._book, len(self._baristas), self._clock())

    def _standing(self, order: Order) -> Standing:
        return self._view.standing(order)
