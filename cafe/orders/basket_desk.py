"""The desk for baskets: what the routes for customers with accounts ask.

Rule: as at the desk: no state, no decisions about orders. A basket is placed once, however often
the request is repeated, even where only the ledger still has its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

from actors import ActorCrashed
from cafe.ledger.department import Logged
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.retries import ledger_time_out
from cafe.orders.asking import Asker, Retries
from cafe.orders.messages import (
    CheckRoom,
    FindOrders,
    FindPlaced,
    PlacedPage,
    PlacedQuery,
    PlaceOrder,
    Standing,
)
from cafe.orders.order import Order, Status, account_scope
from cafe.orders.queries import find_order, find_orders, list_placed, read_history
from cafe.orders.refusals import KeyReused, UnknownOrder
from cafe.orders.schemas import basket_out


@dataclass(frozen=True, slots=True)
class BasketDesk(Asker):
    """Asks about the orders of baskets."""

    async def check_room(self, address: str, max_waiting: int) -> None:
        """Raise the refusal that placing a basket now would raise, before it is charged."""
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

        It is not new if the account has used its key for an order before, or if an order with its
        id was committed before. Only a prepaid basket's id is older than this call, so only that
        is looked up.
        """
        try:
            with ledger_time_out():
                return await self._place_basket(message)
        except (LedgerUnavailable, ActorCrashed, trio.Cancelled):
            self.hang_up(message.order_id)
            raise

    async def list_placed(self, query: PlacedQuery) -> PlacedPage:
        """List orders of baskets, the newest first; no answered write is missing.

        They are read from the ledger, and shown as the Dispatcher has them. An order whose status
        no longer matches the query is left out.
        """
        with ledger_time_out():
            found = await self.ledger.read(partial(list_placed, query=query))
            page = found[: query.most]
            standings = await self._show(page)
        wanted = [one for one in standings if one.order.status in (query.statuses or Status)]
        return PlacedPage(wanted, page[-1].number if len(found) > query.most else None)

    async def find_many(self, order_ids: Sequence[str]) -> Sequence[Standing]:
        """Return several orders, in the order of the ids; unknown ids are left out."""
        with ledger_time_out():
            known = await self.ledger.read(partial(find_orders, order_ids=order_ids))
            return await self._show([known[one] for one in order_ids if one in known])

    async def history(self, order_id: str, after: int = 0) -> Sequence[Logged]:
        """Return the events of an order after a position, oldest first, at most 500.

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

    async def _show(self, committed: Sequence[Order]) -> Sequence[Standing]:
        """Return the standings of committed orders: the Dispatcher has all that have not ended."""
        message = FindOrders(tuple(order.order_id for order in committed))
        known = await self._ask_until_answered(message, Retries())
        return [known.get(order.order_id, self._ended(order)) for order in committed]
