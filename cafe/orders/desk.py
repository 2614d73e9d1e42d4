"""The desk: what the APIs ask. It asks the Dispatcher, and reads old orders from the ledger.

Rule: no state, no decisions about orders. A crash of the Dispatcher is hidden from the client: the
desk retries a few times, and every command has an id, so that it takes effect once. Each wait for
the ledger has a time-out here, once for a request. A guessed id or a new key is recognized without
asking the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from types import TracebackType
from typing import TypeVar

import trio

from actors import ActorCrashed, ActorStopped, MailboxFull, Message, Ref
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from cafe.ledger.ledger import Ledger
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.ids import OrderIds
from cafe.orders.kept_keys import KeptKeys
from cafe.orders.messages import (
    AwaitOrder,
    CancelOrder,
    Claim,
    CollectOrder,
    CountQueue,
    FindOrder,
    FinishOrder,
    HangUp,
    KeepOrder,
    ListOrders,
    OrderPage,
    PlaceOrder,
    QueueCount,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from cafe.orders.order import Order, Status
from cafe.orders.queries import find_by_key, find_order, load_ids, load_keys
from cafe.orders.refusals import (
    ForgottenOrder,
    KeyReused,
    OrderConflict,
    UnknownOrder,
)

R = TypeVar("R")

TRIES = 5
"""Attempts, before a crash is passed on to the client."""
AT_ONCE = 1.0
"""Seconds: two crashes in a row within so short a time are not retried."""
LEDGER_SECONDS = 5.0
"""How long a request may wait for the ledger in all."""
REFUSED_SECONDS = 1.0
"""How long the answer to a refused row is held back: the Dispatcher reloads for each such row, so a
client that retries at once would keep it busy."""
BREWED = frozenset({Status.READY, Status.DELIVERED})


class Retries:
    """Counts the retries of one request after crashes of the actor."""

    def __init__(self, *, waits: bool = False) -> None:
        """Start counting; an ask that only `waits` cannot have caused a crash."""
        self._left = TRIES
        self._waits = waits
        self._crashed_at_once = False

    def allows(self, seconds: float) -> bool:
        """Return whether to retry after a crash that came so many seconds after the ask."""
        self._left -= 1
        again, self._crashed_at_once = self._crashed_at_once, seconds < AT_ONCE
        # Twice in a row: this message may be the cause.
        return self._left > 0 and (self._waits or not (again and self._crashed_at_once))


@dataclass(frozen=True, slots=True)
class Desk:
    """What the APIs ask."""

    dispatcher: Ref[Dispatcher]
    ledger: Ledger
    ids: OrderIds
    keys: KeptKeys
    now: Callable[[], float]
    key_ttl_seconds: float = 86_400.0

    # Customers

    async def place(self, message: PlaceOrder, hold: float = inf) -> Standing:
        """Place an order, once, however often it is repeated; wait `hold` seconds for its end."""
        try:
            return await self._order(message, hold, Retries())
        except (LedgerUnavailable, ActorCrashed, trio.Cancelled):
            self.hang_up(message.order_id)
            raise

    def hang_up(self, order_id: str) -> None:
        """Cancel an order whose customer disconnected without its id, unless it has a key."""
        with suppress(MailboxFull, ActorStopped):  # else the periodic check abandons it
            self.dispatcher.tell_nowait(HangUp(order_id))

    async def find(self, order_id: str, hold: float = 0.0) -> Standing:
        """Return an order once it has ended, or after `hold` seconds."""
        self._refuse_guess(order_id)
        with Bounded():
            standing = await self._look(order_id)
        if standing.order.ended or hold <= 0:
            return standing
        with trio.move_on_after(hold), suppress(UnknownOrder):
            return await self._ask(AwaitOrder(order_id, collects=False), Retries(waits=True))
        with Bounded():
            return await self._look(order_id)

    async def cancel(self, message: CancelOrder) -> Standing:
        """Cancel an order."""
        self._refuse_guess(message.order_id)
        with Bounded():
            try:
                return await self._ask(message)
            except UnknownOrder:
                order = await self._forgotten(message.order_id)
                if order.status is not Status.CANCELLED:
                    raise OrderConflict(order.status, "cancelled") from None
                return Standing(order, None, None, order.waited_seconds(self.now()))

    # Baristas

    async def start(self, message: StartOrder, hold: float = 0.0) -> Claim | None:
        """Claim the oldest order; None where there is none within `hold` seconds."""
        if hold <= 0:
            with Bounded():
                return await self._ask(message)
        with trio.move_on_after(hold):
            return await self._ask(replace(message, waits=True), Retries(waits=True))
        return None

    async def finish(self, message: FinishOrder) -> Order:
        """Declare an order ready."""
        self._refuse_guess(message.order_id)
        with Bounded():
            try:
                return await self._ask(message)
            except UnknownOrder:
                order = await self._forgotten(message.order_id)
                if order.status not in BREWED:
                    raise OrderConflict(order.status, "finished") from None
                return order

    async def release(self, message: ReleaseOrder) -> Order:
        """Release a claim."""
        self._refuse_guess(message.order_id)
        with Bounded():
            try:
                return await self._ask(message)
            except UnknownOrder:
                order = await self._forgotten(message.order_id)
                raise OrderConflict(order.status, "released") from None

    async def count(self) -> QueueCount:
        """Count the orders in memory."""
        with Bounded():
            return await self._ask(CountQueue())

    async def list(self, message: ListOrders) -> OrderPage:
        """List orders that wait or are in preparation."""
        with Bounded():
            return await self._ask(message)

    # How it asks

    def _refuse_guess(self, order_id: str) -> None:
        """Raise UnknownOrder for an id that the shop has never made, before any actor is asked."""
        if not self.ids.may_exist(order_id):
            raise UnknownOrder

    async def _order(self, message: PlaceOrder, hold: float, retries: Retries) -> Standing:
        with Bounded():
            held = await self._read_key(message)
            if held is not None and held.ended:
                return await self._re_attach(message, held, retries)
            standing = await self._place(message, held, retries)
        order_id = standing.order.order_id
        if standing.order.ended or hold == inf:
            return await self._await(AwaitOrder(order_id))
        if hold <= 0:
            return standing
        with trio.move_on_after(hold):
            return await self._await(AwaitOrder(order_id, timed=True))
        with Bounded():
            return await self._ask(KeepOrder(order_id), retries)

    async def _read_key(self, message: PlaceOrder) -> Order | None:
        """Return the order that the ledger has under the message's key."""
        if message.key is None:
            return None
        since = self.now() - self.key_ttl_seconds
        if not self.keys.may_have(message.address, message.key, since):
            return None
        query = partial(find_by_key, address=message.address, key=message.key, since=since)
        return await self.ledger.read(query)

    async def _place(self, message: PlaceOrder, held: Order | None, retries: Retries) -> Standing:
        while held is not None:
            try:
                return await self._ask(replace(message, held_by=held.order_id), retries)
            except ForgottenOrder:
                await trio.lowlevel.checkpoint()  # it has ended meanwhile, and the ledger has it
                held = await self._read_key(message)
            if held is not None and held.ended:
                return await self._re_attach(message, held, retries)
        return await self._ask(message, retries)

    async def _await(self, message: AwaitOrder) -> Standing:
        try:
            return await self._ask(message, Retries(waits=True))
        except UnknownOrder:  # it has ended since, and is only in the ledger
            with Bounded():
                ended = await self._forgotten(message.order_id)
                return await self._ask(CollectOrder(ended))

    async def _look(self, order_id: str) -> Standing:
        try:
            return await self._ask(FindOrder(order_id))
        except UnknownOrder:
            order = await self._forgotten(order_id)
            return Standing(order, None, None, order.waited_seconds(self.now()))

    async def _re_attach(self, message: PlaceOrder, held: Order, retries: Retries) -> Standing:
        if (held.drink, held.name) != (message.drink, message.name):
            raise KeyReused
        return await self._ask(CollectOrder(held), retries)

    async def _forgotten(self, order_id: str) -> Order:
        """Look an order up that the Dispatcher does not know; raises UnknownOrder."""
        order = await self.ledger.read(partial(find_order, order_id=order_id))
        if order is None:
            raise UnknownOrder
        if not order.ended:
            raise LedgerUnavailable  # it was placed after the Dispatcher was asked
        return order

    async def _ask(self, message: Message[Dispatcher, R], retries: Retries | None = None) -> R:
        while True:
            asked_at = trio.current_time()
            try:
                return await self.dispatcher.ask(message)
            except JournalClosed:
                await trio.lowlevel.checkpoint()
            except NotRecorded:
                await trio.sleep(REFUSED_SECONDS)
                raise
            except ActorCrashed:
                retries = retries or Retries()
                if not retries.allows(trio.current_time() - asked_at):
                    raise


async def load_ids_and_keys(ledger: Ledger, key_ttl_seconds: float) -> tuple[OrderIds, KeptKeys]:
    """Load what a desk keeps of the ledger in memory; call this before the Dispatcher starts.

    Waits for the database, however long it is away.
    """
    ids = await ledger.prepare(load_ids)
    query = partial(load_keys, ttl_seconds=key_ttl_seconds, now=ledger.now())
    keys = await ledger.prepare(query)
    ledger.listen(keys.hear)
    return ids, keys


class Bounded:
    """Bounds a wait for the ledger; raises LedgerUnavailable on time-out.

    A class, since `contextmanager` doubles the cost, three times an order.
    """

    __slots__ = ("_scope",)

    def __enter__(self) -> None:
        self._scope = trio.move_on_after(LEDGER_SECONDS)
        self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise LedgerUnavailable
