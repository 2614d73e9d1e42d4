"""Probe: a Ref that records what it is sent, and behaves as an actor that keeps every reply."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from actors import (
    Actor,
    ActorCrashed,
    ActorError,
    ActorStatistics,
    ActorStopped,
    MailboxFull,
    Message,
    Ref,
    open_system,
)
from actors.testing import Probe, settle
from tests.actors.counter import Add, Asker, Boom, Counter, Forward, Nap, No, Reach, Relay
from tests.actors.testing.listener import AddTwice, Listener


@dataclass(frozen=True, slots=True)
class Greet(Message["Greeter", str]):
    """The base of a Greeter's messages; there is no handler for it."""


@dataclass(frozen=True, slots=True)
class GreetLoudly(Greet):
    """The message that there is a handler for."""


class Greeter(Actor):
    @GreetLoudly.handler
    def greet(self, _message: GreetLoudly) -> str:
        return "HELLO"


def test_all_that_a_ref_shows_is_the_probes_own() -> None:
    shown = {name for name in vars(Ref) if not name.startswith("_")}
    shown |= {"__repr__", "__kind__"}
    assert shown <= set(vars(Probe))


def test_it_has_the_name_of_the_class_or_its_own() -> None:
    assert Probe(Counter).name == "Counter"
    assert Probe(Counter, name="till").name == "till"
    assert repr(Probe(Counter)) == "<Probe Counter, running>"


async def test_an_actor_can_be_given_a_probe_for_a_ref() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 7)
    async with open_system() as system:
        relay = await system.start(lambda: Relay(probe))
        assert await relay.ask(Forward(Add())) == "7"
        with trio.move_on_after(1) as scope:
            await relay.ask(Forward(Nap(60)))
    assert scope.cancelled_caught
    assert probe.received == (Add(), Nap(60))


async def test_only_messages_that_the_actor_has_a_handler_for_are_taken() -> None:
    probe: Ref[Relay] = Probe(Relay)
    foreign = Add()
    with pytest.raises(ActorError, match="Relay has no handler for Add"):
        await probe.ask(foreign)  # type: ignore[arg-type] # the mistake under test
    with pytest.raises(ActorError, match="Relay has no handler for Add"):
        await probe.tell(foreign)  # type: ignore[arg-type] # as above
    with pytest.raises(ActorError, match="Relay has no handler for Add"):
        probe.tell_nowait(foreign)  # type: ignore[arg-type] # as above


async def test_a_kind_without_a_handler_can_be_neither_awaited_nor_scripted() -> None:
    probe = Probe(Relay)
    with pytest.raises(ActorError, match="Relay has no handler for Add"):
        await probe.next(Add)
    with pytest.raises(ActorError, match="Relay has no handler for Add"):
        probe.answer(Add, 1)  # type: ignore[arg-type] # the mistake under test


async def test_a_base_of_a_handled_message_can_be_waited_for_and_scripted() -> None:
    probe = Probe(Greeter)
    probe.answer(Greet, "hello")
    assert await probe.ask(GreetLoudly()) == "hello"
    assert await probe.next(Greet) == GreetLoudly()


@pytest.mark.schedules
async def test_once_stopped_it_accepts_no_message_and_fails_all_that_wait() -> None:
    probe = Probe(Counter, name="till")
    async with trio.open_nursery() as nursery:
        askers = [Asker(nursery, probe, Add(by)) for by in (1, 2)]
        listeners = [Listener(nursery, probe, AddTwice) for _ in range(2)]
        nursery.start_soon(probe.wait_stopped)
        await settle()
        await probe.tell(Nap(1))
        probe.stop()
        probe.stop()
    for asker in askers:
        assert isinstance(asker.error, ActorStopped)
        assert asker.error.name == "till"
    assert askers[0].error is not askers[1].error
    assert [listener.stopped_by for listener in listeners] == ["till", "till"]
    assert not probe.reply(await probe.next(Add), 3)
    assert await probe.next(Nap) == Nap(1), "what had come can still be seen"
    assert repr(probe) == "<Probe till, stopped>"


