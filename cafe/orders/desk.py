"""The desk: asks the Dispatcher, and the ledger for what he has forgotten.

Rule: no state, no decisions about orders. Whoever waits at the desk does not notice that the
Dispatcher has crashed and begun anew with what the ledger has: the desk asks again, a few times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import trio

from actors import ActorCrashed, Message, Ref
from cafe.ledger.ledger import Ledger
from cafe.ledger.messages import LedgerUnavailable, OrderRow, ReadKey, ReadOrder
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import (
    CancelOrder,
    Claim,
    CountQueue,
    FindOrder,
    FinishOrder,
    ListOrders,
    PlaceOrder,
    QueueCount,
    ReleaseOrder,
    Standing,
    StartOrder,
)
from cafe.orders.order import Order
from cafe.orders.records import order_of
from cafe.orders.refusals import UnknownOrder

R = TypeVar("R")

TRIES = 5
"""How often something is asked before a crash is the asker's, too."""
AT_ONCE = 1.0
"""Whoever is failed by a crash twice, after fewer seconds than this, asks no more."""
LEDGER_SECONDS = 5.0
"""How long a look into the ledger may take."""


class Patience:
    """How often somebody asks again because an actor has crashed."""

    def __init__(self) -> None:
        self._tries = TRIES
        self._crashed_at_once = False

    def bears(self, seconds: float) -> bool:
        """Tell whether one more crash, so long after asking, is borne."""
        self._tries -= 1
        again, self._crashed_at_once = self._crashed_at_once, seconds < AT_ONCE
        # Twice: it may be this very message that does it.
        return self._tries > 0 and not (again and self._crashed_at_once)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where customers and baristas ask."""

    dispatcher: Ref[Dispatcher]
    ledger: Ref[Ledger]

    async def place(self, message: PlaceOrder) -> Standing:
        """Place an order, once, however often it is asked for."""
        patience = Patience()
        message = await self._read_key(message)
        for _ in range(TRIES):
            try:
                return await self._ask(message, patience, partial(replace, message, again=True))
            except UnknownOrder:
                message = await self._look_up(message)
        raise LedgerUnavailable

    async def find(self, message: FindOrder) -> Standing:
        """Look at an order."""
        return await self._about(message.order_id, lambda known: replace(message, recalled=known))

    async def cancel(self, message: CancelOrder) -> Standing:
        """Cancel an order."""
        return await self._about(message.order_id, lambda known: replace(message, recalled=known))

    async def finish(self, message: FinishOrder) -> Order:
        """Declare an order ready."""
        return await self._about(message.order_id, lambda known: replace(message, recalled=known))

    async def release(self, message: ReleaseOrder) -> Order:
        """Give an order back."""
        return await self._about(message.order_id, lambda known: replace(message, recalled=known))

    async def start(self, message: StartOrder) -> Claim | None:
        """Claim the oldest order."""
        return await self._ask(message)

    async def count(self) -> QueueCount:
        """Tell how busy the shop is."""
        return await self._ask(CountQueue())

    async def list(self) -> list[Standing]:
        """List what is waiting and being prepared."""
        return await self._ask(ListOrders())

    async def _look_up(self, message: PlaceOrder) -> PlaceOrder:
        """Find out what the ledger has of an order that was asked for; if nothing it never was."""
        found = await self._read(ReadOrder(message.order_id))
        if found is not None:
            return replace(message, again=True, recalled=order_of(found))
        return await self._read_key(replace(message, again=False, recalled=None))

    async def _read_key(self, message: PlaceOrder) -> PlaceOrder:
        if message.key is None:
            return message
        found = await self._read(ReadKey(message.address, message.key))
        return message if found is None else replace(message, recalled=order_of(found))

    async def _about(
        self, order_id: str, message: Callable[[Order | None], Message[Dispatcher, R]]
    ) -> R:
        """Ask about an order; if the Dispatcher has forgotten it, with what the ledger has."""
        patience = Patience()
        known: Order | None = None
        for _ in range(TRIES):
            try:
                return await self._ask(message(known), patience)
            except UnknownOrder:
                found = await self._read(ReadOrder(order_id))
                if found is None:
                    raise
                # If it is live there, the Dispatcher knows more: the next look is later.
                known = order_of(found)
        raise LedgerUnavailable

    async def _ask(
        self,
        message: Message[Dispatcher, R],
        patience: Patience | None = None,
        after_a_crash: Callable[[], Message[Dispatcher, R]] | None = None,
    ) -> R:
        patience = patience or Patience()
        while True:
            asked_at = trio.current_time()
            try:
                return await self.dispatcher.ask(message)
            except ActorCrashed:
                if not patience.bears(trio.current_time() - asked_at):
                    raise
                if after_a_crash is not None:
                    message = after_a_crash()

    async def _read(self, message: ReadOrder | ReadKey) -> OrderRow | None:
        try:
            with trio.move_on_after(LEDGER_SECONDS):
                return await self.ledger.ask(message)
        except ActorCrashed:
            pass  # not again: it may be this very message that does it
        raise LedgerUnavailable
