"""Copies at a front of what a desk keeps in memory: the ids, the keys that are used, the board.

Rule: a copy has all that was committed, at the latest when it is loaded.
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
