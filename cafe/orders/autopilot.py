"""The Autopilot: an actor that plays the staff, for trying the shop out and for shows.

Rule: at each tick every order in memory moves at most one status on, and none that staff have moved
since the tick before. It asks as a barista would, one order after the other, so that the Dispatcher
never waits for it and has turns for everyone else in between.
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
"""Who has made its changes, as the log says."""
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
        """How each order stood when the last tick was done with it."""

    @Tick.handler
    async def tick(self, _message: Tick) -> None:
        """Move each order that staff have not moved, and give up where the shop cannot now."""
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
        """Return what there is to move, each once: those that are ready first.

        What a courier brings is moved no further once it is ready.
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
        """Move an order one status on, and return it; as it was, where it cannot be moved."""
        step = MoveOrder(order.order_id, NEXT[order.status], NAME, self._lease_seconds)
        try:
            return (await self._dispatcher.ask(step)).order
        except (WrongStep, UnknownOrder, NotRecorded):
            return order  # staff or its customer were faster, or the database refuses it


async def keep_ticking(autopilot: Ref[Autopilot], seconds: float) -> None:
    """Ask for a tick every so many seconds of monotonic time; never returns.

    What a long tick or a pause of the machine has missed is not caught up.
    """
    due = trio.current_time() + seconds
    while True:
        await trio.sleep_until(due)
        with suppress(ActorCrashed):  # the next instance begins afresh
            await autopilot.ask(Tick())
        due += seconds * ((trio.current_time() - due) // seconds + 1)


def seen(order: Order) -> Seen:
    """Return how an order stands, as far as moving it changes that."""
    return order.status, order.started_at, order.ended_at


PLACED: Seen = (Status.WAITING, None, None)
"""How an order stands that nobody has moved."""
