"""The courier's way between the two, with nobody behind either."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed
from actors.testing import Probe
from cafe.courier import carry_records, deliver
from cafe.ledger.ledger import Ledger
from cafe.ledger.messages import Commit, LedgerUnavailable, OtherEpoch
from cafe.orders.dispatcher import Dispatcher
from cafe.orders.messages import AwaitRecords, Batch, RecordsKept, RecordsRefused, TakeRecords
from tests.cafe.orders.counter import open_counter, settled, waiting_customers

pytestmark = pytest.mark.schedules


async def test_a_group_is_brought_again_until_the_ledger_has_it() -> None:
    ledger = Probe(Ledger)
    ledger.answer(Commit, LedgerUnavailable(), LedgerUnavailable(), None)
    assert await deliver(Batch(1, 7, ()), ledger)
    assert trio.current_time() == pytest.approx(0.5)


async def test_a_group_of_another_epoch_is_thrown_away() -> None:
    ledger = Probe(Ledger)
    ledger.answer(Commit, OtherEpoch())
    assert not await deliver(Batch(1, 7, ()), ledger)


async def test_the_dispatcher_hears_what_was_kept_and_what_never_will_be() -> None:
    dispatcher, ledger = Probe(Dispatcher), Probe(Ledger)
    dispatcher.answer(AwaitRecords, None, ActorCrashed("Dispatcher"), None)
    dispatcher.answer(TakeRecords, Batch(1, 7, ()), Batch(2, 9, ()))
    dispatcher.answer(RecordsKept, None)
    ledger.answer(Commit, None, OtherEpoch())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(carry_records, dispatcher, ledger)
        await settled()
        told = [m for m in dispatcher.received if isinstance(m, (RecordsKept, RecordsRefused))]
        assert told == [RecordsKept(1, 7), RecordsRefused(2)]
        dispatcher.stop()  # and so the courier goes home


async def test_while_one_group_is_written_the_next_gathers() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        counter.disk.seconds = 1
        await waiting_customers(counter, nursery, 5)
        await trio.sleep(2.5)
        assert counter.store.groups == [1, 4]
        nursery.cancel_scope.cancel()
