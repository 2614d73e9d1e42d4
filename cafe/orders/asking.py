"""How the desk asks: the Dispatcher, with retries after a crash, and the ledger for old orders.

Rule: a crash of the Dispatcher is hidden from the client: each message is retried a few times, and
every command has an id, so that it takes effect once. Waits for the ledger have a time-out. A
guessed id or a new key is recognized without asking the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import trio

from actors import ActorCrashed, ActorStopped, MailboxFull, Message, Ref
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from cafe.ledger.retries import ledger_time_out
from cafe.ledger.view import LedgerView
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.kept_keys import KeptKeys
from cafe.orders.messages import HangUp, Standing
from cafe.orders.order import Order, OrderIds
from cafe.orders.queries import find_by_key, find_order
from cafe.orders.refusals import UnknownOrder

R = TypeVar("R")

TRIES = 5
"""Attempts before a crash is passed on to the client."""
AT_ONCE = 1.0
"""Seconds: after two crashes in a row, each this soon after its ask, there is no retry."""
REFUSED_SECONDS = 1.0
"""How long the answer to a refused row is held back: the Dispatcher reloads for each such row, so a
client that retries at once would keep it busy."""


@dataclass(slots=True)
class Retries:
    """Counts the retries of one request after crashes of the actor."""

    left: int = TRIES
    waits: bool = False
    """Whether the request only waits, and so cannot have caused a crash."""
    crashed_at_once: bool = False

    def allows(self, seconds: float) -> bool:
        """Count a crash that came `seconds` after the ask; return whether to retry."""
        self.left -= 1
        again, self.crashed_at_once = self.crashed_at_once, seconds < AT_ONCE
        # Twice in a row: this message may be the cause.
        return self.left > 0 and (self.waits or not (again and self.crashed_at_once))


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks the Dispatcher and the ledger."""

    dispatcher: Ref[Dispatcher]
    ledger: LedgerView
    ids: OrderIds
    keys: KeptKeys
    now: Callable[[], float]
    key_ttl_seconds: float = 86_400.0

    def hang_up(self, order_id: str) -> None:
        """Cancel an order whose customer disconnected without its id, unless it has a key."""
        with suppress(MailboxFull, ActorStopped):  # else the periodic check abandons it
            self.dispatcher.tell_nowait(HangUp(order_id))

    async def _ask_about(
        self, message: Message[Dispatcher, R], order_id: str, of_ended: Callable[[Order], R]
    ) -> R:
        """Ask about an order; if the Dispatcher has forgotten it, answer from the ledger.

        `of_ended` makes that answer: only orders that have ended are forgotten.
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
        """Return an order that only the ledger has; raises UnknownOrder if it has none."""
        order = await self.ledger.read(partial(find_order, order_id=order_id))
        if order is None:
            raise UnknownOrder
        if not order.ended:
            raise LedgerUnavailable  # it was placed after the Dispatcher was asked
        return order

    def _may_have_key(self, scope: str, key: str) -> bool:
        return self.keys.may_have(scope, key, self.now() - self.key_ttl_seconds)

    async def _read_key(self, scope: str, key: str) -> Order | None:
        """Return the order that the ledger has under a key; None if there is none."""
        if not self._may_have_key(scope, key):
            return None
        since = self.now() - self.key_ttl_seconds
        query = partial(find_by_key, scope=scope, key=key, since=since)
        return await self.ledger.read(query)

    async def _ask(self, message: Message[Dispatcher, R], retries: Retries | None = None) -> R:
        """Ask the Dispatcher, with the time-out of waits for the ledger."""
        with ledger_time_out():
            return await self._ask_until_answered(message, retries or Retries())

    async def _wait(self, message: Message[Dispatcher, R]) -> R:
        """Ask without a time-out: the answer depends on what other clients do."""
        return await self._ask_until_answered(message, Retries(waits=True))

    async def _ask_until_answered(self, message: Message[Dispatcher, R], retries: Retries) -> R:
        """Ask the Dispatcher; retry after a crash while `retries` allows it."""
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
