"""Rule 7 across the borders of threads and of systems."""

from __future__ import annotations

import pytest
import trio

from actors import Deadlock, System, open_system
from actors.testing import settle
from tests.actors.peers import Peer, Peers, Ping, RunAsync


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
async def test_systems_that_ask_each_other_are_walked_as_one(system: System, peers: Peers) -> None:
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
async def test_a_system_in_a_handler_asks_the_actor_whose_handler_it_is_in_vain(
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
async def test_whoever_asks_the_handler_that_leaves_its_system_is_refused(
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
async def test_whoever_has_asked_it_already_may_give_up_in_time(
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
