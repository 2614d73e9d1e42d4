"""Rule 8, when the factory of a restart waits: it is awaited, and a long wait is no crash."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import trio

from actors import (
    ActorCrashed,
    ActorStopped,
    Restart,
    RestartLimitExceeded,
    open_system,
)
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, Await, MembersInSystem, Say, open_members
from tests.actors.async_factories import AsyncFactories, clean_up, shielded
from tests.actors.counter import Asker, Boom
from tests.actors.fragile import Break, Faulty

pytestmark = pytest.mark.schedules

ONCE = Restart(limit=1, within=math.inf)


async def start_and_crash(members: MembersInSystem, restart: Restart = ONCE) -> trio.Event:
    """Crash an actor; return the event that its factory then waits for."""
    factories = AsyncFactories(members)
    await factories.start("a", members.system, restart)
    database = trio.Event()
    factories.waits["a"] = database.wait
    with pytest.raises(ActorCrashed):
        await members["a"].ask(CRASH)
    await settle()
    return database


async def test_messages_queue_while_the_factory_waits_and_no_budget_is_spent() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        database = await start_and_crash(members)
        assert trio.current_time() == 0, "the asker was failed at once"
        askers = [Asker(nursery, members["a"], Say(str(number))) for number in range(3)]
        await trio.sleep(3600)
        seen = members["a"].statistics()
        assert (seen.state, seen.queued, seen.crashed, seen.restarts) == ("restarting", 3, 1, 0)
        assert seen.busy_since == 0, "the factory has waited since then"
        database.set()
        await settle()
        assert sorted(asker.answer for asker in askers) == ["02", "12", "22"]
        seen = members["a"].statistics()
        assert (seen.state, seen.crashed, seen.restarts) == ("running", 1, 1)
        assert seen.busy_since is None


async def test_an_ask_that_is_cancelled_while_the_factory_waits_ends_at_once() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        database = await start_and_crash(members)
        leaver = Asker(nursery, members["a"], Say("leaver"), within=5)
        stayer = Asker(nursery, members["a"], Say("stayer"))
        await leaver.done.wait()
        assert trio.current_time() == 5
        database.set()
        await settle()
        assert stayer.answer == "stayer2"
        assert "a says leaver" not in members.journal
        assert members["a"].statistics().skipped == 1


async def test_an_actor_without_messages_stops_at_once_while_its_factory_waits() -> None:
    async with open_members() as members:
        await start_and_crash(members)
        members["a"].stop()
        await members["a"].wait_stopped()
        assert trio.current_time() == 0
        assert members.journal == ["a starts", "a waits", "a cancelled"]


async def test_an_actor_with_messages_stops_when_it_has_been_restarted_and_handled_them() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        database = await start_and_crash(members)
        asker = Asker(nursery, members["a"], Say("hello"))
        await settle()
        members["a"].stop()
        await trio.sleep(60)
        assert members["a"].statistics().state == "stopping"
        database.set()
        await members["a"].wait_stopped()
        await settle()
        assert asker.answer == "hello2"
        assert members.journal[2:] == ["a starts", "a says hello", "a stops"]


async def test_a_system_that_is_left_gives_a_waiting_factory_its_grace_period() -> None:
    async with trio.open_nursery() as outside:
        async with open_members(grace=7) as members:
            await start_and_crash(members)
            asker = Asker(outside, members["a"], Say())
            await settle()
        assert trio.current_time() == 7
        await settle()
        assert isinstance(asker.error, ActorStopped)
        assert members.journal == ["a starts", "a waits", "a cancelled"]


async def test_a_system_that_is_left_without_messages_does_not_wait_for_a_factory() -> None:
    async with open_members() as members:
        await start_and_crash(members)
    assert trio.current_time() == 0
    assert members["a"].statistics().state == "stopped"


async def test_a_system_that_is_cancelled_cancels_a_waiting_factory_at_once() -> None:
    asked: list[Asker[str]] = []
    async with trio.open_nursery() as outside:
        with trio.CancelScope() as block:
            async with open_members() as members:
                await start_and_crash(members)
                asked.append(Asker(outside, members["a"], Say()))
                await settle()
                block.cancel()
        await settle()
        assert isinstance(asked[0].error, ActorStopped)
        assert trio.current_time() == 0


async def test_a_group_that_is_stopped_cancels_factories_of_members_without_messages() -> None:
    async with open_members() as members:
        await start_and_crash(members)
        await members.system.stop()
        assert trio.current_time() == 0
        assert members.journal == ["a starts", "a waits", "a cancelled"]


async def test_an_instance_that_is_made_despite_the_stop_does_not_start() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("a", members.system)
        factories.waits["a"] = partial(shielded, 5)
        await members["a"].tell(CRASH)
        await settle()
        members["a"].stop()
        await members["a"].wait_stopped()
        assert trio.current_time() == 5
        assert members.made["a"] == 2
        assert members.journal == ["a starts", "a waits"]


async def test_senders_wait_for_room_while_the_factory_waits() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        database = trio.Event()
        database.set()

        async def factory() -> Faulty:
            await database.wait()
            return Faulty()

        ref = await system.start(factory, mailbox=1)
        database = trio.Event()
        askers = [Asker(nursery, ref, Break()) for _ in range(3)]
        await settle()
        assert ref.statistics().queued == 1
        database.set()
        await settle()
        for asker in askers:
            assert isinstance(asker.error, ActorCrashed)
        assert ref.statistics().restarts == 3


async def test_a_factory_that_raises_after_a_wait_is_one_more_crash() -> None:
    faults: list[str] = []

    async def factory() -> Faulty:
        await trio.sleep(5)
        return Faulty(faults)

    async with open_system() as system:
        ref = await system.start(factory, restart=Restart(limit=3, within=100))
        faults += ["constructor", "on_start"]
        with pytest.raises(ActorCrashed) as crash:
            await ref.ask(Break())
        assert str(crash.value.__cause__) == "asked to"
        await trio.sleep(20)
        seen = ref.statistics()
        assert (seen.crashed, seen.restarts) == (3, 1)


async def test_factories_that_go_on_failing_after_a_wait_exceed_the_budget() -> None:
    faults: list[str] = []

    async def factory() -> Faulty:
        await trio.sleep(5)
        return Faulty(faults)

    async def crash_for_good() -> None:
        async with open_system() as system:
            ref = await system.start(factory, restart=Restart(limit=2, within=100))
            faults.extend(["constructor"] * 9)
            await ref.tell(Break())
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded) as exceeded:
        await crash_for_good()
    assert trio.current_time() == 15
    cause = exceeded.value.__cause__
    assert str(cause) == "constructor"
    while cause is not None and cause.__context__ is not None:
        cause = cause.__context__
    assert str(cause) == "asked to", "the original cause stays in reach"


@pytest.mark.parametrize("waits", [False, True])
async def test_a_factory_that_returns_no_actor_at_a_restart_is_one_more_crash(
    *, waits: bool
) -> None:
    given: list[Any] = [None, Faulty()]

    async def later() -> Faulty:
        await trio.lowlevel.checkpoint()
        return now()

    def now() -> Faulty:
        faulty: Faulty = given.pop()
        return faulty

    async def crash() -> None:
        async with open_system() as system:
            ref = await system.start(later if waits else now, restart=ONCE)
            await ref.tell(Break())
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded) as exceeded:
        await crash()
    assert str(exceeded.value.__cause__) == "a factory gave None, which is no actor"


async def test_a_backoff_comes_before_the_factory() -> None:
    async with open_members() as members:
        restart = Restart(limit=9, within=1000, backoff=10, jitter=0)
        database = await start_and_crash(members, restart)
        assert members.journal == ["a starts"]
        await trio.sleep(10)
        await settle()
        assert members.journal == ["a starts", "a waits"]
        database.set()
        await settle()
        assert members.journal == ["a starts", "a waits", "a starts"]
        assert trio.current_time() == 10


async def test_an_interrupt_that_a_factory_raises_ends_the_system() -> None:
    asked: list[Asker[str]] = []

    async def interrupt(outside: trio.Nursery) -> None:
        async with open_members() as members:
            factories = AsyncFactories(members)
            await factories.start("a", members.system)

            async def wait() -> None:
                await trio.sleep(5)
                raise KeyboardInterrupt

            factories.waits["a"] = wait
            await members["a"].tell(CRASH)
            asked.append(Asker(outside, members["a"], Say()))
            await trio.sleep_forever()

    async with trio.open_nursery() as outside:
        with pytest.raises(BaseExceptionGroup) as group:
            await interrupt(outside)
        assert group.value.split(KeyboardInterrupt)[1] is None
        await settle()
        assert isinstance(asked[0].error, ActorStopped)


async def test_a_factory_whose_tasks_fail_as_the_system_is_left_has_crashed() -> None:
    async def fail() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Boom("as it unwinds")

    async def wait() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            await trio.sleep_forever()

    left: list[MembersInSystem] = []
    with trio.CancelScope() as block:
        async with open_members() as members:
            left.append(members)
            factories = AsyncFactories(members)
            await factories.start("a", members.system)
            factories.waits["a"] = wait
            await members["a"].tell(CRASH)
            await settle()
            block.cancel()
    assert left[0]["a"].statistics().crashed == 2


async def test_a_factory_that_unwinds_slowly_delays_the_end_of_its_system() -> None:
    async with open_members(grace=1) as members:
        factories = AsyncFactories(members)
        await factories.start("a", members.system)
        factories.waits["a"] = partial(clean_up, 20)
        await members["a"].tell(CRASH)
        await settle()
    assert trio.current_time() == 20


async def test_a_message_that_was_told_before_the_crash_is_handled_after_the_wait() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("a", members.system)
        factories.waits["a"] = partial(trio.sleep, 5)
        await members["a"].tell(Await(partial(trio.sleep, 1)))
        for message in (CRASH, Say("first"), Say("second")):
            await members["a"].tell(message)
        await trio.sleep(10)
        assert members.journal[1:] == ["a waits", "a starts", "a says first", "a says second"]
