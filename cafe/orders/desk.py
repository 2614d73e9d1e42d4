"""The desk: through it the APIs ask the Dispatcher, and read old orders from the ledger.

Rule: no state, no decisions about orders. Retries and time-outs are in `asking.py`.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import trio

from actors import ActorCrashed
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.ledger import Ledger
from cafe.ledger.retries import ledger_time_out
from cafe.orders.asking import TRIES, Retries
from cafe.orders.basket_desk import BasketDesk
from cafe.orders.followers import hear_for
from cafe.orders.kept_keys import KeptKeys
from cafe.orders.kept_queries import load_board, load_ids, load_keys
from cafe.orders.messages import (
    AwaitOrder,
    CallOff,
    CancelOrder,
    Claim,
    CollectOrder,
    CountQueue,
    FindOrder,
    FinishOrder,
    HandOver,
    KeepOrder,
    ListOrders,
    MoveOrder,
    OrderPage,
    Pause,
    PauseOrders,
    PlaceOrder,
    PublishOrder,
    QueueCount,
    ReleaseOrder,
    ResumeOrders,
    Standing,
    StartOrder,
)
from cafe.orders.order import BREWED, NEXT, Order, OrderIds, Status
from cafe.orders.queries import find_order
from cafe.orders.ready_board import ReadyBoard
from cafe.orders.refusals import (
    ForgottenOrder,
    KeyReused,
    OrderConflict,
    UnknownOrder,
    WrongStep,
)


@dataclass(frozen=True, slots=True)
class Desk(BasketDesk):
    """Asks about orders, for the APIs."""

    # Customers

    async def place(self, message: PlaceOrder, hold: float = inf) -> Standing:
        """Place an order, once, however often it is repeated; wait at most `hold` seconds."""
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
                hold = inf  # the wait is answered at once
            if hold <= 0:
                return standing
            # Most wait without a limit; a cancel scope would cost each of them memory.
            with nullcontext() if hold == inf else trio.move_on_after(hold):
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

    # Staff

    async def move(self, message: MoveOrder) -> Standing:
        """Move an order one status on; raises WrongStep if that is not the next."""
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
                # After a retry: this message may have made the step before the crash.
                if retries.left == TRIES or no.order_status is not message.status:
                    raise
                return await self._ask_until_answered(FindOrder(message.order_id), retries)

    # Managers

    async def pause(self, pause: Pause) -> None:
        """Refuse new orders until the pause ends."""
        await self._ask(PauseOrders(pause))

    async def resume(self, by: str | None = None) -> None:
        """Accept new orders again."""
        await self._ask(ResumeOrders(by))

    # Deliveries

    async def publish(self, message: PublishOrder) -> Standing:
        """Publish an order, once, however often this is repeated, one call after the other."""
        with ledger_time_out():
            known = await self.ledger.read(partial(find_order, order_id=message.order_id))
            if known is not None:
                return self._ended(known)  # the Dispatcher may have forgotten it
            return await self._ask_until_answered(message, Retries())

    async def hand_over(self, order_id: str, by: str | None = None) -> Standing:
        """Record that a courier has handed over an order; repeating it does nothing.

        Raises OrderConflict if it is not ready, or if no courier brings it.
        """
        return await self._ask_of_delivery(HandOver(order_id, by))

    async def call_off(
        self, order_id: str, by: str | None = None, reason: str | None = None
    ) -> Standing:
        """Cancel a ready order that no courier will bring; repeating it does nothing.

        Raises OrderConflict for any other order.
        """
        return await self._ask_of_delivery(CallOff(order_id, by, reason))

    async def _ask_of_delivery(self, message: HandOver | CallOff) -> Standing:
        if not self.ids.may_exist(message.order_id):
            raise UnknownOrder
        retries = Retries()
        with ledger_time_out():
            try:
                return await self._ask_until_answered(message, retries)
            except UnknownOrder:
                known = await self._forgotten(message.order_id)
                return await self._ask_until_answered(replace(message, known=known), retries)

    # Baristas

    async def start(self, message: StartOrder, hold: float = 0.0) -> Claim | None:
        """Claim the oldest waiting order; return None if there is none within `hold` seconds."""
        if hold <= 0:
            return await self._ask(message)
        with trio.move_on_after(hold):
            return await self._wait(replace(message, waits=True))
        # A claim with a key is kept even if its answer was late or lost: ask for it again.
        return await self._ask(message) if message.keyed else None

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
        """Place an order, unless the ledger has one under its key; also return whether it was.

        An order that has ended is collected: only the ledger may still have it.
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


async def load_ids_and_keys(ledger: Ledger, key_ttl_seconds: float) -> tuple[OrderIds, KeptKeys]:
    """Load the ids and keys that a desk keeps in memory; call this before the Dispatcher starts.

    Waits for the database, however long it is away.
    """
    ids = await ledger.prepare(load_ids)
    query = partial(load_keys, ttl_seconds=key_ttl_seconds, now=ledger.now())
    keys = await ledger.prepare(query)
    ledger.listen(keys.hear)
    return ids, keys


async def load_ready_board(ledger: Ledger) -> ReadyBoard:
    """Load the board, which follows the log from now on; call this before the Dispatcher starts.

    Waits for the database, however long it is away.
    """
    board = await ledger.prepare(partial(load_board, now=ledger.now()))
    ledger.listen(partial(hear_for, board))
    return board
