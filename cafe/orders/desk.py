"""The desk: what the APIs ask. It asks the Dispatcher, and reads old orders from the ledger.

Rule: no state, no decisions about orders. A crash of the Dispatcher is hidden from the client: the
desk retries a few times, and every command has an id, so that it takes effect once. Each wait for
the ledger has a time-out here, once for a request. A guessed id or a new key is recognized without
asking the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any, TypeVar

import trio

from actors import ActorCrashed, ActorStopped, MailboxFull, Message, Ref
from cafe.ledger.department import Logged
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from cafe.ledger.ledger import Ledger
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.followers import KeptKeys
from cafe.orders.messages import (
    AwaitOrder,
    CancelOrder,
    CheckRoom,
    Claim,
    CollectOrder,
    CountQueue,
    FindOrder,
    FindOrders,
    FindPlaced,
    FinishOrder,
    HangUp,
    KeepOrder,
    ListOrders,
    MoveOrder,
    OrderPage,
    PlacedPage,
    PlacedQuery,
    PlaceOrder,
    QueueCount,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from cafe.orders.order import BREWED, NEXT, Order, OrderIds, Status, account_scope
from cafe.orders.queries import (
    find_by_key,
    find_order,
    find_orders,
    list_placed,
    load_ids,
    load_keys,
    read_history,
)
from cafe.orders.refusals import (
    ForgottenOrder,
    KeyReused,
    OrderConflict,
    UnknownOrder,
    WrongStep,
)
from cafe.orders.schemas import basket_out

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


@dataclass(slots=True)
class Retries:
    """Counts the retries of one request after crashes of the actor."""

    left: int = TRIES
    waits: bool = False
    """The request only waits, so it cannot have caused a crash."""
    crashed_at_once: bool = False

    def allows(self, seconds: float) -> bool:
        """Return whether to retry after a crash that came so many seconds after the ask."""
        self.left -= 1
        again, self.crashed_at_once = self.crashed_at_once, seconds < AT_ONCE
        # Twice in a row: this message may be the cause.
        return self.left > 0 and (self.waits or not (again and self.crashed_at_once))


@contextmanager
def ledger_time_out() -> Generator[None]:
    """Raise LedgerUnavailable if the block takes longer than a request may wait for the ledger."""
    with trio.move_on_after(LEDGER_SECONDS) as scope:
        yield
    if scope.cancelled_caught:
        raise LedgerUnavailable


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
        retries = Retries()
        try:
            if message.key is None:
                standing = await self._ask(message, retries)
            else:
                standing, is_collected = await self._place_by_key(message, message.key, retries)
                if is_collected:
                    return standing
            order_id = standing.order.order_id
            if standing.order.ended:
                hold = inf  # the answer is there
            if hold <= 0:
                return standing
            with trio.move_on_after(hold):
                try:
                    return await self._wait(AwaitOrder(order_id, timed=hold < inf))
                except UnknownOrder:  # it has ended since it was placed, and was forgotten
                    with ledger_time_out():
                        ended = CollectOrder(await self._forgotten(order_id))
                        return await self._ask_until_answered(ended, Retries())
            return await self._ask(KeepOrder(order_id), retries)
        except (LedgerUnavailable, ActorCrashed, trio.Cancelled):
            self.hang_up(message.order_id)
            raise

    def hang_up(self, order_id: str) -> None:
        """Cancel an order whose customer disconnected without its id, unless it has a key."""
        with suppress(MailboxFull, ActorStopped):  # else the periodic check abandons it
            self.dispatcher.tell_nowait(HangUp(order_id))

    async def find(self, order_id: str, hold: float = 0.0) -> Standing:
        """Return an order once it has ended, or after `hold` seconds."""
        look = partial(self._ask_about, FindOrder(order_id), order_id, self._ended)
        standing = await look()
        if standing.order.ended or hold <= 0:
            return standing
        with trio.move_on_after(hold), suppress(UnknownOrder):
            return await self._wait(AwaitOrder(order_id, collects=False))
        return await look()

    async def cancel(self, message: CancelOrder) -> Standing:
        """Cancel an order."""

        def of_ended(order: Order) -> Standing:
            if order.status is not Status.CANCELLED:
                raise OrderConflict(order.status, "cancelled")
            return self._ended(order)

        return await self._ask_about(message, message.order_id, of_ended)

    # Customers with accounts

    async def check_room(self, address: str, max_waiting: int) -> None:
        """Raise what placing a basket now would raise: before it is charged."""
        await self._ask(CheckRoom(address, max_waiting))

    async def find_placed(self, account_id: str, key: str, fingerprint: str) -> Standing | None:
        """Return the order that an account placed with a key; None if there is none.

        Raises KeyReused if it was another basket.
        """
        message, scope = FindPlaced(account_id, key, fingerprint), account_scope(account_id)
        with ledger_time_out():
            while True:
                standing = await self._ask_until_answered(message, Retries())
                if standing is not None:
                    return standing
                held = await self._read_key(scope, key)
                if held is None:
                    return None
                if held.basket is not None and held.basket.fingerprint != fingerprint:
                    raise KeyReused
                if held.ended:
                    return self._ended(held)
                await trio.lowlevel.checkpoint()  # it was placed after the Dispatcher was asked

    async def place_basket(self, message: PlaceOrder) -> tuple[Standing, bool]:
        """Place a basket, once, however often it is repeated; also return whether it is new.

        It is not where the account has used its key for an order before, or where an order with
        its id was committed before. Only the id of a prepaid basket is older than this call, so
        only that is looked up.
        """
        try:
            with ledger_time_out():
                return await self._place_basket(message)
        except (LedgerUnavailable, ActorCrashed, trio.Cancelled):
            self.hang_up(message.order_id)
            raise

    async def list_placed(self, query: PlacedQuery) -> PlacedPage:
        """List orders of baskets, the newest first; no answered write is missing.

        They are read from the ledger, and shown as the Dispatcher has them. One whose status was
        changed meanwhile to none that is wanted is left out.
        """
        with ledger_time_out():
            found = await self.ledger.read(partial(list_placed, query=query))
            page = found[: query.most]
            standings = await self._show(page)
        wanted = [one for one in standings if one.order.status in (query.statuses or Status)]
        return PlacedPage(wanted, page[-1].number if len(found) > query.most else None)

    async def find_many(self, order_ids: Sequence[str]) -> Sequence[Standing]:
        """Return several orders, in the given order; those that there are not are left out."""
        with ledger_time_out():
            known = await self.ledger.read(partial(find_orders, order_ids=order_ids))
            return await self._show([known[one] for one in order_ids if one in known])

    async def history(self, order_id: str, after: int = 0) -> Sequence[Logged]:
        """Return the events of an order behind a position, oldest first, at most 500.

        Raises UnknownOrder for an id that the shop has never made.
        """
        if not self.ids.may_exist(order_id):
            raise UnknownOrder
        with ledger_time_out():
            query = partial(read_history, order_id=order_id, after=after)
            return await self.ledger.read(query)

    def show(self, standing: Standing) -> dict[str, Any]:
        """Return the members of `BasketOrderOut`, ready for JSON."""
        return basket_out(standing)

    # Staff

    async def move(self, message: MoveOrder) -> Standing:
        """Move an order one status on; raises WrongStep where that is not the next."""
        if not self.ids.may_exist(message.order_id):
            raise UnknownOrder
        retries = Retries()
        with ledger_time_out():
            try:
                return await self._ask_until_answered(message, retries)
            except UnknownOrder:
                known = await self._forgotten(message.order_id)
                if NEXT.get(known.status) is not message.status:
                    raise WrongStep(known.status) from None
                return await self._ask_until_answered(replace(message, known=known), retries)
            except WrongStep as no:
                # After a crash: it may have been this message that made the step.
                if retries.left == TRIES or no.order_status is not message.status:
                    raise
                return await self._ask_until_answered(FindOrder(message.order_id), retries)

    # Baristas

    async def start(self, message: StartOrder, hold: float = 0.0) -> Claim | None:
        """Claim the oldest order; None where there is none within `hold` seconds."""
        if hold <= 0:
            return await self._ask(message)
        with trio.move_on_after(hold):
            return await self._wait(replace(message, waits=True))
        return None

    async def finish(self, message: FinishOrder) -> Order:
        """Declare an order ready."""

        def of_ended(order: Order) -> Order:
            if order.status not in BREWED:
                raise OrderConflict(order.status, "finished")
            return order

        return await self._ask_about(message, message.order_id, of_ended)

    async def release(self, message: ReleaseOrder) -> Order:
        """Release a claim."""

        def of_ended(order: Order) -> Order:
            raise OrderConflict(order.status, "released")

        return await self._ask_about(message, message.order_id, of_ended)

    async def count(self) -> QueueCount:
        """Count the orders in memory."""
        return await self._ask(CountQueue())

    async def list(self, message: ListOrders) -> OrderPage:
        """List orders that wait or are in preparation."""
        return await self._ask(message)

    # How it asks

    async def _place_by_key(
        self, message: PlaceOrder, key: str, retries: Retries
    ) -> tuple[Standing, bool]:
        """Place an order, unless the ledger has one under its key; return whether it was collected.

        One that has ended is collected: only the ledger may still have it.
        """
        with ledger_time_out():
            while (held := await self._read_key(message.address, key)) is not None:
                if not held.ended:
                    known = replace(message, held_by=held.order_id)
                    with suppress(ForgottenOrder):
                        return await self._ask_until_answered(known, retries), False
                    await trio.lowlevel.checkpoint()  # it has ended, and the ledger has it
                elif not held.is_wish(message.drink, message.name, message.basket):
                    raise KeyReused
                else:
                    return await self._ask_until_answered(CollectOrder(held), retries), True
            return await self._ask_until_answered(message, retries), False

    async def _show(self, committed: Sequence[Order]) -> Sequence[Standing]:
        """Return where orders of the ledger stand: the Dispatcher knows all that have not ended."""
        message = FindOrders(tuple(order.order_id for order in committed))
        known = await self._ask_until_answered(message, Retries())
        return [known.get(order.order_id, self._ended(order)) for order in committed]

    async def _place_basket(self, message: PlaceOrder) -> tuple[Standing, bool]:
        basket, key, known = message.basket, message.key, None
        if basket is None:
            raise ValueError("an order of the plain counter has no basket")
        if basket.prepaid:
            known = await self.ledger.read(partial(find_order, order_id=message.order_id))
            if known is not None and known.ended:
                return self._ended(known), False  # the Dispatcher may have forgotten it
        if known is None and key is not None and self._may_have_key(basket.scope, key):
            placed = await self.find_placed(basket.account_id, key, basket.fingerprint)
            if placed is not None:
                return placed, False
        standing = await self._ask_until_answered(message, Retries())
        return standing, known is None and standing.order.order_id == message.order_id

    def _may_have_key(self, scope: str, key: str) -> bool:
        return self.keys.may_have(scope, key, self.now() - self.key_ttl_seconds)

    async def _read_key(self, scope: str, key: str) -> Order | None:
        """Return the order that the ledger has under a key."""
        if not self._may_have_key(scope, key):
            return None
        since = self.now() - self.key_ttl_seconds
        query = partial(find_by_key, scope=scope, key=key, since=since)
        return await self.ledger.read(query)

    async def _ask_about(
        self, message: Message[Dispatcher, R], order_id: str, of_ended: Callable[[Order], R]
    ) -> R:
        """Ask about an order; if the Dispatcher has forgotten it, answer with what the ledger has.

        `of_ended` makes that answer: an order that is forgotten has ended.
        Raises UnknownOrder for an id that the shop has never made, before any actor is asked.
        """
        if not self.ids.may_exist(order_id):
            raise UnknownOrder
        with ledger_time_out():
            try:
                return await self._ask_until_answered(message, Retries())
            except UnknownOrder:
                return of_ended(await self._forgotten(order_id))

    def _ended(self, order: Order) -> Standing:
        return Standing(order, None, None, order.waited_seconds(self.now()))

    async def _forgotten(self, order_id: str) -> Order:
        """Look an order up that the Dispatcher does not know; raises UnknownOrder."""
        order = await self.ledger.read(partial(find_order, order_id=order_id))
        if order is None:
            raise UnknownOrder
        if not order.ended:
            raise LedgerUnavailable  # it was placed after the Dispatcher was asked
        return order

    async def _ask(self, message: Message[Dispatcher, R], retries: Retries | None = None) -> R:
        """Ask the Dispatcher, for as long as a request may wait for the ledger."""
        with ledger_time_out():
            return await self._ask_until_answered(message, retries or Retries())

    async def _wait(self, message: Message[Dispatcher, R]) -> R:
        """Ask for what others have to do first, without a time-out."""
        return await self._ask_until_answered(message, Retries(waits=True))

    async def _ask_until_answered(self, message: Message[Dispatcher, R], retries: Retries) -> R:
        """Ask the Dispatcher, and again after a crash while `retries` allow it."""
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
