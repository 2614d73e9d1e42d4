"""Rule 4: finite mailboxes, in order, with real backpressure."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import MailboxFull, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, Forward, Nap, Relay


@pytest.mark.schedules
async def test_messages_of_many_tasks_are_handled_in_the_order_of_their_arrival() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal), mailbox=2)
        await counter.tell(Nap(1))
        await settle()
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(counter.tell, Add(number))
                await settle()
    assert journal[3:-1] == [f"add {number}" for number in range(5)]


@pytest.mark.schedules
async def test_an_answer_sent_before_its_asker_has_woken_from_a_full_mailbox_arrives() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, mailbox=1)
        await counter.tell(Nap(1))
        await settle()
        askers = [Asker(nursery, counter, Add(1)) for _ in range(5)]
        for asker in askers:
            await asker.done.wait()
        assert sorted(asker.answer for asker in askers) == [1, 2, 3, 4, 5]


@pytest.mark.schedules
async def test_tell_waits_for_room_and_tell_nowait_does_not() -> None:
    async with open_system() as system:
        counter = await system.start(Counter, name="counter", mailbox=2)
        await counter.tell(Nap(1))
        await settle()
        counter.tell_nowait(Add(1))
        await counter.tell(Add(1))
        with pytest.raises(MailboxFull, match="the mailbox of counter is full: 2") as full:
            counter.tell_nowait(Add(1))
        assert (full.value.name, full.value.size) == ("counter", 2)
        await counter.tell(Add(1))
        assert trio.current_time() == pytest.approx(1)
        assert await counter.ask(Add(0)) == 3


@pytest.mark.schedules
async def test_a_tell_that_waited_for_room_is_bounded_by_no_deadline() -> None:
    async with open_system(grace=60) as system:
        counter = await system.start(Counter, mailbox=1)
        with trio.fail_after(3):
            for _ in range(3):
                await counter.tell(Nap(2))
        await trio.sleep(10)
        assert (counter.statistics().handled, counter.statistics().crashed) == (3, 0)


@pytest.mark.schedules
async def test_a_full_mailbox_does_not_crash_the_actor_that_sends() -> None:
    async with open_system() as system:
        counter = await system.start(Counter, mailbox=1)
        relay = await system.start(partial(Relay, counter))
        await counter.tell(Nap(1))
        await settle()
        await counter.tell(Add(1))
        assert await relay.ask(Forward(Add(1))) == "2"
        assert relay.statistics().crashed == 0


@pytest.mark.schedules
async def test_a_long_queue_does_not_keep_other_tasks_from_running() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, mailbox=1000)
        for _ in range(1000):
            counter.tell_nowait(Add())
        queued: list[int] = []

        async def watch() -> None:
            while counter.statistics().queued:
                queued.append(counter.statistics().queued)
                await trio.lowlevel.checkpoint()

        nursery.start_soon(watch)
        assert await counter.ask(Add()) == 1001
        assert len(queued) > 5


@pytest.mark.schedules
async def test_what_is_queued_is_handled_in_one_go() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        await settle()
        for _ in range(40):
            counter.tell_nowait(Add(1))
        counts = [0]
        while counts[-1] < 40:
            await trio.lowlevel.checkpoint()
            counts.append(counter.statistics().handled)
        assert set(counts) == {0, 40}
