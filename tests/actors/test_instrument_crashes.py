"""Rule 9: instruments are told of crashes and restarts, with their causes."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, Ref, Strategy, open_system
from actors.testing import settle
from tests.actors.clock import Clock, Do, crash
from tests.actors.counter import Add, Asker, Boom, Counter, Crash, No
from tests.actors.fragile import Break, BreakLater, Faulty, Fragile, Hold, Work
from tests.actors.recorder import WHOLE, Recorder

pytestmark = pytest.mark.schedules


async def test_after_a_crash_the_next_message_is_started_once_the_restart_is_told() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter")
        Asker(nursery, counter, Crash())
        await settle()
        await counter.ask(Add())
    assert [line.removeprefix("counter ") for line in seen.lines] == [
        "enqueued Crash",
        "started Crash",
        "crashed Crash",
        "finished Crash",
        "restarted",
        "enqueued Add",
        "started Add",
        "finished Add",
    ]
    assert [type(cause) for cause in seen.causes] == [Boom, Boom]


async def test_the_asker_hears_of_a_crash_when_the_restart_has_been_told() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        with pytest.raises(ActorCrashed):
            await counter.ask(Crash())
        assert seen.lines[-1] == "counter restarted"


async def test_an_async_crash_is_told_before_the_end() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        fragile = await system.start(Fragile, name="fragile")
        with pytest.raises(ActorCrashed):
            await fragile.ask(BreakLater())
    assert seen.of("BreakLater") == ["enqueued", "started", "crashed", "finished"]


async def test_a_timers_crash_has_no_message() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        clock = await system.start(lambda: Clock([]), name="clock")
        await clock.ask(Do(lambda clock: clock.after(1, crash)))
        await trio.sleep(2)
    assert seen.of("Do") == WHOLE
    assert seen.lines[3:] == ["clock crashed None", "clock restarted"]


async def test_a_timers_refusal_has_no_message() -> None:
    def refuse() -> None:
        raise No(why="too late")

    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        clock = await system.start(lambda: Clock([]), name="clock")
        await clock.ask(Do(lambda clock: clock.after(1, refuse)))
        await trio.sleep(2)
    assert seen.lines[3:] == ["clock refused None"]


async def test_a_crash_beside_an_async_handler_is_told_before_that_one_ends() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system, trio.open_nursery() as nursery:
        fragile = await system.start(Fragile, name="fragile")
        held = Asker(nursery, fragile, Hold())
        await settle()
        Asker(nursery, fragile, Work())
        await trio.sleep(1)
        held.cancel()
    assert seen.of("Hold") == seen.of("Work") == WHOLE
    assert seen.lines[-3:] == ["fragile crashed None", "fragile finished Work", "fragile restarted"]


async def test_a_restart_that_fails_is_a_crash_without_a_message() -> None:
    seen, faults = Recorder(), list[str]()
    async with open_system(instruments=[seen]) as system:
        faulty = await system.start(lambda: Faulty(faults), name="faulty")
        faults += ["constructor", "on_start"]
        with pytest.raises(ActorCrashed):
            await faulty.ask(Break())
    assert seen.lines == [
        "faulty enqueued Break",
        "faulty started Break",
        "faulty crashed Break",
        "faulty finished Break",
        "faulty crashed None",
        "faulty crashed None",
        "faulty restarted",
    ]


async def test_whoever_is_restarted_along_is_restarted_because_of_the_crash() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        group = system.group(Strategy.ALL_FOR_ONE)
        counter = await group.start(Counter, name="counter")
        await group.start(Counter, name="other")
        with pytest.raises(ActorCrashed):
            await counter.ask(Crash())
        await settle()
    assert [line for line in seen.lines if "crashed" in line] == ["counter crashed Crash"]
    assert seen.lines[-2:] == ["counter restarted", "other restarted"]
    own, crashed, others = seen.causes
    assert isinstance(own, Boom)
    assert crashed is own
    assert isinstance(others, ActorCrashed)


class Grumbler(Counter):
    def on_stop(self) -> None:
        raise Boom


async def test_a_crash_in_on_stop_is_told_and_counted_as_any_other() -> None:
    seen = Recorder()
    started: list[Ref[Grumbler]] = []
    with pytest.raises(ActorCrashed):
        async with open_system(instruments=[seen]) as system:
            started.append(await system.start(Grumbler, name="grumbler"))
    assert seen.lines == ["grumbler crashed None"]
    assert [type(cause) for cause in seen.causes] == [Boom]
    assert [grumbler.statistics().crashed for grumbler in started] == [1]
