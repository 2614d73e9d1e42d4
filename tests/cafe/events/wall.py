"""A counter with boards on its wall, in virtual time, and readers that take what comes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import trio

from actors import Restart
from cafe.events.states import StateReader, States
from cafe.events.stream import Source
from cafe.orders.desk import load_ready_board
from cafe.orders.order import Status
from cafe.orders.ready_board import ReadyBoard
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.orders.counter import Counter, open_counter

PATIENT = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)


class Message(NamedTuple):
    """One message, or a comment, which has the event "alive"."""

    event: str
    position: int
    data: dict[str, Any]
    at: float


def parse(piece: bytes) -> list[Message]:
    """Read messages as a browser does."""
    found: list[Message] = []
    for block in piece.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append(
            Message(
                fields.get("event", "alive" if "" in fields else "nothing"),
                int(fields.get("id", -1)),
                json.loads(fields.get("data", "{}")),
                trio.current_time(),
            )
        )
    return found


@dataclass
class Reader:
    """Takes what a source gives, in a task of its own."""

    source: Source
    seconds: float = 0.0
    """How long it takes to take a piece."""
    got: list[Message] = field(default_factory=list[Message])
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def read(self) -> None:
        with self.scope:
            while True:
                self.got += parse(await self.source.next())
                await trio.sleep(self.seconds)

    def leave(self) -> int:
        """Leave, and return the last id."""
        self.scope.cancel()
        self.source.close()
        return self.last

    @property
    def last(self) -> int:
        """The id that a browser would resume with."""
        return max((one.position for one in self.got), default=-1)

    def events(self, name: str) -> list[Message]:
        return [one for one in self.got if one.event == name]

    def newest(self, name: str) -> dict[str, Any]:
        return self.events(name)[-1].data


@dataclass
class Wall:
    """A counter, and the states that boards follow."""

    counter: Counter
    states: States
    ready_board: ReadyBoard
    nursery: trio.Nursery

    async def reader(
        self,
        *order_ids: str,
        account_id: str | None = None,
        last: int | None = None,
        seconds: float = 0.0,
    ) -> Reader:
        """Open a stream as the route does."""
        source = StateReader(self.states, order_ids, account_id)
        standings = [await self.counter.desk.find(one) for one in order_ids]
        source.begin(standings, last)
        reader = Reader(source, seconds)
        self.nursery.start_soon(reader.read)
        return reader

    async def placed(self, name: str = "") -> str:
        """Place an order without waiting for it."""
        return (await self.counter.order(name=name, hold=0)).order.order_id

    async def move(self, order_id: str, status: Status) -> None:
        await self.counter.move(order_id, status)

    async def brewed(self, order_id: str) -> None:
        """Start and finish an order."""
        await self.move(order_id, Status.PREPARATION)
        await self.move(order_id, Status.READY)


@asynccontextmanager
async def open_wall(
    store: FaultyStore | None = None,
    *,
    disk: Disk | None = None,
    clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Wall]:
    """Open a counter, and have its states followed."""
    async with (
        open_counter(store=store, disk=disk, restart=PATIENT, clock=clock) as counter,
        trio.open_nursery() as nursery,
    ):
        ready_board = await load_ready_board(counter.ledger)
        states = States(ready_board, counter.desk, counter.ledger)
        counter.ledger.listen(states.hear)
        nursery.start_soon(states.run)
        yield Wall(counter, states, ready_board, nursery)
        nursery.cancel_scope.cancel()
