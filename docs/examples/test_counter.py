"""Test an actor: under many schedules, in virtual time, without sleeping."""

import pytest
import trio

from actors import Ref, open_system
from actors.testing import Probe, settle
from docs.examples.counter import Add, Counter, Reach, TooLow, Waiting
from docs.examples.grouping import Ledger, Record


def test_a_handler_is_a_method() -> None:
    counter = Counter()
    assert counter.add(Add(2)) == 2
    with pytest.raises(TooLow):
        counter.add(Add(-3))


@pytest.mark.schedules
async def test_a_waiting_ask_is_answered_when_the_goal_is_reached() -> None:
    reached: list[int] = []

    async def wait_for(counter: Ref[Counter], goal: int) -> None:
        reached.append(await counter.ask(Reach(goal)))

    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter)
        nursery.start_soon(wait_for, counter, 2)
        await settle()
        await counter.ask(Add())
        await settle()
        assert reached == []
        await counter.ask(Add())
        await settle()
        assert reached == [2]


@pytest.mark.schedules
async def test_a_cancelled_ask_is_forgotten() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        with trio.move_on_after(3600):
            await counter.ask(Reach(1))
        assert trio.current_time() == 3600
        assert await counter.ask(Waiting()) == 0


async def test_a_ledger_tells_the_counter_of_each_amount() -> None:
    counter = Probe(Counter)
    async with open_system() as system:
        ledger = await system.start(lambda: Ledger(counter))
        assert await ledger.ask(Record(5)) == 1
    assert counter.received == (Add(5),)
