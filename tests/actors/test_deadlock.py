"""Rule 7: an ask or tell that could never end is refused, and no other is."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, Deadlock, Restart, System
from actors.testing import settle
from tests.actors.counter import Add, Counter, Crash
from tests.actors.peers import Keep, Peer, Peers, Ping, RunAsync, SendKept

pytestmark = pytest.mark.schedules


@pytest.mark.parametrize(
    ("first", "path"),
    [("a", "a"), ("a", "ba"), ("a", "bca")],
    ids=["itself", "two", "three"],
)
async def test_a_handler_that_would_wait_for_itself_is_refused(
    system: System, peers: Peers, first: str, path: str
) -> None:
    await peers.start(system, "a", "b", "c")
    with pytest.raises(ActorCrashed) as crashed:
        await peers.refs[first].ask(peers.ask_path(*path))
    error: BaseException | None = crashed.value
    while isinstance(error, ActorCrashed):
        error = error.__cause__
    assert isinstance(error, Deadlock)
    assert sorted(error.chain[1:]) == sorted(set(path)), "all are named"
    assert error.chain[0] == error.chain[-1], "and the one that closes the cycle is at both ends"
    assert str(error) == " -> ".join(error.chain)


async def test_the_chain_names_each_actor_before_the_one_it_waits_for(
    system: System, peers: Peers
) -> None:
    a, b, c = await peers.start(system, "a", "b", "c")
    chains: list[str] = []

    async def ask_a(_me: Peer) -> str:
        with pytest.raises(Deadlock) as deadlock:
            await a.ask(Ping())
        chains.append(str(deadlock.value))
        return "refused"

    async def ask_c(_me: Peer) -> str:
        return await c.ask(RunAsync(ask_a))

    async def ask_b(_me: Peer) -> str:
        return await b.ask(RunAsync(ask_c))

    assert await a.ask(RunAsync(ask_b)) == "refused", "a handler that catches it goes on"
    assert chains == ["c -> a -> b -> c"]
    assert a.statistics().crashed == b.statistics().crashed == c.statistics().crashed == 0


async def test_the_ask_that_closes_the_cycle_is_refused(system: System, peers: Peers) -> None:
    a, b = await peers.start(system, "a", "b")
    outcomes: list[str] = []

    async def ask_later(me: Peer, target: str) -> str:
        await trio.sleep(1)
        try:
            return await me.peers.refs[target].ask(Ping())
        except Deadlock as deadlock:
            return str(deadlock)

    async def collect(name: str, target: str) -> None:
        code = RunAsync(lambda me: ask_later(me, target))
        outcomes.append(await peers.refs[name].ask(code))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, "a", "b")
        nursery.start_soon(collect, "b", "a")
    assert sorted(outcomes) in (["a -> b -> a", "pong"], ["b -> a -> b", "pong"])
    assert await a.ask(Ping()) == await b.ask(Ping()) == "pong"


async def test_a_handler_that_asks_several_is_refused_only_if_all_of_them_are_stuck(
    system: System, peers: Peers
) -> None:
    a, b, c = await peers.start(system, "a", "b", "c")

    async def rest(_me: Peer) -> str:
        await trio.sleep(5)
        return "rested"

    async def ask_both(_me: Peer) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.ask, peers.ask_path("a"))
            assert await c.ask(RunAsync(rest)) == "rested"
            nursery.cancel_scope.cancel()
        return "the first answer is enough"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(c.ask, RunAsync(rest))
        await settle()
        assert await a.ask(RunAsync(ask_both)) == "the first answer is enough"


async def test_of_several_stuck_waits_the_last_is_refused(system: System, peers: Peers) -> None:
    a, b, c = await peers.start(system, "a", "b", "c")
    refused: list[Deadlock] = []

    async def wait_and_ask_a(_me: Peer) -> str:
        await trio.sleep(1)
        try:
            return await a.ask(Ping())
        except Deadlock as deadlock:
            refused.append(deadlock)
            return "refused"

    async def ask_both(_me: Peer) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.ask, RunAsync(wait_and_ask_a))
            nursery.start_soon(c.ask, RunAsync(wait_and_ask_a))
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
        return "done"

    with trio.fail_after(10):
        assert await a.ask(RunAsync(ask_both)) == "done"
    assert len(refused) == 1, "as long as the other might answer, none is stuck"
    assert set(refused[0].chain) in ({"a", "b"}, {"a", "c"}, {"a", "b", "c"})


async def test_asks_of_a_handlers_child_tasks_are_the_handlers_own(
    system: System, peers: Peers
) -> None:
    (a,) = await peers.start(system, "a")

    async def ask_itself_in_a_nursery(me: Peer) -> str:
        with pytest.RaisesGroup(Deadlock):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(me.peers.refs["a"].ask, Ping())
        return "refused"

    assert await a.ask(RunAsync(ask_itself_in_a_nursery)) == "refused"


async def test_a_background_task_of_an_actor_may_ask_it(system: System, peers: Peers) -> None:
    a, b = await peers.start(system, "a", "b")

    async def start_tasks_and_rest(me: Peer) -> str:
        me.peers.nursery.start_soon(me.peers.collect, a.ask(Ping()))
        me.peers.nursery.start_soon(me.peers.collect, b.ask(peers.ask_path("a")))
        await trio.sleep(1)
        return "rested"

    assert await a.ask(RunAsync(start_tasks_and_rest)) == "rested"
    await settle()
    assert peers.answers == ["pong", "pong"]


async def test_a_wait_for_a_kept_reply_is_no_deadlock(system: System, peers: Peers) -> None:
    a, b = await peers.start(system, "a", "b")

    async def wait_for_a_kept_reply(_me: Peer) -> str:
        with trio.move_on_after(5):
            return await b.ask(Keep())
        return "gave up"

    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(wait_for_a_kept_reply)))
    await settle()
    # b waits for a, and a for a reply that any task may send.
    assert await b.ask(peers.ask_path("a")) == "pong"
    assert peers.answers == ["gave up"]


async def test_a_kept_reply_may_come_from_the_actor_that_is_asked_back(
    system: System, peers: Peers
) -> None:
    a, b, c = await peers.start(system, "a", "b", "c")

    async def wait_for_a_kept_reply(_me: Peer) -> str:
        return await b.ask(Keep())

    async def have_it_given(_me: Peer) -> str:
        await b.ask(SendKept())
        return await a.ask(Ping())

    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(wait_for_a_kept_reply)))
    await settle()
    assert await c.ask(RunAsync(have_it_given)) == "pong"
    assert peers.answers == ["kept"]


async def test_an_answer_that_was_sent_ends_the_wait(system: System, peers: Peers) -> None:
    a, b = await peers.start(system, "a", "b")

    async def answer(_me: Peer) -> str:
        await trio.sleep(1)
        return "answered"

    async def ask_b(_me: Peer) -> str:
        return await b.ask(RunAsync(answer))

    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(ask_b)))
    await settle()
    # Queued behind: begun right after the answer, before a has resumed.
    peers.nursery.start_soon(peers.collect, b.ask(peers.ask_path("a")))
    await trio.sleep(2)
    assert sorted(peers.answers) == ["answered", "pong"]


async def test_an_ask_that_is_given_up_ends_the_wait(system: System, peers: Peers) -> None:
    a, b = await peers.start(system, "a", "b")

    async def rest(_me: Peer) -> str:
        await trio.sleep(5)
        return "rested"

    async def ask_b_in_vain(_me: Peer) -> str:
        with trio.move_on_after(1):
            await b.ask(Ping())
        await trio.sleep(10)
        return "gave up"

    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(rest)))
    await settle()
    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(ask_b_in_vain)))
    await settle()
    assert await b.ask(peers.ask_path("a")) == "pong"


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


@pytest.mark.parametrize("among_others", [False, True])
async def test_a_tell_that_has_room_ends_the_wait(
    system: System, peers: Peers, *, among_others: bool
) -> None:
    a, b = await peers.start(system, "a", "b", mailbox=1)

    async def rest(_me: Peer) -> str:
        await trio.sleep(1)
        return "rested"

    async def tell_b(_me: Peer) -> str:
        await b.tell(Ping())
        return "told"

    if among_others:
        await b.tell(Ping())
    peers.nursery.start_soon(peers.collect, b.ask(RunAsync(rest)))
    await settle()
    # It fills the mailbox, and asks back as soon as the tell behind it has its place.
    peers.nursery.start_soon(peers.collect, b.ask(peers.ask_path("a")))
    await settle()
    peers.nursery.start_soon(peers.collect, a.ask(RunAsync(tell_b)))
    await settle()
    if among_others:
        peers.nursery.start_soon(b.tell, Ping())
    await trio.sleep(2)
    assert sorted(peers.answers) == ["pong", "rested", "told"]


async def test_room_for_one_tell_ends_no_other_wait(system: System, peers: Peers) -> None:
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
