"""Rule 9: instruments get crashes and restarts with causes; one that fails is dropped."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors import ActorCrashed, Instrument, Message, Ref, Strategy, open_system
from actors.testing import settle
from tests.actors.clock import Clock, Do, crash
from tests.actors.counter import Add, Asker, Boom, Counter, Crash, No, Refuse
from tests.actors.fragile import Break, BreakLater, Faulty, Fragile, Hold, Work
from tests.actors.recorder import WHOLE, Recorder

pytestmark = pytest.mark.schedules


async def test_after_a_crash_the_next_message_is_started_once_the_restart_is_reported() -> None:
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


async def test_the_asker_gets_the_crash_after_the_restart_was_reported() -> None:
    seen = Recorder()
    async with open_system(instruments=[seen]) as system:
        counter = await system.start(Counter, name="counter")
        with pytest.raises(ActorCrashed):
            await counter.ask(Crash())
        assert seen.lines[-1] == "counter restarted"


async def test_an_async_crash_is_reported_before_the_end() -> None:
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


async def test_a_crash_beside_an_async_handler_is_reported_before_that_one_ends() -> None:
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


async def test_a_restart_with_another_has_the_crash_as_cause() -> None:
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


async def test_a_crash_in_on_stop_is_reported_and_counted_as_any_other() -> None:
    seen = Recorder()
    started: list[Ref[Grumbler]] = []
    with pytest.raises(ActorCrashed):
        async with open_system(instruments=[seen]) as system:
            started.append(await system.start(Grumbler, name="grumbler"))
    assert seen.lines == ["grumbler crashed None"]
    assert [type(cause) for cause in seen.causes] == [Boom]
    assert [grumbler.statistics().crashed for grumbler in started] == [1]


class Faulted(Recorder):
    """Fails at one kind of event."""

    def __init__(self, event: str) -> None:
        super().__init__()
        self.event = event

    def __repr__(self) -> str:
        return "<Faulted>"

    def _write(self, actor: Ref[Any], what: str, *messages: object) -> None:
        super()._write(actor, what, *messages)
        if what == self.event:
            raise Boom


@pytest.mark.parametrize(
    "event", ["enqueued", "started", "refused", "crashed", "finished", "restarted"]
)
async def test_an_instrument_that_raises_is_logged_and_not_called_again(
    event: str, caplog: pytest.LogCaptureFixture
) -> None:
    faulted, others = Faulted(event), (Recorder(), Recorder())
    async with open_system(instruments=[others[0], faulted, others[1]]) as system:
        counter = await system.start(Counter, name="counter")
        with pytest.raises(No):
            await counter.ask(Refuse())
        with pytest.raises(ActorCrashed):
            await counter.ask(Crash())
        assert await counter.ask(Add()) == 1
        assert (counter.statistics().crashed, counter.statistics().handled) == (1, 1)
    assert len(others[0].lines) == 12
    assert others[0].lines == others[1].lines
    assert faulted.lines == others[0].lines[: len(faulted.lines)]
    assert faulted.lines[-1].split()[1] == event
    failures = [record for record in caplog.records if "is not called any more" in record.message]
    assert [record.message for record in failures] == [
        "<Faulted> failed and is not called any more"
    ]
    assert failures[0].exc_info is not None
    assert failures[0].exc_info[0] is Boom


async def test_several_instruments_are_called_in_the_order_in_which_they_were_given() -> None:
    lines: list[str] = []
    several = [Recorder(lines, sign) for sign in ("a ", "b ")]
    async with open_system(instruments=iter(several)) as system:
        await (await system.start(Counter, name="counter")).ask(Add())
    assert [line.replace("counter ", "") for line in lines] == [
        f"{sign} {event} Add" for event in WHOLE for sign in ("a", "b")
    ]


async def test_a_method_of_an_instrument_may_be_a_static_one() -> None:
    seen: list[Message[Any, Any]] = []

    class Hearsay(Instrument):
        # What calls it sees no difference, but pyright does.
        @staticmethod
        def finished(  # pyright: ignore[reportIncompatibleMethodOverride] # see above
            actor: Ref[Any],  # noqa: ARG004 - there is one actor only
            message: Message[Any, Any],
        ) -> None:
            seen.append(message)

    async with open_system(instruments=[Hearsay()]) as system:
        await (await system.start(Counter)).ask(Add(3))
    assert seen == [Add(3)]


async def test_an_instrument_that_fails_in_events_of_its_own_disturbs_no_actor() -> None:
    class Meddler(Recorder):
        def _write(self, actor: Ref[Any], what: str, *messages: object) -> None:
            super()._write(actor, what, *messages)
            if what == "started":
                actor.tell_nowait(Add())
            raise Boom

        def enqueued(self, actor: Ref[Any], message: Message[Any, Any]) -> None:
            if self.lines:
                super().enqueued(actor, message)

    async with open_system(instruments=[Meddler()]) as system:
        counter = await system.start(Counter, name="counter")
        assert await counter.ask(Add()) == 1
        await settle()
        assert (counter.statistics().handled, counter.statistics().crashed) == (2, 0)
