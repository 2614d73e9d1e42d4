"""The states that customers follow: the board, orders, couriers' hands; the newest of each, shared.

Rule: nothing is kept for a reader but which states it has taken. Commits only note what has
changed; a task then looks, at once after a quiet time and else every PACE_SECONDS, makes the bytes
of each state that differs once, and wakes the readers.

Theory of operation. A state is a *topic*: its newest message, and how many readers it has. A reader
compares by identity what it has taken with what there is, so one that is slow skips what was
between. The Dispatcher is asked a few questions at each look, however many readers there are. What
may change without a commit (the estimate, a pause that runs out) is looked at every ALIVE_SECONDS,
when silent readers get a comment.

A message's id is the position of the log at the look that made it. Whether a reader with an id has
the board of now follows from that, unless the board has changed while the position stood still.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from math import inf
from typing import Final, NoReturn

import structlog
import trio

from actors import ActorCrashed
from cafe.events.shown import board_json, order_json, standing_key
from cafe.events.sse import ALIVE, message, to_json
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Logged
from cafe.ledger.parts import in_parts
from cafe.ledger.retries import ledger_time_out
from cafe.ledger.view import LedgerView
from cafe.orders.desk import Desk
from cafe.orders.messages import FindOrders, QueueCount, Standing
from cafe.orders.ready_board import ReadyBoard

PACE_SECONDS: Final = 0.75
"""Between two looks, at least."""
ALIVE_SECONDS: Final = 15.0
"""How often those get a comment that have got nothing else, and everything is looked at."""
AT_ONCE: Final = 500
"""Orders that the Dispatcher is asked about in one turn."""
WOKEN: Final = 50
"""Readers that are woken at once: between them, others have their turn."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("events")


class Topic:
    """The newest state of one thing."""

    __slots__ = ("is_final", "message", "readers", "shown")

    def __init__(self) -> None:
        """Begin without a state."""
        self.message = b""
        """Empty until a state is known."""
        self.shown: object = None
        """What the message shows, to tell a change."""
        self.is_final = False
        """Whether it changes only by an event of its own."""
        self.readers = 0

    def show(self, shown: object, event: str, position: int, data: bytes) -> None:
        """Take a state for the newest."""
        self.shown = shown
        self.message = message(event, position, data)


class States:
    """All topics, and the task that keeps them."""

    def __init__(
        self, ready_board: ReadyBoard, desk: Desk, ledger: LedgerView, *, shares_ids: bool = False
    ) -> None:
        """Show nothing yet: that takes `run`.

        `shares_ids`: other processes look at the same log, so an id may be of a look of theirs.
        """
        self.board = Topic()
        self.beat = 0
        """Grows each time that silent readers get a comment."""
        self.position = ledger.statistics().position
        """Of the last look that has changed something."""
        self._orders: dict[str, Topic] = {}
        self._couriers: dict[str, Topic] = {}
        self._ready_board = ready_board
        self._desk = desk
        self._ledger = ledger
        self._shares_ids = shares_ids
        self._count: QueueCount | None = None
        self._board_since = self.position
        # A reader of an earlier process may have had another board at this position.
        self._is_ambiguous = True
        self._touched: set[str] = set()
        self._signalled: set[str] = set()
        self._news = trio.Event()
        self._alive_at = -inf
        self._parked = trio.lowlevel.ParkingLot()
        self._is_behind = False

    # Readers

    async def wait(self) -> None:
        """Return when a topic has changed, or silent readers get a comment."""
        await self._parked.park()

    def follow(self, order_ids: Sequence[str], account_id: str | None) -> list[Topic]:
        """Return the topics of some orders, and that of a courier's account; leave them later."""
        topics = [self._orders.setdefault(one, Topic()) for one in order_ids]
        if account_id is not None:
            topics.append(self._couriers.setdefault(account_id, Topic()))
        for topic in topics:
            topic.readers += 1
        self._touched.update(order_ids)
        self._news.set()
        return topics

    def leave(
        self, topics: Sequence[Topic], order_ids: Sequence[str], account_id: str | None
    ) -> None:
        """Forget the topics that `follow` returned, unless another reader has them."""
        for topic in topics:
            topic.readers -= 1
        _forget(self._orders, order_ids)
        _forget(self._couriers, () if account_id is None else (account_id,))

    def is_known(self, position: int | None) -> bool:
        """Return whether a reader that has had this id has the board of now."""
        if position is None or self._is_ambiguous or self._shares_ids:
            return False
        return self._board_since <= position <= self._ledger.statistics().position

    # What commits note

    def hear(self, logged: Sequence[Logged]) -> None:
        """Note which orders have changed; a follower for `Ledger.listen`."""
        if self._orders:
            self._touched.update(
                one.event.subject
                for one in logged
                if one.department == "orders" and one.event.subject in self._orders
            )
        self._news.set()

    async def touch_all(self) -> None:
        """Have everything looked at again: events were missed."""
        self._alive_at = -inf
        self._signalled.update(self._couriers)
        self._news.set()

    def signal(self, accounts: AbstractSet[str]) -> None:
        """Note whose duty or delivery has changed."""
        self._signalled.update(accounts & self._couriers.keys())

    # The task

    async def run(self) -> NoReturn:
        """Look when there is something new; never returns, and outlives crashes and outages."""
        while True:
            await self._wait_for_news()
            await self._look()
            await trio.sleep(PACE_SECONDS)

    async def _wait_for_news(self) -> None:
        due, leaves = self._alive_at, self._ready_board.next_change()
        if leaves is not None:
            due = min(due, trio.current_time() + leaves - self._ledger.now())
        with trio.move_on_at(due):
            await self._news.wait()

    async def _look(self) -> None:
        self._news = trio.Event()
        touched, self._touched = self._touched, set()
        is_due = trio.current_time() >= self._alive_at
        try:
            self._count = await self._desk.count()
            standings = await self._find(touched, everything=is_due)
        except (ActorCrashed, CafeRefusal) as no:
            self._touched |= touched
            self._news.set()
            standings = {}
            if not self._is_behind:
                log.warning("states are behind", why=str(no))
            self._is_behind = True
        else:
            self._is_behind = False
        if is_due:
            self._alive_at = trio.current_time() + ALIVE_SECONDS
            self.beat += 1
        if self._publish(standings) or is_due:
            await self._wake()

    async def _find(
        self, touched: AbstractSet[str], *, everything: bool
    ) -> dict[str, Standing | None]:
        """Return where orders stand that may have changed; None for one that was pruned."""
        found: dict[str, Standing | None] = {}
        wanted = [
            order_id
            for order_id, topic in self._orders.items()
            if everything or not topic.is_final or order_id in touched
        ]
        for part in in_parts(wanted, AT_ONCE):
            with ledger_time_out():
                known = await self._desk.dispatcher.ask(FindOrders(tuple(part)))
            ended = [one for one in part if one not in known]
            found |= dict.fromkeys(ended) | known
            if ended:  # the Dispatcher has forgotten them
                for standing in await self._desk.find_many(ended):
                    found[standing.order.order_id] = standing
        return found

    def _publish(self, standings: dict[str, Standing | None]) -> bool:
        """Make the messages of the states that differ; return whether any does."""
        position = self._ledger.statistics().position
        changed = self._show_board(position)
        for order_id, standing in standings.items():
            topic = self._orders.get(order_id)
            if topic is not None and show_order(topic, order_id, standing, position):
                changed = True
        signalled, self._signalled = self._signalled, set()
        for account_id in signalled & self._couriers.keys():
            show_hand(self._couriers[account_id], position)
            changed = True
        if changed:
            self.position = position
        return changed

    def _show_board(self, position: int) -> bool:
        if self._count is None:
            return False
        data = board_json(self._ready_board.show(self._ledger.now()), self._count)
        if data == self.board.shown:
            return False
        # A reader may have had this id with the board before.
        self._is_ambiguous = position <= self.position
        self._board_since = position
        self.board.show(data, "board", position, data)
        return True

    async def _wake(self) -> None:
        for _ in range(0, len(self._parked), WOKEN):
            self._parked.unpark(count=WOKEN)
            await trio.lowlevel.checkpoint()


