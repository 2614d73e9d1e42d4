"""Rule 7 for tells: a handler that waits for room in a mailbox waits for its owner."""

from __future__ import annotations

import pytest
import trio

from actors import Deadlock, System
from actors.testing import settle
from tests.actors.peers import Peer, Peers, Ping, RunAsync

pytestmark = pytest.mark.schedules


async def test_a_tell_that_would_wait_for_room_for_ever_is_refused(
    system: System, peers: Peers
) -> None:
    a, b = await peers.start(system, "a", "b", mailbox=1)

    async def tell_twice(_me: Peer) -> str:
        await a.tell(Ping())
        with pytest.raises(Deadlock, match=r"^b -> a -> b$"):
            await a.tell(Ping())
        return "refused"

    async def ask_b(_me: Peer) -> str:
        return await b.ask(RunAsync(tell_twice))

    assert await a.ask(RunAsync(ask_b)) == "refused"


async def test_an_actor_that_fills_its_own_mailbox_is_refused(system: System, peers: Peers) -> None:
    (a,) = await peers.start(system, "a", mailbox=2)

    async def tell_itself(_me: Peer) -> str:
        await a.tell(Ping())
        await a.tell(Ping())
        with pytest.raises(Deadlock, match="a -> a"):
            await a.tell(Ping())
        return "refused"

    assert await a.ask(RunAsync(tell_itself)) == "refused"


async def test_a_tell_that_waits_for_room_is_waited_for(system: System, peers: Peers) -> None:
    a, b = await peers.start(system, "a", "b", mailbox=1)

    async def fill_b(_me: Peer) -> str:
        await b.tell(Ping())
        await b.tell(Ping())
        return "told"

    async def rest_and_ask_a(_me: Peer) -> str:
        await trio.sleep(1)
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Ping())
        return "refused"

    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(rest_and_ask_a)))
    await settle()
    assert await a.ask(RunAsync(fill_b)) == "told"
    assert peers.answers == ["refused"]


async def test_a_tell_that_has_got_its_room_is_no_wait_any_more(
    system: System, peers: Peers
) -> None:
    a, b = await peers.start(system, "a", "b", mailbox=1)

    async def rest(_me: Peer) -> str:
        await trio.sleep(1)
        return "rested"

    async def tell_b(_me: Peer) -> str:
        await b.tell(Ping())
        return "told"

    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(rest)))
    await settle()
    # It fills the mailbox, and asks back as soon as the tell behind it has its place.
    peers.nursery.start_soon(peers.collect, b.ask(peers.ask_path("a")))
    await settle()
    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(tell_b)))
    await trio.sleep(2)
    assert sorted(peers.answers) == ["pong", "rested", "told"]


async def test_nor_is_it_with_others_that_told_before_or_wait_behind(
    system: System, peers: Peers
) -> None:
    a, b = await peers.start(system, "a", "b", mailbox=1)

    async def rest(_me: Peer) -> str:
        await trio.sleep(1)
        return "rested"

    async def tell_b(_me: Peer) -> str:
        await b.tell(Ping())
        return "told"

    await b.tell(Ping())
    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(rest)))
    await settle()
    peers.nursery.start_soon(peers.collect, b.ask(peers.ask_path("a")))
    await settle()
    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(tell_b)))
    await settle()
    peers.nursery.start_soon(b.tell, Ping())
    await trio.sleep(2)
    assert sorted(peers.answers) == ["pong", "rested", "told"]


async def test_the_room_that_another_teller_got_frees_nobody_else(
    system: System, peers: Peers
) -> None:
    a, b = await peers.start(system, "a", "b", mailbox=1)
    asks_a = trio.Event()

    async def rest(_me: Peer) -> str:
        await asks_a.wait()
        return "rested"

    async def tell_b(_me: Peer) -> str:
        await b.tell(Ping())
        return "told"

    async def ask_a(_me: Peer) -> str:
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Ping())
        return "refused"

    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(rest)))
    await settle()
    # It fills the mailbox. The bystander gets its room just before it asks a, who still waits.
    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(ask_a)))
    await settle()
    peers.nursery.start_soon(b.tell, Ping())
    await settle()
    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(tell_b)))
    await settle()
    asks_a.set()
    await settle()
    assert sorted(peers.answers) == ["refused", "rested", "told"]
