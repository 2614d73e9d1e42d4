"""Rule 7 for what else a handler waits with: tasks that move, and ends of actors."""

from __future__ import annotations

import pytest
import trio

from actors import ActorStopped, Deadlock, System
from actors.testing import settle
from tests.actors.players import Note, Perform, Player, Stage


async def rest(_me: Player) -> str:
    await trio.sleep(60)
    return "rested"


@pytest.mark.schedules
async def test_a_task_that_has_moved_to_another_nursery_takes_its_asks_along(
    system: System, stage: Stage
) -> None:
    a, b, c = await stage.enter(system, "a", "b", "c")

    async def ask_c_in_the_background(
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.hears, c.ask(Perform(rest)))
            await trio.sleep(1)
            task_status.started()

    async def start_and_ask_b(me: Player) -> str:
        await me.stage.nursery.start(ask_c_in_the_background)
        return await b.ask(Perform(ask_a))

    async def ask_a(_me: Player) -> str:
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Note())
        return "refused"

    with trio.fail_after(10):
        assert await a.ask(Perform(start_and_ask_b)) == "refused"


@pytest.mark.schedules
async def test_a_handler_that_waits_for_its_own_end_is_refused(
    system: System, stage: Stage
) -> None:
    (a,) = await stage.enter(system, "a")

    async def stop_and_wait(_me: Player) -> str:
        a.stop()
        with pytest.raises(Deadlock, match="a -> a"):
            await a.wait_stopped()
        return "refused"

    with trio.fail_after(10):
        assert await a.ask(Perform(stop_and_wait)) == "refused"
        await a.wait_stopped()


@pytest.mark.schedules
async def test_two_handlers_that_wait_for_each_others_end_are_refused(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def wait_for_b(_me: Player) -> str:
        b.stop()
        await b.wait_stopped()
        return "over"

    async def wait_for_a(_me: Player) -> str:
        await trio.sleep(1)
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.wait_stopped()
        return "refused"

    stage.nursery.start_soon(stage.hears, b.ask(Perform(wait_for_a)))
    await settle()
    with trio.fail_after(10):
        assert await a.ask(Perform(wait_for_b)) == "over"
    assert stage.heard == ["refused"]


@pytest.mark.schedules
async def test_a_handler_may_wait_for_the_end_of_another(system: System, stage: Stage) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def stop_b(_me: Player) -> str:
        b.stop()
        await b.wait_stopped()
        await b.wait_stopped()
        return await a_neighbour.ask(Note())

    (a_neighbour,) = await stage.enter(system, "c")
    await b.tell(Perform(rest))
    assert await a.ask(Perform(stop_b)) == "noted"
    assert trio.current_time() == pytest.approx(60)


@pytest.mark.schedules
async def test_a_child_task_that_watches_for_an_end_is_none_of_the_handlers_waits(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def work_while_b_lives(_me: Player) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.wait_stopped)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
        return "worked"

    stage.nursery.start_soon(stage.hears, a.ask(Perform(work_while_b_lives)))
    await settle()
    assert await b.ask(stage.asks("a")) == "noted"
    assert stage.heard == ["worked"]


@pytest.mark.schedules
async def test_whoever_asks_back_one_that_has_been_stopped_hears_so(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def stop_and_ask_a(_me: Player) -> str:
        a.stop()
        with pytest.raises(ActorStopped, match="a has stopped"):
            await a.ask(Note())
        with pytest.raises(ActorStopped, match="a has stopped"):
            await a.tell(Note())
        return "stopped"

    async def ask_b(_me: Player) -> str:
        return await b.ask(Perform(stop_and_ask_a))

    assert await a.ask(Perform(ask_b)) == "stopped"


@pytest.mark.schedules
async def test_a_sleep_beside_the_wait_does_not_make_a_deadlock_none(
    system: System, stage: Stage
) -> None:
    (a,) = await stage.enter(system, "a")
    refused: list[Deadlock] = []

    async def ask_itself() -> None:
        try:
            await a.ask(Note())
        except Deadlock as deadlock:
            refused.append(deadlock)

    async def ask_itself_for_a_second(_me: Player) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_itself)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        return "went on"

    assert await a.ask(Perform(ask_itself_for_a_second)) == "went on"
    assert [deadlock.chain for deadlock in refused] == [("a", "a")]
