"""A probe passes for the actor's ref: its types, its messages, its end, its statistics."""

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
    Message,
    Ref,
    open_system,
)
from actors.testing import Probe, settle
from tests.actors.counter import (
    Add,
    Asker,
    Boom,
    Counter,
    Forward,
    Nap,
    No,
    Reach,
    Relay,
)
from tests.actors.testing.listener import AddTwice, Listener


@dataclass(frozen=True, slots=True)
class Greet(Message["Greeter", str]):
    """The base of what a Greeter can be asked; there is no handler for it."""


@dataclass(frozen=True, slots=True)
class GreetLoudly(Greet):
    """The one that there is a handler for."""


class Greeter(Actor):
    @GreetLoudly.handler
    def greet(self, _message: GreetLoudly) -> str:
        return "HELLO"


def test_all_that_a_ref_shows_is_the_probes_own() -> None:
    shown = {name for name in vars(Ref) if not name.startswith("_")} | {"__repr__"}
    assert shown <= set(vars(Probe))


def test_it_bears_the_name_of_the_class_or_its_own() -> None:
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


async def test_nobody_waits_for_a_kind_that_cannot_come_or_scripts_it() -> None:
    probe = Probe(Relay)
    with pytest.raises(ActorError, match="Relay has no handler for Add"):
        await probe.next(Add)
    with pytest.raises(ActorError, match="Relay has no handler for Add"):
        probe.answer(Add, 1)  # type: ignore[arg-type] # the mistake under test


async def test_a_base_of_what_can_come_can_be_waited_for_and_scripted() -> None:
    probe = Probe(Greeter)
    probe.answer(Greet, "hello")
    assert await probe.ask(GreetLoudly()) == "hello"
    assert await probe.next(Greet) == GreetLoudly()


@pytest.mark.schedules
async def test_once_stopped_it_takes_no_more_and_fails_whoever_waits() -> None:
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


async def test_whoever_comes_when_it_has_stopped_hears_so() -> None:
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
