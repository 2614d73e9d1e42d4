"""A front's ref of the Dispatcher, its house in the hands of the test, and clients in tasks.

Rule: the test answers when it wants to. The bus, and what a cancelled ask of it does, is not here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import trio
from trio.testing import wait_all_tasks_blocked

from actors import MailboxFull
from cafe.bus.codec import decoder_of, encode
from cafe.http.refusals import Closing
from cafe.ledger.department import Logged
from cafe.orders import messages
from cafe.orders.front import DispatcherAtFront
from cafe.orders.messages import (
    AwaitOrder,
    PlaceOrder,
    Standing,
)
from cafe.orders.order import Change, Order
from cafe.orders.tables import entry_of
from tests.cafe.ledger.order_histories import Tickets


def log_of(*changes: Change, department: str = "orders") -> list[Logged]:
    """Return what a commit of these changes adds to the log."""
    entries = [entry_of(change) for change in changes]
    return [
        Logged(at, department, one.event, one.changes)
        for at, one in enumerate(entries, 1)
        if one.event is not None
    ]


@dataclass
class Asked:
    """A message that a front has sent, and how the test answers it."""

    message: Any
    read: Callable[[Any], Any]
    late: Callable[[Any], object] | None
    done: trio.Event
    answer: Any = None
    error: Exception | None = None

    def reply(self, answer: Any) -> None:
        self.answer = self.read(encode(answer))
        self.done.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()

    def reply_late(self, answer: Any) -> None:
        """Answer an ask that was cancelled before."""
        assert self.late is not None
        self.late(self.read(encode(answer)))


class HouseOnPaper:
    """A client of a house, and a ledger that follows its log, in the hands of the test."""

    front = "front"

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.tells: list[Any] = []
        self.is_full = False
        self.gap: Callable[[], Awaitable[None]]
        self.new_house: Callable[[], Awaitable[None]]
        self.hear: Callable[[Sequence[Logged]], None]

    async def ask(
        self, _of: str, name: str, body: bytes, read: Callable[[Any], Any], late: Any = None
    ) -> Any:
        asked = Asked(_read(name, body), read, late, trio.Event())
        self.asked.append(asked)
        await asked.done.wait()
        if asked.error is not None:
            raise asked.error
        return asked.answer

    def tell_nowait(self, of: str, name: str, body: bytes) -> None:
        if self.is_full:
            raise MailboxFull(of, 1)
        self.tells.append(_read(name, body))

    def listen(self, callback: Callable[[Sequence[Logged]], None]) -> None:
        self.hear = callback

    def on_gap(self, callback: Callable[[], Awaitable[None]]) -> None:
        self.gap = callback

    def on_new_house(self, callback: Callable[[], Awaitable[None]]) -> None:
        self.new_house = callback

    def commit(self, *changes: Change) -> None:
        self.hear(log_of(*changes))

    async def next(self) -> Asked:
        """Return what was asked last, once nothing goes on without an answer."""
        await wait_all_tasks_blocked()
        return self.asked[-1]


def _read(name: str, body: bytes) -> Any:
    return decoder_of(getattr(messages, name))(body)


class Client:
    """A task that asks one thing, and can leave."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.got: Any = None
        self.error: Exception | None = None

    async def run(self, ask: Callable[[], Awaitable[Any]]) -> None:
        with self.scope:
            try:
                self.got = await ask()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.error = error


class FrontHere:
    """A front, its house, and clients in tasks of their own."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.house, self.closing = HouseOnPaper(), Closing()
        house = cast("Any", self.house)
        self.dispatcher = DispatcherAtFront(house, house, self.closing, 60.0)
        self._nursery = nursery
        nursery.start_soon(self.dispatcher.run)

    def ask(self, message: Any) -> Client:
        """Ask in a task."""
        client = Client()
        self._nursery.start_soon(client.run, partial(self.dispatcher.ask, message))
        return client

    async def placed(self, order: Order) -> None:
        """Place an order whose customer waits here; the house answers."""
        self.ask(place(order))
        (await self.house.next()).reply(stands(order))
        await wait_all_tasks_blocked()

    async def awaited(self, order: Order) -> Client:
        """Place an order, and wait for it."""
        await self.placed(order)
        client = self.ask(AwaitOrder(order.order_id))
        await wait_all_tasks_blocked()
        return client


@asynccontextmanager
async def front() -> AsyncGenerator[FrontHere]:
    """Open a front."""
    async with trio.open_nursery() as nursery:
        yield FrontHere(nursery)
        nursery.cancel_scope.cancel()


def place(order: Order) -> PlaceOrder:
    return PlaceOrder(order.order_id, "americano", None, order.address, 9, order.key)


def stands(order: Order) -> Standing:
    return Standing(order, None, None, 0.0)


def new_order(key: str | None = None) -> Order:
    return Tickets().place(key=key).order
