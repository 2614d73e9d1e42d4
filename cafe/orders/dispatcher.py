"""The Dispatcher: the actor that owns all order state.

Rule: every change of an order is one atomic turn here (plain `def`), on the pure order book.
Customers and baristas who wait are kept replies.

Each change is written to the journal in the turn in which it happens, and replies are sent
through the journal, which holds them until the entries before them are committed. So no client
sees a state that a crash could undo, and the Dispatcher never waits. An order is assigned to a
barista only once it is committed: a row that the database refuses affects its customer alone.

There is no time-out here. An asker bounds its own wait; an ask that is cancelled is a hang-up, and
its callback is a turn like any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf

from actors import Actor, ActorError, Reply, Timer
from cafe.http.refusals import Closing
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.journal import Journal
from cafe.orders.holdings import Holdings
from cafe.orders.messages import (
    AwaitOrder,
    CallOff,
    CancelOrder,
    CheckRoom,
    Claim,
    CloseShop,
    CollectOrder,
    CountQueue,
    CutOff,
    FindOrder,
    FindOrders,
    FindPlaced,
    FinishOrder,
    HandOver,
    HangUp,
    HoldOrders,
    KeepOrder,
    LeaveFront,
    LeaveOrder,
    ListOrders,
    ListReady,
    LoadOrders,
    MoveOrder,
    OrderPage,
    PauseOrders,
    PlaceOrder,
    PublishOrder,
    QueueCount,
    ReleaseOrder,
    ResumeOrders,
    Standing,
    StartOrder,
)
from cafe.orders.order import (
    BREWED,
    NEXT,
    Change,
    NotAllowedError,
    Order,
    Status,
    account_scope,
)
from cafe.orders.pause import PauseChange, Sign
from cafe.orders.pause_table import entry_of_pause
from cafe.orders.queries import Snapshot
from cafe.orders.queue import MOST_RECENT, OrderBook
from cafe.orders.refusals import (
    CutOffFromQueue,
    ForgottenOrder,
    KeyReused,
    NeedsCourier,
    OrderCancelled,
    OrderConflict,
    Paused,
    QueueFull,
    TooManyWaiting,
    UnknownOrder,
    WrongStep,
)
from cafe.orders.tables import entry_of
from cafe.orders.waiting import WaitingCustomers

MOST_UNCOMMITTED = 50_000
"""Changes that may wait for the ledger; beyond this, new orders are refused."""
RETRY_SECONDS = 5.0
"""Retry-After while no brewing time is known."""

Load = Callable[[], Awaitable[tuple[Journal, Snapshot]]]
"""Opens the next journal; returns it with the orders that the ledger has."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that concern orders."""

    lease_seconds: float = 180.0
    max_waiting: int = 10_000
    key_ttl_seconds: float = 86_400.0
    unclaimed_seconds: float = 10.0
    """The interval between checks: a bound order with no customer at two in a row is abandoned."""
    has_fronts: bool = False
    """Whether customers wait at fronts: a restart of this process does not disconnect them."""


