"""The end of actors for which the grace period is too short."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, ActorStopped, open_system
from actors.testing import settle
from tests.actors.actors_in_groups import (
    Await,
    Keep,
    Member,
    MembersInSystem,
    Say,
    Work,
    open_members,
)
from tests.actors.counter import Add, Asker, Boom, Counter, Nap

pytestmark = pytest.mark.schedules


async def burst_as_it_ends(children: int) -> None:
    """Crash when cancelled; the child tasks are only cancelled."""
    async with trio.open_nursery() as nursery:
        for _ in range(children):
            nursery.start_soon(trio.sleep_forever)
        try:
            await trio.sleep_forever()
        finally:
            raise Boom


@pytest.mark.parametrize("children", [0, 1])
async def test_a_crash_as_a_handler_is_cancelled_is_counted_and_hides_no_error_of_the_block(
    children: int,
) -> None:
    askers: list[Asker[object]] = []

    async def fail() -> None:
        async with open_members(grace=1) as members:
            await members.start(members.system, "a")
            opened.append(members)
            askers.append(Asker(outside, members["a"], Await(partial(burst_as_it_ends, children))))
            await settle()
            raise LookupError

    opened: list[MembersInSystem] = []
    async with trio.open_nursery() as outside:
        with pytest.raises(LookupError):
            await fail()
    seen = opened[0]["a"].statistics()
    assert (seen.state, seen.crashed, seen.restarts) == ("stopped", 1, 0)
    assert isinstance(askers[0].error, ActorCrashed)
    assert opened[0].journal == ["a starts"], "no instance is started to be cancelled"


async def test_actors_cancelled_by_the_end_unwind_concurrently_and_stop_in_order() -> None:
    async with open_members(grace=1) as members:
        await members.start(members.system, "abc")
        for name, cleanup in ("a", 1), ("c", 5):
            await members[name].tell(Work(cleanup=cleanup))
        await settle()
    assert trio.current_time() == pytest.approx(6)
    ends = ["a unwound", "c unwound", "c stops", "b stops", "a stops"]
    assert members.journal == ["a starts", "b starts", "c starts", *ends]


async def test_clean_up_that_asks_a_stopped_actor_gets_actor_stopped() -> None:
    stopped_names: list[str] = []

    async def clean_up(members: MembersInSystem) -> None:
        """Ask an actor that accepts no messages any longer."""
        with trio.CancelScope(shield=True):
            for message in (Keep(), Say("bye")):
                try:
                    await members["a"].ask(message)
                except ActorStopped as stopped:
                    stopped_names.append(stopped.name)

    async with open_members(grace=5) as members:
        await members.start(members.system, "ab")
        await members["b"].tell(Await(partial(clean_up, members)))
        await settle()
    assert trio.current_time() == pytest.approx(5)
    assert stopped_names == ["a", "a"]
    assert members.journal[2:] == ["b stops", "a stops"]


async def test_what_is_queued_as_the_grace_period_ends_is_failed_at_once() -> None:
    async with trio.open_nursery() as outside:
        async with open_system(grace=1) as system:
            counter = await system.start(Counter)
            await counter.tell(Nap(60, cleanup=5))
            await settle()
            queued = Asker(outside, counter, Add())
            outside.start_soon(expect_the_end, queued)
            await settle()
        assert trio.current_time() == pytest.approx(6)


async def expect_the_end(queued: Asker[int]) -> None:
    await queued.done.wait()
    assert isinstance(queued.error, ActorStopped)
    assert trio.current_time() == pytest.approx(1)


async def test_an_instance_that_crashed_with_the_last_message_is_not_replaced_to_stop() -> None:
    made: list[Member] = []
    async with open_members() as members:
        await members.start(members.system, "a")
        await members["a"].tell(Work(1))
        await settle()
        members["a"].tell_nowait(Say())
        members["a"].tell_nowait(Await(burst))
        members["a"].stop()
        await members["a"].wait_stopped()
        made.append(members.instances["a"])
    assert made[0].number == 1
    assert members.journal == ["a starts", "a unwound", "a says "]


async def burst() -> None:
    raise Boom
