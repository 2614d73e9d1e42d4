"""The Autopilot: an actor that plays the staff, for trying the shop out and for shows.

Rule: at each tick every order in memory moves at most one status on, and none that staff have moved
since the tick before. It asks as a barista would, one order after the other, so that the Dispatcher
never waits for it and has turns for everyone else in between.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import floor

import trio

from actors import Actor, ActorCrashed, ActorError, Message, Ref
from cafe.http.refusals import CafeRefusal, Closing
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import ListOrders, ListReady, MoveOrder
from cafe.orders.order import NEXT, Order, Status

NAME = "autopilot"
"""By whom its changes are, in the log."""
PAGE = 100
"""Orders that it asks for at once."""
LEASE_TICKS = 3
"""Its claims hold for so many ticks at least, so that the next tick finds them."""

Seen = tuple[Status, float | None, float | None]
"""The status of an order, and when it was started and ended: what changes when it is moved."""


@dataclass(frozen=True, slots=True)
class Tick(Message["Autopilot", None]):
    """Move each order one status on; answered when that is done."""


class Autopilot(Actor):
    """Moves orders; keeps how it left each of them."""

    def __init__(self, dispatcher: Ref[Dispatcher], closing: Closing, seconds: float) -> None:
        self._dispatcher = dispatcher
        self._closing = closing
        self._lease_seconds = LEASE_TICKS * seconds
        self._left: dict[str, Seen] = {}
        """How each order stood at the end of the last tick."""

    @Tick.handler
    async def tick(self, _message: Tick) -> None:
        """Move each order one status on, and give up for this time where the shop cannot."""
        before, self._left = self._left, {}
        with suppress(CafeRefusal, ActorError):
            # First those that are ready, so that none is moved twice.
            for order in await self._dispatcher.ask(ListReady()):
                await self._play(order, before)
            goes_on, behind = True, 0
            while goes_on:
                page = await self._dispatcher.ask(ListOrders(behind=behind, most=PAGE))
                for standing in page.standings:
                    await self._play(standing.order, before)
                    behind = standing.order.number
                goes_on = page.goes_on

    async def _play(self, order: Order, before: dict[str, Seen]) -> None:
        """Move an order, unless staff did since the last tick."""
        if self._closing.refusal is not None:
            raise self._closing.refusal
        if before.get(order.order_id, PLACED) == seen(order):
            step = MoveOrder(order.order_id, NEXT[order.status], NAME, self._lease_seconds)
            with suppress(WrongStep, UnknownOrder):  # staff or its customer were faster
                order = (await self._dispatcher.ask(step)).order
        self._left[order.order_id] = seen(order)


def seen(order: Order) -> Seen:
    """Return how an order stands, as far as moving it changes that."""
    return order.status, order.started_at, order.ended_at


PLACED: Seen = (Status.WAITING, None, None)
"""How an order stands that nobody has moved."""
