"""Rule 7, what is no deadlock: whoever is free, and tasks that are nobody's."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, Restart, System
from tests.actors.counter import Add, Counter, Crash
from tests.actors.peers import Peer, Peers, Ping, RunAsync

pytestmark = pytest.mark.schedules


async def test_a_background_task_may_ask_its_actor_when_the_handler_has_ended(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")

    async def ask_later() -> None:
        await trio.sleep(1)
        await peers.collect(a.ask(Ping()))

    async def start_a_task(me: Peer) -> str:
        me.peers.nursery.start_soon(ask_later)
        return "started"

    assert await a.ask(RunAsync(start_a_task)) == "started"
    await trio.sleep(2)
    assert peers.answers == ["pong"]


async def test_an_actor_that_waits_to_be_restarted_is_free(system: System, peers: Peers) -> None:
    (a,) = await peers.start(system, "a")
    slow = Restart(backoff=5, jitter=0)
    counter = await system.start(Counter, name="counter", restart=slow)

    async def ask_the_counter(_me: Peer) -> str:
        return str(await counter.ask(Add(2)))

    with pytest.raises(ActorCrashed):
        await counter.ask(Crash())
    assert await a.ask(RunAsync(ask_the_counter)) == "2"
