"""Rule 7 across child tasks, ends of actors, threads and systems."""

from __future__ import annotations

import pytest
import trio

from actors import ActorStopped, Deadlock, System, open_system
from actors.testing import settle
from tests.actors.peers import Peer, Peers, Ping, RunAsync


async def rest(_me: Peer) -> str:
    await trio.sleep(60)
    return "rested"


@pytest.mark.schedules
async def test_a_task_that_has_moved_to_another_nursery_takes_its_asks_along(
    system: System, peers: Peers
) -> None:
    a, b, c = await peers.start(system, "a", "b", "c")

    async def ask_c_in_the_background(
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peers.collect, c.ask(RunAsync(rest)))
            await trio.sleep(1)
            task_status.started()

    async def start_and_ask_b(me: Peer) -> str:
        await me.peers.nursery.start(ask_c_in_the_background)
        return await b.ask(RunAsync(ask_a))

    async def ask_a(_me: Peer) -> str:
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Ping())
        return "refused"

    with trio.fail_after(10):
        assert await a.ask(RunAsync(start_and_ask_b)) == "refused"


@pytest.mark.schedules
async def test_a_handler_that_waits_for_its_own_end_is_refused(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")

    async def stop_and_wait(_me: Peer) -> str:
        a.stop()
        with pytest.raises(Deadlock, match="a -> a"):
            await a.wait_stopped()
        return "refused"

    with trio.fail_after(10):
        assert await a.ask(RunAsync(stop_and_wait)) == "refused"
        await a.wait_stopped()


@pytest.mark.schedules
async def test_two_handlers_that_wait_for_each_others_end_are_refused(
    system: System, peers: Peers
) -> None:
    a, b = await peers.start(system, "a", "b")

    async def wait_for_b(_me: Peer) -> str:
        b.stop()
        await b.wait_stopped()
        return "over"

    async def wait_for_a(_me: Peer) -> str:
        await trio.sleep(1)
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.wait_stopped()
        return "refused"

    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(wait_for_a)))
    await settle()
    with trio.fail_after(10):
        assert await a.ask(RunAsync(wait_for_b)) == "over"
    assert peers.answers == ["refused"]


@pytest.mark.schedules
async def test_a_handler_may_wait_for_the_end_of_another(system: System, peers: Peers) -> None:
    a, b = await peers.start(system, "a", "b")

    async def stop_b(_me: Peer) -> str:
        b.stop()
        await b.wait_stopped()
        await b.wait_stopped()
        return await a_neighbour.ask(Ping())

    (a_neighbour,) = await peers.start(system, "c")
    await b.tell(RunAsync(rest))
    assert await a.ask(RunAsync(stop_b)) == "pong"
    assert trio.current_time() == pytest.approx(60)


@pytest.mark.schedules
async def test_a_child_task_that_waits_for_an_end_is_no_wait_of_the_handler(
    system: System, peers: Peers
) -> None:
    a, b = await peers.start(system, "a", "b")

    async def work_while_b_lives(_me: Peer) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.wait_stopped)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
        return "worked"

    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(work_while_b_lives)))
    await settle()
    assert await b.ask(peers.ask_path("a")) == "pong"
    assert peers.answers == ["worked"]


@pytest.mark.schedules
async def test_asking_back_a_stopped_actor_raises_actor_stopped(
    system: System, peers: Peers
) -> None:
    a, b = await peers.start(system, "a", "b")

    async def stop_and_ask_a(_me: Peer) -> str:
        a.stop()
        with pytest.raises(ActorStopped, match="a has stopped"):
            await a.ask(Ping())
        with pytest.raises(ActorStopped, match="a has stopped"):
            await a.tell(Ping())
        return "stopped"

    async def ask_b(_me: Peer) -> str:
        return await b.ask(RunAsync(stop_and_ask_a))

    assert await a.ask(RunAsync(ask_b)) == "stopped"


