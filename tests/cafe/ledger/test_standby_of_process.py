"""The shop's process waits to own its ledger, says so in its event loop, and ends the wait."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
import trio

from cafe.ledger.errors import DatabaseInUse
from cafe.ledger.store import open_store
from cafe.shop.process import open_patiently, opened
from tests.cafe.ledger.house_owner import LONG
from tests.cafe.ledger.postgres import PostgresServer
from tests.cafe.ledger.waiting import HOLDER, sessions_of


async def test_a_process_waits_until_the_owner_has_gone(address: str) -> None:
    owner, waits = open_store(address), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(close_when, waits, owner.close)
        with trio.fail_after(LONG):
            store = await open_patiently(address, waits.set)
    with closing(store):
        assert store.heartbeat_seconds is not None


async def close_when(event: trio.Event, close: Callable[[], None]) -> None:
    await event.wait()
    await trio.to_thread.run_sync(close)


async def test_a_process_without_a_wait_is_refused_at_once(address: str) -> None:
    with closing(open_store(address)), pytest.raises(DatabaseInUse):
        await open_patiently(address)


async def test_a_process_that_is_ended_while_it_waits_leaves_no_owner_behind(
    postgres: PostgresServer, database: str, address: str
) -> None:
    owner, waits, ends = open_store(address), trio.Event(), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_after, waits, ends)
        with trio.fail_after(LONG):
            async with opened(address, ends, 1.0, waits.set) as store:
                assert store is None
    owner.close()
    with trio.fail_after(LONG):
        while sessions_of(postgres, database):
            assert postgres.execute(HOLDER, database) == []
            await trio.sleep(0.01)


async def end_after(event: trio.Event, ends: trio.Event) -> None:
    await event.wait()
    ends.set()
