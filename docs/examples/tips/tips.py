"""Tips: the actor that owns all tips, and the task that follows the orders' events for it.

Rule: memory holds only how far the log was followed. Each turn reads what it needs, decides by the
model, and commits: so the next turn finds all that was done before, and a crash, a kill or a
refused row leaves nothing to undo.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from actors import Actor, ActorCrashed, Ref, Reply
from cafe.ledger.department import Logged
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from cafe.ledger.journal import Journal
from cafe.ledger.ledger import Ledger
from cafe.ledger.reader import Query
from docs.examples.tips.messages import AwaitPosition, Follow, GiveTip
from docs.examples.tips.queries import load_position, look_up, look_up_all
from docs.examples.tips.refusals import NotBrewed, OneTipEach, TipIdReused, UnknownOrder
from docs.examples.tips.tables import entry_of, entry_of_brews
from docs.examples.tips.tip import NoOrderError, NotBrewedError, Tip, TipBook

R = TypeVar("R")
RETRY_SECONDS = 0.5
"""Between two retries, while the database cannot be written or refuses a row."""
MOST_EVENTS = 1_000
"""In one turn."""


class Tips(Actor):
    """Owns tips, from the pledge until they are paid or returned."""

    def __init__(self, ledger: Ledger, opened: tuple[Journal, int]) -> None:
        self._ledger = ledger
        self._journal, self._position = opened
        self._waiting: dict[Reply[None], int] = {}

    @GiveTip.handler
    async def give(self, message: GiveTip) -> Tip:
        """Pledge a tip, or pay it at once where the order is ready."""
        given, book = await self._read(
            partial(look_up, tip_id=message.tip_id, order_id=message.order_id)
        )
        if given is not None:
            if (given.order_id, given.cents) != (message.order_id, message.cents):
                raise TipIdReused
            return given
        try:
            changes = book.give(message.tip_id, message.order_id, message.cents, self._ledger.now())
        except NoOrderError:
            raise UnknownOrder from None
        except NotBrewedError:
            raise NotBrewed from None
        try:
            await self._journal.commit(*map(entry_of, changes))
        except NotRecorded as refused:
            if refused.reason == "conflict":  # of all constraints only this can be broken
                raise OneTipEach from None
            raise
        return changes[-1].tip

    @Follow.handler
    async def follow(self, message: Follow) -> None:
        """Apply events, unless they were applied before."""
        last = message.batch[-1].position
        events = [one for one in message.batch if one.department == "orders"]
        position, book = await self._read(partial(look_up_all, events=events))
        if position < last:
            await self._take_in(book, [one for one in events if one.position > position], last)
        self._position = max(position, last)
        for reply, position in list(self._waiting.items()):
            if position <= self._position:
                del self._waiting[reply]
                reply.send(None)

    @AwaitPosition.deferred
    def wait(self, message: AwaitPosition, reply: Reply[None]) -> None:
        """Answer when the log was followed up to a position."""
        if message.position <= self._position:
            reply.send(None)
            return
        self._waiting[reply] = message.position
        reply.on_abandoned(partial(self._forget, reply))

    def _forget(self, reply: Reply[None]) -> None:
        self._waiting.pop(reply, None)

    async def _take_in(self, book: TipBook, events: list[Logged], last: int) -> None:
        now = self._ledger.now()
        changes = [
            change
            for one in (logged.event for logged in events)
            for change in book.follow(one.subject, one.action, one.after, one.by, now)
        ]
        brews = [book.brews[order_id] for order_id in {one.event.subject for one in events}]
        await self._journal.commit(entry_of_brews(brews, last), *map(entry_of, changes))

    async def _read(self, query: Query[R]) -> R:
        """Read behind all that was written, also by a turn that was cancelled meanwhile."""
        return await self._ledger.read(query, behind=self._journal)


async def follow_orders(tips: Ref[Tips], ledger: Ledger) -> None:
    """Send every event of the log to Tips, which skips those that it has applied; never returns."""
    after = await until_done(partial(ledger.read, load_position))
    async with ledger.follow(after) as batches:
        async for batch in batches:
            for first in range(0, len(batch), MOST_EVENTS):
                part = Follow(tuple(batch[first : first + MOST_EVENTS]))
                await until_done(partial(tips.ask, part))


async def until_done(ask: Callable[[], Awaitable[R]]) -> R:
    """Ask until there is an answer, and return it; retry after a crash and during an outage.

    An event whose rows are refused is not skipped: it is retried until an operator has helped.
    """
    while True:
        try:
            return await ask()
        except ActorCrashed:
            await trio.lowlevel.checkpoint()
        except (LedgerUnavailable, NotRecorded):
            await trio.sleep(RETRY_SECONDS)
