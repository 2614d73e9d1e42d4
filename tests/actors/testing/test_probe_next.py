"""How a test waits for what a probe gets."""

from __future__ import annotations

import pytest
import trio

from actors.testing import Probe, settle
from tests.actors.counter import (
    Add,
    Counter,
    Nap,
)
from tests.actors.testing.listener import AddTwice, Listener


@pytest.mark.schedules
async def test_next_gives_each_message_once_in_the_order_of_arrival() -> None:
    probe = Probe(Counter)
    probe.answer(Nap, "rested")
    await probe.tell(Add(1))
    await probe.ask(Nap(1))
    await probe.tell(AddTwice(2))
    await probe.tell(Add(1))
    assert probe.received == (Add(1), Nap(1), AddTwice(2), Add(1))
    assert await probe.next(AddTwice) == AddTwice(2)
    first, second = await probe.next(Add), await probe.next(Add)
    assert (first is probe.received[0], second is probe.received[3]) == (True, True)
    with trio.move_on_after(1) as scope:
        await probe.next(Add)
    assert scope.cancelled_caught
    assert await probe.next(Nap) == Nap(1)


@pytest.mark.schedules
async def test_several_who_wait_for_messages_are_served_in_turn() -> None:
    probe = Probe(Counter)
    listeners: list[Listener] = []
    async with trio.open_nursery() as nursery:
        for kind in (Add, AddTwice, Add, Add):
            listeners.append(Listener(nursery, probe, kind))
            await settle()
        listeners[2].scope.cancel()
        for message in (Add(1), Add(2), AddTwice(3)):
            probe.tell_nowait(message)
    assert [listener.got for listener in listeners] == [Add(1), AddTwice(3), None, Add(2)]


@pytest.mark.schedules
async def test_a_message_is_not_lost_with_a_waiter_who_is_cancelled() -> None:
    probe = Probe(Counter)
    async with trio.open_nursery() as nursery:
        early, late = Listener(nursery, probe), Listener(nursery, probe)
        await settle()
        early.scope.cancel()
        probe.tell_nowait(Add(1))
        late.scope.cancel()
    assert (early.got, late.got) == (None, Add(1)), "it was on its way already"


@pytest.mark.schedules
async def test_a_message_that_was_taken_arrives_in_spite_of_a_cancellation() -> None:
    probe = Probe(Counter)
    await probe.tell(Add(1))

    async def cancel(listener: Listener) -> None:
        await trio.lowlevel.checkpoint()
        listener.scope.cancel()

    async with trio.open_nursery() as nursery:
        listener = Listener(nursery, probe)
        nursery.start_soon(cancel, listener)
    if listener.got is None:
        assert await probe.next(Add) == Add(1)
    else:
        assert listener.got == Add(1)


@pytest.mark.schedules
async def test_messages_arrive_in_the_order_in_which_they_were_sent() -> None:
    probe = Probe(Counter)
    probe.answer(Add, *range(10))
    sent: list[Add] = []

    async def send(message: Add) -> None:
        sent.append(message)
        await (probe.tell(message) if message.by % 2 else probe.ask(message))

    async with trio.open_nursery() as nursery:
        for by in range(10):
            nursery.start_soon(send, Add(by))
    assert list(probe.received) == sent


async def test_somebody_who_is_cancelled_already_takes_no_message() -> None:
    probe = Probe(Counter)
    await probe.tell(Add(1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await probe.next(Add)
    assert await probe.next(Add) == Add(1)
