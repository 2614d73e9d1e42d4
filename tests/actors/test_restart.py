"""The limit of an actor's crashes, and what happens when it is exceeded."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import (
    ActorCrashed,
    ActorStopped,
    Ref,
    Restart,
    RestartLimitExceeded,
    open_system,
)
from actors.testing import settle
from tests.actors.counter import Add, Asker, Boom, Counter, Crash, Forward, Nap, Reach, Relay
from tests.actors.fragile import Break, Echo, Faulty, Fragile, Hold

NEVER = Restart(limit=0)


class Scene:
    """Asks in every state, while an actor crashes once too often."""

    counter: Ref[Counter]
    kept: Asker[int]
    napping: Asker[str]
    crashing: Asker[None]
    others: list[Asker[int]]

    def __init__(self, outside: trio.Nursery) -> None:
        self.outside = outside

    async def scenario(self) -> None:
        async with open_system() as system:
            self.counter = await system.start(Counter, mailbox=3, restart=NEVER)
            self.kept = Asker(self.outside, self.counter, Reach(9))
            self.napping = Asker(self.outside, self.counter, Nap(1))
            await settle()
            self.crashing = Asker(self.outside, self.counter, Crash())
            await settle()
            self.others = [Asker(self.outside, self.counter, Add()) for _ in range(5)]
            await trio.sleep_forever()


@pytest.mark.schedules
async def test_a_budget_is_counted_for_each_actor_in_a_window_that_slides() -> None:
    async with open_system() as system:
        first = await system.start(Counter, restart=Restart(limit=2, within=10))
        second = await system.start(Counter, restart=Restart(limit=2, within=10))
        for _ in range(4):
            for counter in (first, second):
                with pytest.raises(ActorCrashed):
                    await counter.ask(Crash())
            await trio.sleep(5)
        assert first.statistics().restarts == second.statistics().restarts == 4


@pytest.mark.schedules
async def test_a_budget_that_is_exceeded_is_raised_by_the_system_with_its_cause() -> None:
    crashes: list[ActorCrashed] = []
    journal: list[str] = []

    async def crash_twice() -> None:
        async with open_system() as system:
            counter = await system.start(
                partial(Counter, journal), restart=Restart(limit=1, within=10)
            )
            for _ in range(2):
                try:
                    await counter.ask(Crash())
                except ActorCrashed as crash:
                    crashes.append(crash)
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded, match="more than 1 times within 10 s") as exceeded:
        await crash_twice()
    assert isinstance(exceeded.value.__cause__, Boom)
    assert (exceeded.value.limit, exceeded.value.within) == (1, 10)
    assert exceeded.value.name == "Counter"
    assert len(crashes) == 2
    assert journal == ["start", "crash", "start", "crash"], "no on_stop of a crashed instance"


@pytest.mark.schedules
async def test_no_asker_hangs_when_a_budget_is_exceeded() -> None:
    async with trio.open_nursery() as outside:
        scene = Scene(outside)
        with pytest.raises(RestartLimitExceeded):
            await scene.scenario()
        assert scene.napping.answer == "rested"
        assert isinstance(scene.kept.error, ActorCrashed)
        assert isinstance(scene.crashing.error, ActorCrashed)
        assert all(isinstance(asker.error, ActorStopped) for asker in scene.others)
        assert scene.counter.statistics().state == "stopped"


@pytest.mark.schedules
async def test_of_several_failures_the_first_is_raised() -> None:
    async def fail_one_after_the_other() -> None:
        async with open_system() as system:
            first = await system.start(Counter, name="first", restart=NEVER)
            second = await system.start(partial(Relay, first), name="second", restart=NEVER)
            await second.tell(Forward(Nap(1)))
            await second.tell(Forward(Add()))
            await settle()
            await first.tell(Crash())
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded, match="first crashed"):
        await fail_one_after_the_other()


@pytest.mark.schedules
async def test_a_crash_in_a_cancellation_that_exceeds_the_budget_does_not_break_trio() -> None:
    async def crash_in_a_cancellation() -> None:
        async with open_system() as system, trio.open_nursery() as nursery:
            ref = await system.start(Fragile, restart=NEVER)
            askers = [Asker(nursery, ref, Hold()) for _ in range(3)]
            await settle()
            askers[0].cancel()
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded):
        await crash_in_a_cancellation()


@pytest.mark.schedules
async def test_a_start_that_fails_raises_and_leaves_nothing_behind() -> None:
    async with open_system() as system:
        for fault in ("constructor", "on_start"):
            with pytest.raises(Boom):
                await system.start(partial(Faulty, [fault]))
        assert list(system.tree()) == []


@pytest.mark.schedules
async def test_a_start_that_fails_in_a_restart_is_one_more_crash() -> None:
    faults: list[str] = []
    async with open_system() as system:
        ref = await system.start(partial(Faulty, faults), restart=Restart(limit=3, within=1))
        faults += ["constructor", "on_start"]
        with pytest.raises(ActorCrashed):
            await ref.ask(Break())
        seen = ref.statistics()
        assert (seen.crashed, seen.restarts) == (3, 1)


@pytest.mark.schedules
async def test_starts_that_go_on_failing_exceed_the_budget() -> None:
    async def crash_for_good() -> None:
        faults: list[str] = []
        async with open_system() as system:
            ref = await system.start(partial(Faulty, faults), restart=Restart(limit=2, within=1))
            faults += ["on_start"] * 9
            with pytest.raises(ActorCrashed) as crash:
                await ref.ask(Break())
            assert str(crash.value.__cause__) == "asked to"
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded) as exceeded:
        await crash_for_good()
    cause = exceeded.value.__cause__
    assert str(cause) == "on_start"
    while cause is not None and cause.__context__ is not None:
        cause = cause.__context__
    assert str(cause) == "asked to", "the original cause stays in reach"


@pytest.mark.schedules
async def test_what_the_block_raises_itself_is_raised_beside_the_failure_of_an_actor() -> None:
    async def fail_as_well() -> None:
        async with open_system() as system:
            counter = await system.start(Counter, restart=NEVER)
            with pytest.raises(ActorCrashed):
                await counter.ask(Crash())
            raise KeyError

    with pytest.raises(ExceptionGroup) as both:
        await fail_as_well()
    kinds = {type(error) for error in both.value.exceptions}
    assert kinds == {RestartLimitExceeded, KeyError}


@pytest.mark.schedules
async def test_what_the_block_raises_because_of_the_failure_is_not() -> None:
    async def fail_in_consequence() -> None:
        async with open_system() as system, trio.open_nursery() as nursery:
            counter = await system.start(Counter, restart=NEVER)
            nursery.start_soon(counter.ask, Crash())
            nursery.start_soon(counter.ask, Reach(1))

    with pytest.raises(RestartLimitExceeded):
        await fail_in_consequence()


def test_an_impossible_budget_is_refused() -> None:
    for limit, within in ((-1, 5.0), (3, 0.0), (3, float("nan"))):
        with pytest.raises(ValueError, match="no actor can be limited by"):
            Restart(limit, within)


@pytest.mark.schedules
async def test_a_message_that_was_on_its_way_to_a_failing_instance_is_failed() -> None:
    asked: list[Asker[str]] = []

    async def break_as_a_message_arrives(outside: trio.Nursery) -> None:
        async with open_system() as system:
            fragile = await system.start(Fragile, restart=NEVER)
            holding = Asker(outside, fragile, Hold())
            await settle()
            asked.append(Asker(outside, fragile, Echo("too late")))
            # Handed over by now, or not: the new asker's task and this one run in any order.
            await trio.lowlevel.checkpoint()
            holding.cancel()
            await trio.sleep_forever()

    async with trio.open_nursery() as outside:
        with pytest.raises(RestartLimitExceeded):
            await break_as_a_message_arrives(outside)
        await settle()
        (asker,) = asked
        assert asker.outcome is not None, "whichever came first, the asker knows"
