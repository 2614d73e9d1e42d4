"""The Ledger, with a store that does as it is told."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, open_system
from actors.testing import settle
from cafe.ledger.ledger import InThread, Ledger
from cafe.ledger.messages import Commit, LedgerUnavailable, OtherEpoch, Ping, ReadKey, ReadOrder
from tests.cafe.ledger.fakes import Disk, MemoryStore
from tests.cafe.ledger.lives import Writer

TTL = 100.0


@pytest.mark.schedules
async def test_what_was_committed_can_be_read_and_by_its_key_as_long_as_that_holds() -> None:
    store = MemoryStore()
    epoch = store.load().epoch
    record = Writer().place("x", key="k", at=0.0)
    address = record.order.address
    async with open_system() as system:
        ledger = await system.start(partial(Ledger, store, trio.current_time, TTL, Disk()))
        await ledger.ask(Commit(epoch, (record,)))
        assert await ledger.ask(ReadOrder("x")) == record.order
        assert await ledger.ask(ReadOrder("y")) is None
        await trio.sleep(TTL)
        assert await ledger.ask(ReadKey(address, "k")) == record.order
        await trio.sleep(1)
        assert await ledger.ask(ReadKey(address, "k")) is None


@pytest.mark.schedules
async def test_trouble_with_the_database_is_a_refusal_and_a_bug_is_a_crash() -> None:
    store = MemoryStore()
    epoch = store.load().epoch
    async with open_system() as system:
        ledger = await system.start(partial(Ledger, store, trio.current_time, TTL, Disk()))
        store.gone = True
        for message in (Commit(epoch, ()), ReadOrder("x"), ReadKey("a", "k"), Ping()):
            with pytest.raises(LedgerUnavailable):
                await ledger.ask(message)
        store.gone = False
        with pytest.raises(OtherEpoch):
            await ledger.ask(Commit(epoch + 1, ()))
        store.bugs = 1
        with pytest.raises(ActorCrashed):
            await ledger.ask(ReadOrder("x"))
        await ledger.ask(Ping())


@pytest.mark.schedules
async def test_one_thing_is_done_at_a_time() -> None:
    store, ended = MemoryStore(), list[float]()
    async with open_system() as system, trio.open_nursery() as nursery:
        ledger = await system.start(partial(Ledger, store, trio.current_time, TTL, Disk(1)))

        async def ping() -> None:
            await ledger.ask(Ping())
            ended.append(trio.current_time())

        for _ in range(3):
            nursery.start_soon(ping)
        await settle()
    assert ended == pytest.approx([1, 2, 3])


async def test_a_call_is_run_in_a_thread_and_gives_what_it_gives() -> None:
    assert await InThread().run(lambda: 7) == 7