def show_order(topic: Topic, order_id: str, standing: Standing | None, position: int) -> bool:
    """Show where an order stands, or that it is gone; return whether that is another state."""
    shown: object = None if standing is None else standing_key(standing)
    if topic.message and topic.shown == shown:
        return False
    if standing is None:
        topic.is_final = True
        topic.show(None, "gone", position, to_json({"order_id": order_id}))
    else:
        topic.is_final = standing.order.ended
        topic.show(shown, "order", position, order_json(standing))
    return True


def show_hand(topic: Topic, position: int) -> None:
    """Signal a courier's page that it should look."""
    topic.show(None, "hand", position, b"{}")


def _forget(topics: dict[str, Topic], names: Collection[str]) -> None:
    for name in names:
        if name in topics and not topics[name].readers:
            del topics[name]


class StateReader:
    """The source of one stream of customers."""

    __slots__ = ("_account_id", "_beat", "_order_ids", "_states", "_taken", "_topics")

    def __init__(
        self, states: States, order_ids: Sequence[str] = (), account_id: str | None = None
    ) -> None:
        """Follow the board, some orders, and what a courier's account has in hand."""
        self._states = states
        self._order_ids = tuple(order_ids)
        self._account_id = account_id
        self._beat = states.beat
        self._topics = (states.board, *states.follow(self._order_ids, account_id))
        self._taken = [b""] * len(self._topics)

    def begin(self, standings: Sequence[Standing], last: int | None) -> None:
        """Show where the orders stand that nobody has followed; skip a board that is known."""
        for topic, standing in zip(self._topics[1:], standings, strict=False):
            if not topic.message:
                order_id = standing.order.order_id
                show_order(topic, order_id, standing, self._states.position)
        if self._account_id is not None and not self._topics[-1].message:
            show_hand(self._topics[-1], self._states.position)
        if self._states.is_known(last):
            self._taken[0] = self._states.board.message

    async def next(self) -> bytes:
        """Return all states that differ from those that were taken, or a comment."""
        while not (news := self._news()):
            await self._states.wait()
        return news

    def close(self) -> None:
        """Follow nothing more."""
        self._states.leave(self._topics[1:], self._order_ids, self._account_id)

    def _news(self) -> bytes:
        pieces: list[bytes] = []
        for index, topic in enumerate(self._topics):
            if topic.message is not self._taken[index]:
                self._taken[index] = topic.message
                pieces.append(topic.message)
        if not pieces and self._beat != self._states.beat:
            pieces.append(ALIVE)
        self._beat = self._states.beat
        return b"".join(pieces)