async def test_every_call_after_its_stop_raises_actor_stopped() -> None:
    probe = Probe(Counter, name="till")
    probe.answer(Add, 3)
    probe.stop()
    with pytest.raises(ActorStopped, match="till has stopped"):
        await probe.ask(Add())
    with pytest.raises(ActorStopped, match="till has stopped"):
        await probe.tell(Add())
    with pytest.raises(ActorStopped, match="till has stopped"):
        probe.tell_nowait(Add())
    with pytest.raises(ActorStopped, match="till has stopped"):
        await probe.next(Add)
    assert probe.received == ()
    assert probe.unasked == ((Add, 3),)


async def test_every_call_is_a_checkpoint() -> None:
    probe = Probe(Counter)
    probe.answer(Add, 3)
    with trio.testing.assert_checkpoints():
        await probe.ask(Add())
    with trio.testing.assert_checkpoints():
        await probe.tell(Add())
    with trio.testing.assert_checkpoints():
        await probe.next(Add)
    probe.stop()
    with trio.testing.assert_checkpoints(), pytest.raises(ActorStopped):
        await probe.ask(Add())
    with trio.testing.assert_checkpoints(), pytest.raises(ActorStopped):
        await probe.tell(Add())


async def test_its_statistics_are_those_of_an_actor_that_keeps_every_reply() -> None:
    probe = Probe(Counter, name="till")
    probe.answer(Add, 3, No(why="shut"), Boom())
    await probe.ask(Add())
    for kind in (No, Boom):
        with pytest.raises(kind):
            await probe.ask(Add())
    await probe.tell(Add())
    async with trio.open_nursery() as nursery:
        for error in (No(why="shut"), ActorCrashed("till")):
            asker = Asker(nursery, probe, Reach(3))
            probe.fail(await probe.next(Reach), error)
            await asker.done.wait()
    assert probe.statistics() == ActorStatistics(
        name="till",
        state="running",
        queued=0,
        mailbox=sys.maxsize,
        handled=6,
        refused=2,
        skipped=0,
        crashed=0,
        restarts=0,
        busy_since=None,
    )
    probe.stop()
    assert probe.statistics().state == "stopped"


def test_a_probe_with_a_mailbox_is_full_when_it_holds_so_many_messages() -> None:
    probe = Probe(Counter, name="till", mailbox=2)
    probe.tell_nowait(Add(1))
    probe.tell_nowait(Reach(1))
    with pytest.raises(MailboxFull) as full:
        probe.tell_nowait(Add(2))
    assert (full.value.name, full.value.size) == ("till", 2)
    assert probe.received == (Add(1), Reach(1))
    assert probe.statistics().mailbox == 2


async def test_a_message_that_the_test_has_taken_makes_room() -> None:
    probe = Probe(Counter, mailbox=1)
    probe.tell_nowait(Add(1))
    assert await probe.next(Add) == Add(1)
    probe.tell_nowait(Add(2))
    with pytest.raises(MailboxFull):
        probe.tell_nowait(Add(3))


def test_a_probe_without_room_at_all_is_always_full() -> None:
    with pytest.raises(MailboxFull):
        Probe(Counter, mailbox=0).tell_nowait(Add())


async def test_a_tell_or_ask_that_would_wait_for_room_is_accepted() -> None:
    probe = Probe(Counter, mailbox=0)
    probe.answer(Add, 3)
    assert await probe.ask(Add()) == 3
    await probe.tell(Reach(1))
    assert probe.received == (Add(), Reach(1))


def test_a_full_probe_that_was_stopped_says_that_it_has_stopped() -> None:
    probe = Probe(Counter, mailbox=0)
    probe.stop()
    with pytest.raises(ActorStopped):
        probe.tell_nowait(Add())


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
async def test_several_tasks_that_wait_for_messages_are_served_in_turn() -> None:
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
async def test_a_message_is_not_lost_with_a_waiter_that_is_cancelled() -> None:
    probe = Probe(Counter)
    async with trio.open_nursery() as nursery:
        early, late = Listener(nursery, probe), Listener(nursery, probe)
        await settle()
        early.scope.cancel()
        probe.tell_nowait(Add(1))
        late.scope.cancel()
    assert (early.got, late.got) == (None, Add(1)), "it was on its way already"


@pytest.mark.schedules
async def test_a_message_that_was_taken_arrives_despite_a_cancellation() -> None:
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


async def test_a_cancelled_task_takes_no_message() -> None:
    probe = Probe(Counter)
    await probe.tell(Add(1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await probe.next(Add)
    assert await probe.next(Add) == Add(1)