class Dispatcher(Actor):
    """Owns every order, from the ticket number to the hand-over."""

    def __init__(
        self,
        rules: Rules,
        clock: Callable[[], float],
        load: Load,
        loaded: tuple[Journal, Snapshot],
        closing: Closing,
        *,
        holdings: Holdings | None = None,
    ) -> None:
        """Start from what was `loaded`; `holdings` are those of the instance before this.

        `clock` returns seconds since the epoch, as `Ledger.now` does.
        """
        self._rules = rules
        self._clock = clock
        self._load = load
        self._closing = closing
        self._customers = WaitingCustomers(Holdings() if holdings is None else holdings)
        self._baristas: dict[Reply[Claim | None], StartOrder] = {}
        """The waiting baristas, first come first served."""
        self._lease_timer: Timer | None = None
        self._lease_timer_at = inf
        self._begin(*loaded)

    def _begin(self, journal: Journal, snapshot: Snapshot) -> None:
        self._journal = journal
        self._book = OrderBook(
            lease_seconds=self._rules.lease_seconds,
            key_ttl_seconds=self._rules.key_ttl_seconds,
            most_recent=MOST_RECENT,
        )
        self._book.resume(
            snapshot.live,
            snapshot.recent,
            snapshot.last_number,
            snapshot.brewing_seconds,
            self._clock(),
        )
        self._placing: deque[tuple[int, int]] = deque()
        """Orders that may not be committed yet: the count of entries, and the ticket number."""
        self._placed_through = snapshot.last_number
        """The last ticket number that is committed."""
        self._pausing = snapshot.pausing
        self._sign = Sign(snapshot.pausing)
        """The last committed pause, which customers see."""
        # A held order may have ended in a commit that the instance before this did not see.
        self._customers.holdings.keep(self._book.is_live)
        journal.on_commit(self._on_commit)

    def on_start(self) -> None:
        """Watch the leases and the customers of the orders that were loaded."""
        self._watch_leases()
        self.every(self._rules.unclaimed_seconds, self._abandon_unclaimed)
        if self._journal.number == 1 and not self._rules.has_fronts:
            # The connections of the former process are closed.
            self._customers.suspect(self._book.live())
            self._abandon_unclaimed()

    def on_stop(self) -> None:
        """Unsubscribe from commits; what is written is still committed."""
        self._journal.on_commit(None)

    @LoadOrders.handler
    async def load(self, _message: LoadOrders) -> None:
        """Reload the committed state; waiting customers and baristas keep waiting."""
        self._begin(*await self._load())
        if self._journal.closed:  # the shop closes, and its CloseShop may have come before this
            self._dismiss_all()
        self._watch_leases()
        self._hand_out()

    # Customers

    @PlaceOrder.deferred
    def place(self, message: PlaceOrder, reply: Reply[Standing]) -> None:
        """Answer with the order of the message's key or id, or place a new one."""
        order = self._book.orders.get(message.order_id)
        if order is None and message.key is not None:
            order = self._find_by_key(message, message.key)
            if order is not None and not order.is_wish(message.drink, message.name, message.basket):
                self._journal.refuse(reply, KeyReused())
                return
        if order is None:
            order = self._place_new(message)
            self._hold_placed(message, order, reply)
            if message.key is None:
                reply.on_abandoned(partial(self._withdraw, order.order_id))
            self._journal.reply(reply, self._standing(order))
        elif order.status is Status.CANCELLED and order.basket is None:
            self._journal.refuse(reply, OrderCancelled())
        else:
            self._hold_placed(message, order, reply)
            self._journal.reply(reply, self._standing(order), looks=True)

    @CheckRoom.handler
    def check_room(self, message: CheckRoom) -> None:
        """Raise the refusal that placing a basket would raise now."""
        if self._journal.closed:
            raise self._journal.refusal
        self._refuse_beyond_limits(message.address, message.max_waiting)

    @AwaitOrder.deferred
    def wait(self, message: AwaitOrder, reply: Reply[Standing]) -> None:
        """Answer when the order has ended, and hand it over to its customer."""
        order = self._find(message.order_id)
        if order.ended:
            self._answer_ended(order, reply, collects=message.collects)
            return
        self._customers.add(reply, message)
        if self._closing.refusal is not None:
            self._dismiss(order.order_id)
            return
        reply.on_abandoned(partial(self._remove_waiting, message, reply))

    @HoldOrders.deferred
    def hold(self, message: HoldOrders, reply: Reply[dict[str, Standing]]) -> None:
        """Record that customers wait for orders at a front; hand over the ready ones."""
        standings: dict[str, Standing] = {}
        written = self._journal.written
        for order_id in message.order_ids:
            order = self._book.orders.get(order_id)
            if order is None:
                continue
            standings[order_id] = self._standing(order)
            if not order.ended:
                self._customers.holdings.hold(order_id, message.front, message.hold)
            elif order.status is Status.READY and order.destination is None:
                self._write(self._book.hand_over(order_id, self._clock()))
        reply.on_abandoned(partial(self._drop_holds, message))
        self._journal.reply(reply, standings, looks=self._journal.written == written)

    @LeaveOrder.handler
    def leave_order(self, message: LeaveOrder) -> None:
        """End the wait of a customer at a front; if it was a hang-up, abandon the order."""
        order_id = message.order_id
        self._customers.holdings.leave(order_id, message.front, message.hold)
        if message.hangs_up:
            self._abandon_unless_awaited(order_id)

    @LeaveFront.handler
    def leave_front(self, message: LeaveFront) -> int:
        """End all waits at a front that is gone; abandon bound orders without a customer."""
        left = self._customers.holdings.leave_all(message.front)
        for order_id in left:
            self._abandon_unless_awaited(order_id, "its customer had disconnected")
        return len(left)

    @KeepOrder.deferred
    def keep(self, message: KeepOrder, reply: Reply[Standing]) -> None:
        """Unbind an order from its customer's connection."""
        order = self._find(message.order_id)
        if order.ended:
            self._answer_ended(order, reply, collects=True)
            return
        unbound = self._book.unbind(order.order_id, self._clock())
        if unbound is not None:
            self._write(unbound)
        self._journal.reply(reply, self._standing(order), looks=unbound is None)

    @HangUp.handler
    def hang_up(self, message: HangUp) -> None:
        """Cancel an order whose id was never delivered."""
        self._withdraw(message.order_id)

    @CollectOrder.deferred
    def collect(self, message: CollectOrder, reply: Reply[Standing]) -> None:
        """Hand over an order that only the ledger still had."""
        self._answer_ended(self._recall(message.order), reply, collects=True)

    @FindOrder.deferred
    def find(self, message: FindOrder, reply: Reply[Standing]) -> None:
        """Show an order to a client that knows its id."""
        standing = self._standing(self._find(message.order_id))
        self._journal.reply(reply, standing, looks=True)

    @FindOrders.deferred
    def find_all(self, message: FindOrders, reply: Reply[dict[str, Standing]]) -> None:
        """Show those of several orders that are in memory."""
        found = map(self._book.orders.get, message.order_ids)
        standings = {one.order_id: self._standing(one) for one in found if one is not None}
        self._journal.reply(reply, standings, looks=True)

    @FindPlaced.deferred
    def find_placed(self, message: FindPlaced, reply: Reply[Standing | None]) -> None:
        """Show the order that an account placed with a key."""
        scope = account_scope(message.account_id)
        order = self._book.find_by_key(scope, message.key, self._clock())
        if order is None:
            self._journal.reply(reply, None, looks=True)
        elif order.basket is not None and order.basket.fingerprint != message.fingerprint:
            self._journal.refuse(reply, KeyReused())
        else:
            self._journal.reply(reply, self._standing(order), looks=True)

    @CancelOrder.deferred
    def cancel(self, message: CancelOrder, reply: Reply[Standing]) -> None:
        """Cancel an order while it waits."""
        order = self._find(message.order_id)
        try:
            change = self._book.cancel(order.order_id, self._clock(), message.by)
        except NotAllowedError as no:
            self._journal.refuse(reply, OrderConflict(no.status, "cancelled"))
            return
        if change is not None:
            self._end(change)
        standing = self._standing(self._book.find(message.order_id))
        self._journal.reply(reply, standing, looks=change is None)

    @CutOff.handler
    def cut_off(self, message: CutOff) -> int:
        """Cancel the waiting orders of a banned address, unbound ones too, but no prepaid ones."""
        changes = self._book.cut_off(message.address, self._clock())
        for change in changes:
            self._write(change)
            replies, _ = self._customers.end(change.order.order_id)
            for customer in replies:
                self._journal.refuse(customer, CutOffFromQueue(message.seconds))
        return len(changes)

    # Baristas

    @StartOrder.deferred
    def start(self, message: StartOrder, reply: Reply[Claim | None]) -> None:
        """Answer with a claim of the oldest order; without one, wait or answer None, as asked."""
        if self._closing.refusal is not None:
            raise self._closing.refusal
        held = self._book.claimed_by(message.claim)
        if held is not None:
            self._journal.reply(reply, Claim(held, len(self._book.queue)), looks=True)
            return
        if not message.waits and not self._has_claimable():
            if self._journal.closed:
                raise self._journal.refusal  # the state is about to be loaded again
            reply.send(None)
            return
        self._baristas[reply] = message
        reply.on_abandoned(partial(self._stop_waiting, reply))
        self._hand_out()

    @FinishOrder.deferred
    def finish(self, message: FinishOrder, reply: Reply[Order]) -> None:
        """Declare an order ready, and hand it to its customer if they wait."""
        order = self._find(message.order_id)
        try:
            change = self._book.finish(order.order_id, self._clock())
        except NotAllowedError as no:
            self._journal.refuse(reply, OrderConflict(no.status, "finished"))
            return
        if change is None:
            self._journal.reply(reply, order, looks=True)
            return
        self._end(change)
        self._journal.reply(reply, change.order)

    @ReleaseOrder.deferred
    def release(self, message: ReleaseOrder, reply: Reply[Order]) -> None:
        """Put a claimed order back in its old place in the queue."""
        order = self._find(message.order_id)
        if message.claim is not None and order.claim != message.claim:
            self._journal.reply(reply, order, looks=True)
            return
        try:
            changes = self._book.release(order.order_id, self._clock())
        except NotAllowedError as no:
            self._journal.refuse(reply, OrderConflict(no.status, "released"))
            return
        self._end(*changes)
        self._journal.reply(reply, changes[-1].order)
        self._hand_out()

    # Staff

    @MoveOrder.deferred
    def move(self, message: MoveOrder, reply: Reply[Standing]) -> None:
        """Start, finish or hand over a certain order, whichever is next."""
        order = self._find(message.order_id, message.known)
        if message.status is not NEXT.get(order.status):
            self._journal.refuse(reply, WrongStep(order.status))
            return
        if message.status is Status.DELIVERED and order.destination is not None:
            self._journal.refuse(reply, NeedsCourier(order.status))
            return
        if message.status is Status.PREPARATION and self._closing.refusal is not None:
            raise self._closing.refusal
        change = self._book.step(
            order.order_id, message.by, self._clock(), lease_seconds=message.lease_seconds
        )
        self._end(change)
        self._watch_leases()
        self._journal.reply(reply, self._standing(change.order))

    @PauseOrders.deferred
    def pause(self, message: PauseOrders, reply: Reply[None]) -> None:
        """Refuse new orders until a time; waiting orders are brewed as usual."""
        self._change_pausing(self._pausing.begin(message.pause, self._clock()), reply)

    @ResumeOrders.deferred
    def resume(self, message: ResumeOrders, reply: Reply[None]) -> None:
        """Accept new orders again."""
        self._change_pausing(self._pausing.end(self._clock(), message.by), reply)

    def _change_pausing(self, change: PauseChange | None, reply: Reply[None]) -> None:
        if change is not None:
            self._pausing = change.after
            self._journal.write(entry_of_pause(change))
            self._journal.reply(self._sign, change.after)
        self._journal.reply(reply, None, looks=change is None)

    # Deliveries

    @PublishOrder.deferred
    def publish(self, message: PublishOrder, reply: Reply[Standing]) -> None:
        """Answer with the order of the message's id, or add a new one that is ready."""
        order = self._book.orders.get(message.order_id)
        if order is not None:
            self._journal.reply(reply, self._standing(order), looks=True)
            return
        self._refuse_while_shut()
        change = self._book.publish(
            message.order_id, message.name, message.destination, self._clock(), message.by
        )
        self._write(change)
        self._journal.reply(reply, self._standing(change.order))

    @HandOver.deferred
    def hand_over(self, message: HandOver, reply: Reply[Standing]) -> None:
        """Record that a courier has brought an order."""
        order = self._find(message.order_id, message.known)
        if order.destination is None or order.status not in BREWED:
            self._journal.refuse(reply, OrderConflict(order.status, "handed over by a courier"))
        elif order.status is Status.DELIVERED:
            self._journal.reply(reply, self._standing(order), looks=True)
        else:
            change = self._book.hand_over(order.order_id, self._clock(), message.by)
            self._write(change)
            self._journal.reply(reply, self._standing(change.order))

    @CallOff.deferred
    def call_off(self, message: CallOff, reply: Reply[Standing]) -> None:
        """Cancel an order whose delivery was cancelled."""
        order = self._find(message.order_id, message.known)
        if order.destination is not None and order.status is Status.CANCELLED:
            self._journal.reply(reply, self._standing(order), looks=True)
        elif order.destination is None or order.status is not Status.READY:
            self._journal.refuse(reply, OrderConflict(order.status, "called off"))
        else:
            change = self._book.call_off(order.order_id, self._clock(), message.by, message.reason)
            self._write(change)
            self._journal.reply(reply, self._standing(change.order))

    # Operators and screens

    @ListReady.deferred
    def list_ready(self, _message: ListReady, reply: Reply[list[Order]]) -> None:
        """List the orders in memory that are ready and not handed over."""
        self._journal.reply(reply, self._book.ready(), looks=True)

    @ListOrders.deferred
    def list_orders(self, message: ListOrders, reply: Reply[OrderPage]) -> None:
        """List a page of the orders that wait or are in preparation, oldest first."""
        most = message.most
        orders = self._book.page(message.behind, most + 1, message.barista)
        standings = [self._standing(order) for order in orders[:most]]
        self._journal.reply(reply, OrderPage(standings, len(orders) > most), looks=True)

    @CountQueue.handler
    def count(self, _message: CountQueue) -> QueueCount:
        """Count the orders in memory."""
        book, idle = self._book, len(self._baristas)
        waiting, paused = len(book.queue), self._sign.shown.at(self._clock())
        is_full = waiting >= self._rules.max_waiting
        return QueueCount(
            waiting=waiting,
            preparing=len(book.leases),
            baristas=max(len(book.leases) + idle, 0 if book.brewing_seconds is None else 1),
            eta_seconds=book.eta_seconds(waiting + 1, idle),
            accepting=not is_full and paused is None and self._closing.refusal is None,
            by_status=book.by_status,
            paused=paused,
        )

    @CloseShop.handler
    def close(self, _message: CloseShop) -> int:
        """Answer all who wait; later requests are refused by `Closing`."""
        return self._dismiss_all()

    # Placing

    def _find_by_key(self, message: PlaceOrder, key: str) -> Order | None:
        scope = message.address if message.basket is None else message.basket.scope
        order = self._book.find_by_key(scope, key, self._clock())
        if order is None and message.held_by is not None:
            raise ForgottenOrder
        return order

    def _place_new(self, message: PlaceOrder) -> Order:
        basket = message.basket
        if basket is not None and basket.prepaid:
            self._refuse_while_shut()
        else:
            self._refuse_beyond_limits(message.address, message.max_waiting)
        change = self._book.place(
            message.order_id,
            message.drink,
            message.name,
            message.address,
            message.key,
            self._clock(),
            bound=message.bound,
            basket=basket,
            destination=message.destination,
        )
        self._write(change)
        self._placing.append((self._journal.written, change.order.number))
        return change.order

    def _refuse_while_shut(self) -> None:
        if self._closing.refusal is not None:
            raise self._closing.refusal
        if self._journal.uncommitted > MOST_UNCOMMITTED:
            raise LedgerUnavailable

    def _refuse_beyond_limits(self, address: str, max_waiting: int) -> None:
        self._refuse_while_shut()
        now = self._clock()
        if (pause := self._sign.shown.at(now)) is not None:
            raise Paused(pause, now)
        if len(self._book.queue) >= self._rules.max_waiting:
            raise QueueFull("The queue is full; come back a little later.", self._retry_after())
        if self._book.waiting_from[address] >= max_waiting:
            raise TooManyWaiting(max_waiting, self._retry_after())

    def _retry_after(self) -> float:
        """Return an estimate of the seconds until a place in the queue is free."""
        return self._book.eta_seconds(1, len(self._baristas)) or RETRY_SECONDS

    # Waiting customers

    def _answer_ended(self, order: Order, reply: Reply[Standing], *, collects: bool) -> None:
        """Answer with an order that has ended; hand it over if its customer asks."""
        if order.status is Status.CANCELLED and collects:
            self._journal.refuse(reply, OrderCancelled())
            return
        standing = self._standing(order)
        is_here = order.status is Status.READY and order.destination is None
        handed_over = is_here and collects
        if handed_over:
            self._write(self._book.hand_over(order.order_id, self._clock()))
        self._journal.reply(reply, standing, looks=not handed_over)

    def _hold_placed(self, message: PlaceOrder, order: Order, reply: Reply[Standing]) -> None:
        """Record that the order's customer waits at the front that sent the message."""
        if message.front is None or order.ended:
            return
        holdings = self._customers.holdings
        holdings.hold(order.order_id, message.front, message.hold)
        reply.on_abandoned(partial(holdings.drop, order.order_id, message.front, message.hold))

    def _drop_holds(self, message: HoldOrders) -> None:
        """End holds whose answer did not reach their front."""
        for order_id in message.order_ids:
            self._customers.holdings.drop(order_id, message.front, message.hold)

    def _remove_waiting(self, message: AwaitOrder, reply: Reply[Standing]) -> None:
        """Remove a client whose ask was cancelled; if it was a hang-up, abandon the order."""
        was_waiting = self._customers.remove(reply, message)
        if was_waiting and message.collects and not message.timed:
            self._abandon(message.order_id)

    def _abandon(self, order_id: str, reason: str | None = None) -> None:
        change = self._book.abandon(order_id, self._clock(), reason)
        if change is not None:
            self._end(change)

    def _abandon_unless_awaited(self, order_id: str, reason: str | None = None) -> None:
        if order_id in self._book.orders and not self._customers.has_customer(order_id):
            self._abandon(order_id, reason)

    def _withdraw(self, order_id: str) -> None:
        """Cancel an order whose id was never delivered, unless it has a key or is paid already."""
        order = self._book.orders.get(order_id)
        if order is None or order.key is not None or order.prepaid:
            return
        self._customers.holdings.end(order_id)
        change = self._book.withdraw(order_id, self._clock(), "its customer had disconnected")
        if change is not None:
            self._end(change)

    def _abandon_unclaimed(self) -> None:
        """Abandon bound orders that had no waiting customer at this check and the last."""
        for order_id in self._customers.unclaimed(self._book.live()):
            self._abandon(order_id, "its customer did not come back")

    def _dismiss_all(self) -> int:
        """On shutdown, answer all who wait; return the number of customers."""
        baristas, self._baristas = list(self._baristas), {}
        for barista in baristas:
            barista.fail(self._closing.refusal or LedgerUnavailable())
        return sum(map(self._dismiss, self._customers.answered_here()))

    def _dismiss(self, order_id: str) -> int:
        """On shutdown, answer all who wait for an order; return the number of customers."""
        refusal = self._closing.refusal or LedgerUnavailable()
        has_customer = self._customers.is_collected_here(order_id)
        order = self._book.orders.get(order_id)  # None: reloading has failed
        answered = 0
        for reply, message in self._customers.take_replies(order_id).items():
            if message.collects or order is None:
                answered += reply.fail(refusal)
            else:
                self._journal.reply(reply, self._standing(order), looks=True)
        if order is not None and has_customer:
            self._abandon(order_id, "the shop closed")
        return answered

    # Waiting baristas

    def _on_commit(self) -> None:
        """Schedule a turn that assigns committed orders to waiting baristas."""
        if self._baristas:
            with suppress(ActorError):  # this instance has crashed, and the next has not started
                self.after(0.0, self._hand_out)

    def _stop_waiting(self, reply: Reply[Claim | None]) -> None:
        self._baristas.pop(reply, None)

    def _has_claimable(self) -> bool:
        """Return whether the oldest waiting order is committed."""
        committed = self._journal.committed
        while self._placing and self._placing[0][0] <= committed:
            self._placed_through = self._placing.popleft()[1]
        queue = self._book.queue
        return bool(queue) and queue[0][0] <= self._placed_through

    def _hand_out(self) -> None:
        """Assign waiting orders to waiting baristas, both first come first served."""
        while self._baristas and self._has_claimable():
            reply = next(iter(self._baristas))
            wish = self._baristas.pop(reply)
            change = self._book.start(wish.barista, self._clock(), wish.claim)
            self._write(change)
            order = change.order
            if not wish.keyed:
                # Until the answer is sent, a barista who disconnects releases the order.
                reply.on_abandoned(partial(self._release_undelivered, order))
            self._journal.reply(reply, Claim(order, len(self._book.queue)))
        self._watch_leases()

    def _release_undelivered(self, order: Order) -> None:
        """Release an order whose claim was never delivered, if that claim still holds."""
        if self._book.is_claimed(order):
            now = self._clock()
            self._end(*self._book.release(order.order_id, now, "its barista had disconnected"))
            self._hand_out()

    def _watch_leases(self) -> None:
        """Set the timer to the earliest expiry."""
        expiry = self._book.next_expiry()
        if expiry is None or self._lease_timer_at <= expiry:
            return
        if self._lease_timer is not None:
            self._lease_timer.cancel()
        self._lease_timer_at = expiry
        self._lease_timer = self.after(max(0.0, expiry - self._clock()), self._expire)

    def _expire(self) -> None:
        self._lease_timer, self._lease_timer_at = None, inf
        for changes in self._book.expire(self._clock()):
            self._end(*changes)
        self._hand_out()

    # Writing changes

    def _end(self, *changes: Change) -> None:
        """Write changes; if the order has ended, answer its waiting clients and hand it over."""
        order = changes[-1].order
        if not order.ended:
            self._write(*changes)
            return
        replies, is_collected = self._customers.end(order.order_id)
        standing = self._standing(order) if replies else None
        if order.status is Status.READY and is_collected and order.destination is None:
            changes = (*changes, self._book.hand_over(order.order_id, self._clock()))
        self._write(*changes)
        for reply, message in replies.items():
            if standing is None or (message.collects and order.status is Status.CANCELLED):
                self._journal.refuse(reply, OrderCancelled())
            else:
                self._journal.reply(reply, standing, looks=True)

    def _write(self, *changes: Change) -> None:
        """Write changes of one order, which are committed together or not at all."""
        self._journal.write(*map(entry_of, changes))
        order = changes[-1].order
        if order.ended:
            self._book.keep_recent(order.order_id, self._journal.written, self._journal.committed)

    # Looking

    def _recall(self, known: Order) -> Order:
        """Keep an ended order of the ledger in memory; return it as it stands there."""
        self._book.remember(known)
        self._book.keep_recent(known.order_id, self._journal.written, self._journal.committed)
        return self._book.find(known.order_id)

    def _find(self, order_id: str, known: Order | None = None) -> Order:
        """Return the order in memory, else `known`, which the ledger has; raises UnknownOrder."""
        order = self._book.orders.get(order_id)
        if order is not None:
            return order
        if known is None:
            raise UnknownOrder
        return self._recall(known)

    def _standing(self, order: Order) -> Standing:
        return self._book.standing(order, len(self._baristas), self._clock())