@pytest.mark.schedules
async def test_a_sleep_beside_the_wait_does_not_prevent_a_deadlock(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")
    refused: list[Deadlock] = []

    async def ask_itself() -> None:
        try:
            await a.ask(Ping())
        except Deadlock as deadlock:
            refused.append(deadlock)

    async def ask_itself_for_a_second(_me: Peer) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_itself)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        return "went on"

    assert await a.ask(RunAsync(ask_itself_for_a_second)) == "went on"
    assert [deadlock.chain for deadlock in refused] == [("a", "a")]


async def test_an_ask_from_another_thread_of_the_handler_is_the_handlers_own(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")

    def ask_a() -> str:
        return trio.from_thread.run(a.ask, Ping())

    async def ask_itself_from_a_thread(_me: Peer) -> str:
        with pytest.raises(Deadlock, match="a -> a"):
            await trio.to_thread.run_sync(ask_a)
        return "refused"

    assert await a.ask(RunAsync(ask_itself_from_a_thread)) == "refused"


async def test_a_thread_may_ask(system: System, peers: Peers) -> None:
    (a,) = await peers.start(system, "a")

    def ask_a() -> str:
        return trio.from_thread.run(a.ask, Ping())

    assert await trio.to_thread.run_sync(ask_a) == "pong"


@pytest.mark.schedules
async def test_a_deadlock_across_systems_is_refused(system: System, peers: Peers) -> None:
    (a,) = await peers.start(system, "a")
    async with open_system() as other:
        (b,) = await peers.start(other, "b")
        assert await a.ask(peers.ask_path("b")) == "pong"
        assert await b.ask(peers.ask_path("a")) == "pong"

        async def ask_a(_me: Peer) -> str:
            with pytest.raises(Deadlock, match="b -> a -> b"):
                await a.ask(Ping())
            return "refused"

        async def ask_b(_me: Peer) -> str:
            return await b.ask(RunAsync(ask_a))

        assert await a.ask(RunAsync(ask_b)) == "refused"


@pytest.mark.schedules
async def test_an_actor_of_a_system_in_a_handler_that_asks_the_handlers_actor_is_refused(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")

    async def ask_a(_me: Peer) -> str:
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Ping())
        return "refused"

    async def open_one(_me: Peer) -> str:
        async with open_system() as inner:
            b, c = await peers.start(inner, "b", "c")
            assert await c.ask(peers.ask_path("b")) == "pong", "its actors may ask each other"
            return await b.ask(RunAsync(ask_a))

    assert await a.ask(RunAsync(open_one)) == "refused"


@pytest.mark.schedules
async def test_an_ask_of_a_handler_that_leaves_its_system_is_refused(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")

    async def ask_a_later(_me: Peer) -> str:
        await trio.sleep(1)
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Ping())
        return "refused"

    async def open_one(_me: Peer) -> str:
        async with open_system(grace=60) as inner:
            (b,) = await peers.start(inner, "b")
            peers.nursery.start_soon(peers.collect, b.ask(RunAsync(ask_a_later)))
            await settle()
        return "left"

    assert await a.ask(RunAsync(open_one)) == "left"
    assert trio.current_time() == pytest.approx(1)
    assert peers.answers == ["refused"]


@pytest.mark.schedules
async def test_an_earlier_ask_of_a_handler_that_leaves_its_system_may_give_up(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")

    async def ask_a_for_a_while(_me: Peer) -> str:
        with trio.move_on_after(10):
            await a.ask(Ping())
        return "gave up"

    async def open_one(_me: Peer) -> str:
        async with open_system(grace=60) as inner:
            (b,) = await peers.start(inner, "b")
            peers.nursery.start_soon(peers.collect, b.ask(RunAsync(ask_a_for_a_while)))
            await settle()
        return "left"

    assert await a.ask(RunAsync(open_one)) == "left"
    assert trio.current_time() == pytest.approx(10)
    assert peers.answers == ["gave up"]
