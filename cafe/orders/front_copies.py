"""A front's copies of the house's ids, used keys and board.

Rule: a copy has every event that was committed before its load, and follows the log after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cafe.bus.copies import FollowingCopy, until_loaded
from cafe.bus.following_ledger import FollowingLedger
from cafe.ledger.errors import LedgerUnavailable
from cafe.orders.followers import hear_for
from cafe.orders.kept_keys import KeptKeys, UsedKey
from cafe.orders.kept_queries import read_cups, read_keys, read_secret
from cafe.orders.order import OrderIds
from cafe.orders.ready_board import OnBoard, ReadyBoard


async def copied_ids(ledger: FollowingLedger) -> OrderIds:
    """Return the maker of order ids; waits until the house has stored its secret."""

    async def load() -> OrderIds:
        found = await ledger.read(read_secret)
        if found is None:
            raise LedgerUnavailable
        return OrderIds(found.secret, has_unsigned=found.has_unsigned)

    return await until_loaded(load)


async def copied_keys(ledger: FollowingLedger, ttl_seconds: float) -> KeptKeys:
    """Return the used keys, which follow the log from now on."""
    keys = KeptKeys(ttl_seconds)

    async def load() -> Sequence[UsedKey]:
        keys.doubt()
        return await ledger.read(partial(read_keys, ttl_seconds=ttl_seconds, now=ledger.now()))

    await FollowingCopy(load, keys.begin, keys.hear).begin(ledger)
    return keys


async def copied_board(ledger: FollowingLedger) -> ReadyBoard:
    """Return the board, which follows the log from now on."""
    board = ReadyBoard()

    async def load() -> Sequence[OnBoard]:
        return await ledger.read(partial(read_cups, now=ledger.now()))

    await FollowingCopy(load, board.begin, partial(hear_for, board)).begin(ledger)
    return board
