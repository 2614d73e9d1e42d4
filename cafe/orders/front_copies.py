"""Copies at a front of what a desk keeps in memory: loaded from the house, then by the log.

Rule: a copy has all that was committed, at the latest when it is loaded. What is heard while it is
loaded may be missing in what comes: so that is heard again behind it. Where events were missed, it
is loaded again, in place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

import structlog
import trio

from actors import ActorError
from cafe.bus.following_ledger import FollowingLedger
from cafe.http.refusals import CafeRefusal
from cafe.ledger.department import Logged
from cafe.ledger.errors import LedgerUnavailable
from cafe.orders.followers import hear_for
from cafe.orders.kept_keys import KeptKeys
from cafe.orders.kept_queries import read_cups, read_keys, read_secret
from cafe.orders.order import OrderIds
from cafe.orders.ready_board import ReadyBoard

T = TypeVar("T")

RETRY_SECONDS: Final = 0.5
"""Between two attempts to load, as long as no house answers."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


class LoadedCopy(Generic[T]):
    """Something that follows the log, and is loaded by a query of plain values."""

    def __init__(
        self,
        load: Callable[[], Awaitable[T]],
        begin: Callable[[T], None],
        hear: Callable[[Sequence[Logged]], None],
    ) -> None:
        """Have `begin` take what `load` returns, and `hear` what was committed since."""
        self._load = load
        self._begin = begin
        self._hear = hear
        self._meanwhile: list[Sequence[Logged]] | None = None

    def hear(self, logged: Sequence[Logged]) -> None:
        """Take in what was committed; a follower for `listen`."""
        self._hear(logged)
        if self._meanwhile is not None:
            self._meanwhile.append(logged)

    async def load(self) -> None:
        """Load it; raises what `load` raises, and then it follows the log as before."""
        meanwhile = self._meanwhile = list[Sequence[Logged]]()
        try:
            loaded = await self._load()
        finally:
            self._meanwhile = None
        self._begin(loaded)
        for logged in meanwhile:
            self._hear(logged)


async def until_loaded(load: Callable[[], Awaitable[T]]) -> T:
    """Return what a front loads as it opens, however long no house answers."""
    while True:
        try:
            return await load()
        except (ActorError, CafeRefusal) as no:
            log.warning("not loaded; it is retried", why=str(no))
        await trio.sleep(RETRY_SECONDS)


async def copied_ids(ledger: FollowingLedger) -> OrderIds:
    """Return the maker of ids; the house has made its secret when it opened."""

    async def load() -> OrderIds:
        found = await ledger.read(read_secret)
        if found is None:
            raise LedgerUnavailable
        return OrderIds(found.secret, has_unsigned=found.has_unsigned)

    return await until_loaded(load)


async def copied_keys(ledger: FollowingLedger, ttl_seconds: float) -> KeptKeys:
    """Return the keys that the ledger may have, which follow the log from now on."""
    keys = KeptKeys(ttl_seconds)

    async def load() -> None:
        keys.doubt()
        await copy.load()

    reading = partial(read_keys, ttl_seconds=ttl_seconds)
    copy = LoadedCopy(
        lambda: ledger.read(partial(reading, now=ledger.now())), keys.begin, keys.hear
    )
    ledger.listen(copy.hear)
    ledger.on_gap(load)
    await until_loaded(load)
    return keys


async def copied_board(ledger: FollowingLedger) -> ReadyBoard:
    """Return the board, which follows the log from now on."""
    board = ReadyBoard()
    copy = LoadedCopy(
        lambda: ledger.read(partial(read_cups, now=ledger.now())),
        board.begin,
        partial(hear_for, board),
    )
    ledger.listen(copy.hear)
    ledger.on_gap(copy.load)
    await until_loaded(copy.load)
    return board
