"""The states that customers follow: the board, orders, couriers' hands; the newest of each, shared.

Rule: a reader stores only which states it has sent. A commit only marks what has changed; a task
then looks, at once after a quiet time and otherwise every PACE_SECONDS, encodes each changed state
once, and wakes the readers.

Theory of operation. A state is a *topic*: its newest message, and how many readers it has. A reader
compares the messages it has sent with the newest ones by identity, so a slow reader skips those in
between. The Dispatcher is asked a few questions at each look, however many readers there are.
Changes without a commit (the estimate, a pause that runs out) are found every ALIVE_SECONDS, when
silent readers get a comment.

A message's id is the position of the log at the look that made it. From its id follows whether
a reader has the current board, unless the board has changed while the position stood still.
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
"""The minimum time between two looks."""
ALIVE_SECONDS: Final = 15.0
"""The time between full looks, after which silent readers get a comment."""
AT_ONCE: Final = 500
"""The most orders that one message asks the Dispatcher about."""
WOKEN: Final = 50
"""The most readers that are woken without a checkpoint for other tasks."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("events")


class Topic:
    """The newest state of one thing."""

    __slots__ = ("is_final", "message", "readers", "shown")

    def __init__(self) -> None:
        """Begin without a state."""
        self.message = b""
        """Empty until a state is known."""
        self.shown: object = None
        """A key of the state in the message, to detect a change."""
        self.is_final = False
        """Whether it changes only by an event of its own."""
        self.readers = 0

    def show(self, shown: object, event: str, position: int, data: bytes) -> None:
        """Set the newest state."""
        self.shown = shown
        self.message = message(event, position, data)


class States:
    """All topics, and the task that updates them."""

    def __init__(
        self, ready_board: ReadyBoard, desk: Desk, ledger: LedgerView, *, shares_ids: bool = False
    ) -> None:
        """Begin without states, which `run` makes.

        `shares_ids`: other processes serve the same log, so an id may come from one of them.
        """
        self.board = Topic()
        self.beat = 0
        """Grows each time that silent readers get a comment."""
        self.position = ledger.statistics().position
        """The position of the last look that found a change."""
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
        """Wait until a topic has changed, or silent readers get a comment."""
        await self._parked.park()

    def follow(self, order_ids: Sequence[str], account_id: str | None) -> list[Topic]:
        """Return the topics of some orders and of a courier's account; call `leave` afterwards."""
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
        """Return whether a reader that has received this id has the current board."""
        if position is None or self._is_ambiguous or self._shares_ids:
            return False
        return self._board_since <= position <= self._ledger.statistics().position

    # Changes

    def hear(self, logged: Sequence[Logged]) -> None:
        """Mark the orders that have changed; a callback for `Ledger.listen`."""
        if self._orders:
            self._touched.update(
                one.event.subject
                for one in logged
                if one.department == "orders" and one.event.subject in self._orders
            )
        self._news.set()

    async def touch_all(self) -> None:
        """Schedule a full look, since events were missed."""
        self._alive_at = -inf
        self._signalled.update(self._couriers)
        self._news.set()

    def signal(self, accounts: AbstractSet[str]) -> None:
        """Mark the couriers' accounts whose duty or delivery has changed."""
        self._signalled.update(accounts & self._couriers.keys())

    # The task

    async def run(self) -> NoReturn:
        """Look after changes; never returns, and retries through crashes and outages."""
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
        """Return the standings of orders that may have changed; None for a pruned one."""
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
        """Make the messages of the states that have changed; return whether any has."""
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
        # A reader may have received this id with the previous board.
        self._is_ambiguous = position <= self.position
        self._board_since = position
        self.board.show(data, "board", position, data)
        return True

    async def _wake(self) -> None:
        for _ in range(0, len(self._parked), WOKEN):
            self._parked.unpark(count=WOKEN)
            await trio.lowlevel.checkpoint()


def show_order(topic: Topic, order_id: str, standing: Standing | None, position: int) -> bool:
    """Set the state of an order, or that it is gone; return whether it has changed."""
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
    """Set a message that makes a courier's page load again."""
    topic.show(None, "hand", position, b"{}")


def _forget(topics: dict[str, Topic], names: Collection[str]) -> None:
    for name in names:
        if name in topics and not topics[name].readers:
            del topics[name]


class StateReader:
    """The source of one customers' stream."""

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
        """Set the states of orders that had no reader; skip the board if the client has it."""
        for topic, standing in zip(self._topics[1:], standings, strict=False):
            if not topic.message:
                order_id = standing.order.order_id
                show_order(topic, order_id, standing, self._states.position)
        if self._account_id is not None and not self._topics[-1].message:
            show_hand(self._topics[-1], self._states.position)
        if self._states.is_known(last):
            self._taken[0] = self._states.board.message

    async def next(self) -> bytes:
        """Return all states that have changed since the last call, or a comment."""
        while not (news := self._news()):
            await self._states.wait()
        return news

    def close(self) -> None:
        """Leave all topics."""
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
