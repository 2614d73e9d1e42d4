"""The Autopilot: an actor that plays the staff, for trying the shop out and for shows.

Rule: at each tick every order in memory moves at most one status on, and none that staff have moved
since the tick before. It asks as a barista would, one order after the other, so that the Dispatcher
never waits for it and has turns for everyone else in between.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
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
        """How each order stood at the end of the last tick."""

    @Tick.handler
    async def tick(self, _message: Tick) -> None:
        """Move each order one status on, and give up for this time where the shop cannot."""
        left: dict[str, Seen] = {}
        try:
            async with aclosing(self._orders()) as found:
                async for order in found:
                    left[order.order_id] = seen(await self._play(order))
            self._left = left
        except (CafeRefusal, ActorCrashed, ActorStopped):
            self._left |= left

    async def _orders(self) -> AsyncGenerator[Order]:
        """Yield what there is to move, each once: those that are ready first."""
        for order in await self._dispatcher.ask(ListReady()):
            yield order
        behind: int | None = 0
        while behind is not None:
            page = await self._dispatcher.ask(ListOrders(behind=behind, most=PAGE))
            for standing in page.standings:
                yield standing.order
            behind = page.standings[-1].order.number if page.goes_on else None

    async def _play(self, order: Order) -> Order:
        """Move an order, unless staff did since the last tick; return it as it was left."""
        if self._closing.refusal is not None:
            raise self._closing.refusal
        if self._left.get(order.order_id, PLACED) != seen(order):
            return order
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
