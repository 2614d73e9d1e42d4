"""The Autopilot: an actor that plays the staff, for trials and demonstrations.

Rule: each tick moves every order in memory at most one status on, and leaves alone those that staff
have moved since the tick before. It asks as a barista would, one order after the other, so that the
Dispatcher handles other messages in between.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import trio

from actors import Actor, ActorCrashed, ActorStopped, Message, Ref
from cafe.http.refusals import CafeRefusal, Closing
from cafe.ledger.errors import NotRecorded
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import ListOrders, ListReady, MoveOrder
from cafe.orders.order import NEXT, Order, Status
from cafe.orders.refusals import UnknownOrder, WrongStep

NAME = "autopilot"
"""The name that the log has for its changes."""
PAGE = 100
"""Orders on each page that it asks for."""
LEASE_TICKS = 3
"""The minimum lease of its claims, in ticks, so that the next tick finds them."""

Seen = tuple[Status, float | None, float | None]
"""The status of an order, and when it was started and ended: the fields that a move changes."""


@dataclass(frozen=True, slots=True)
class Tick(Message["Autopilot", None]):
    """Move each order one status on; answered when that is done."""


class Autopilot(Actor):
    """Moves orders, and remembers how it left each of them."""

    def __init__(self, dispatcher: Ref[Dispatcher], closing: Closing, seconds: float) -> None:
        self._dispatcher = dispatcher
        self._closing = closing
        self._lease_seconds = LEASE_TICKS * seconds
        self._left: dict[str, Seen] = {}
        """The state of each order after the last tick."""

    @Tick.handler
    async def tick(self, _message: Tick) -> None:
        """Move each order that staff have not moved; a refusal or a crash ends the tick."""
        with suppress(CafeRefusal, ActorCrashed, ActorStopped):
            orders = await self._list()
            self._left = {one.order_id: self._left.get(one.order_id, PLACED) for one in orders}
            for order in orders:
                if self._closing.refusal is not None:
                    return
                is_as_left = self._left[order.order_id] == seen(order)
                left = await self._move(order) if is_as_left else order
                self._left[order.order_id] = seen(left)

    async def _list(self) -> list[Order]:
        """Return the orders to move, each once, the ready ones first.

        A ready order that a courier brings is left out: the courier hands it over.
        """
        everything = await self._dispatcher.ask(ListReady())
        ready = [order for order in everything if order.destination is None]
        live: list[Order] = []
        while True:
            behind = live[-1].number if live else 0
            page = await self._dispatcher.ask(ListOrders(behind=behind, most=PAGE))
            live += [standing.order for standing in page.standings]
            if not page.goes_on:
                return ready + live

    async def _move(self, order: Order) -> Order:
        """Move an order one status on and return it; return it unchanged if that is refused."""
        step = MoveOrder(order.order_id, NEXT[order.status], NAME, self._lease_seconds)
        try:
            return (await self._dispatcher.ask(step)).order
        except (WrongStep, UnknownOrder, NotRecorded):
            return order  # staff or its customer were faster, or the database refused it


async def keep_ticking(autopilot: Ref[Autopilot], seconds: float) -> None:
    """Ask for a tick every `seconds` of monotonic time; never returns.

    Ticks that were missed during a long tick or a pause of the machine are skipped.
    """
    due = trio.current_time() + seconds
    while True:
        await trio.sleep_until(due)
        with suppress(ActorCrashed):  # the next instance begins afresh
            await autopilot.ask(Tick())
        due += seconds * ((trio.current_time() - due) // seconds + 1)


def seen(order: Order) -> Seen:
    """Return the fields of an order that a move changes."""
    return order.status, order.started_at, order.ended_at


PLACED: Seen = (Status.WAITING, None, None)
"""The state of an order that has never been moved."""
