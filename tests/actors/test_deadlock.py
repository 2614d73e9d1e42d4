"""Rule 7: a deadlock is refused, and nothing else is."""

from __future__ import annotations

import pytest
import trio

from actors import ActorCrashed, Deadlock, System
from actors.testing import settle
from tests.actors.players import Give, Keep, Note, Perform, Player, Stage

pytestmark = pytest.mark.schedules


@pytest.mark.parametrize(
    ("first", "path"),
    [("a", "a"), ("a", "ba"), ("a", "bca")],
    ids=["itself", "two", "three"],
)
async def test_a_handler_that_would_wait_for_itself_is_refused(
    system: System, stage: Stage, first: str, path: str
) -> None:
    await stage.enter(system, "a", "b", "c")
    with pytest.raises(ActorCrashed) as crashed:
        await stage.players[first].ask(stage.asks(*path))
    error: BaseException | None = crashed.value
    while isinstance(error, ActorCrashed):
        error = error.__cause__
    assert isinstance(error, Deadlock)
    assert sorted(error.chain[1:]) == sorted(set(path)), "everybody is named"
    assert error.chain[0] == error.chain[-1], "and who closes the circle, at both ends"
    assert str(error) == " -> ".join(error.chain)


async def test_the_chain_tells_who_waits_for_whom(system: System, stage: Stage) -> None:
    a, b, c = await stage.enter(system, "a", "b", "c")
    chains: list[str] = []

    async def ask_a(_me: Player) -> str:
        with pytest.raises(Deadlock) as deadlock:
            await a.ask(Note())
        chains.append(str(deadlock.value))
        return "refused"

    async def ask_c(_me: Player) -> str:
        return await c.ask(Perform(ask_a))

    async def ask_b(_me: Player) -> str:
        return await b.ask(Perform(ask_c))

    assert await a.ask(Perform(ask_b)) == "refused", "whoever catches it goes on"
    assert chains == ["c -> a -> b -> c"]
    assert a.statistics().crashed == b.statistics().crashed == c.statistics().crashed == 0


async def test_whoever_closes_the_circle_is_refused_whichever_way_it_came_about(
    system: System, stage: Stage
) -> None:
    a, b = await stage.enter(system, "a", "b")
    heard: list[str] = []

    async def ask_later(me: Player, whom: str) -> str:
        await trio.sleep(1)
        try:
            return await me.stage.players[whom].ask(Note())
        except Deadlock as deadlock:
            return str(deadlock)

    async def hear(player: str, whom: str) -> None:
        deed = Perform(lambda me: ask_later(me, whom))
        heard.append(await stage.players[player].ask(deed))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear, "a", "b")
        nursery.start_soon(hear, "b", "a")
    assert sorted(heard) in (["a -> b -> a", "noted"], ["b -> a -> b", "noted"])
    assert await a.ask(Note()) == await b.ask(Note()) == "noted"


async def test_a_handler_that_asks_several_is_refused_only_if_all_of_them_are_stuck(
    system: System, stage: Stage
) -> None:
    a, b, c = await stage.enter(system, "a", "b", "c")

    async def rest(_me: Player) -> str:
        await trio.sleep(5)
        return "rested"

    async def ask_both(_me: Player) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.ask, stage.asks("a"))
            assert await c.ask(Perform(rest)) == "rested"
            nursery.cancel_scope.cancel()
        return "the first answer is enough"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(c.ask, Perform(rest))
        await settle()
        assert await a.ask(Perform(ask_both)) == "the first answer is enough"


async def test_of_several_stuck_waits_the_last_is_refused(system: System, stage: Stage) -> None:
    a, b, c = await stage.enter(system, "a", "b", "c")
    refused: list[Deadlock] = []

    async def wait_and_ask_a(_me: Player) -> str:
        await trio.sleep(1)
        try:
            return await a.ask(Note())
        except Deadlock as deadlock:
            refused.append(deadlock)
            return "refused"

    async def ask_both(_me: Player) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(b.ask, Perform(wait_and_ask_a))
            nursery.start_soon(c.ask, Perform(wait_and_ask_a))
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
        return "done"

    with trio.fail_after(10):
        assert await a.ask(Perform(ask_both)) == "done"
    assert len(refused) == 1, "as long as the other might answer, nobody is stuck"
    assert set(refused[0].chain) in ({"a", "b"}, {"a", "c"}, {"a", "b", "c"})


async def test_asks_of_a_handlers_child_tasks_are_the_handlers_own(
    system: System, stage: Stage
) -> None:
    (a,) = await stage.enter(system, "a")

    async def ask_itself_in_a_nursery(me: Player) -> str:
        with pytest.RaisesGroup(Deadlock):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(me.stage.players["a"].ask, Note())
        return "refused"

    assert await a.ask(Perform(ask_itself_in_a_nursery)) == "refused"


async def test_a_background_task_of_an_actor_may_ask_it(system: System, stage: Stage) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def start_tasks_and_rest(me: Player) -> str:
        me.stage.nursery.start_soon(me.stage.hears, a.ask(Note()))
        me.stage.nursery.start_soon(me.stage.hears, b.ask(stage.asks("a")))
        await trio.sleep(1)
        return "rested"

    assert await a.ask(Perform(start_tasks_and_rest)) == "rested"
    await settle()
    assert stage.heard == ["noted", "noted"]


async def test_a_wait_for_a_kept_reply_is_no_deadlock(system: System, stage: Stage) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def wait_for_a_kept_reply(_me: Player) -> str:
        with trio.move_on_after(5):
            return await b.ask(Keep())
        return "gave up"

    stage.nursery.start_soon(stage.hears, a.ask(Perform(wait_for_a_kept_reply)))
    await settle()
    # b waits for a, and a for a reply that anybody may send.
    assert await b.ask(stage.asks("a")) == "noted"
    assert stage.heard == ["gave up"]


async def test_a_kept_reply_may_come_from_the_actor_that_is_asked_back(
    system: System, stage: Stage
) -> None:
    a, b, c = await stage.enter(system, "a", "b", "c")

    async def wait_for_a_kept_reply(_me: Player) -> str:
        return await b.ask(Keep())

    async def have_it_given(_me: Player) -> str:
        await b.ask(Give())
        return await a.ask(Note())

    stage.nursery.start_soon(stage.hears, a.ask(Perform(wait_for_a_kept_reply)))
    await settle()
    assert await c.ask(Perform(have_it_given)) == "noted"
    assert stage.heard == ["given"]


async def test_an_answer_that_has_come_is_no_wait_any_more(system: System, stage: Stage) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def answer(_me: Player) -> str:
        await trio.sleep(1)
        return "answered"

    async def ask_b(_me: Player) -> str:
        return await b.ask(Perform(answer))

    stage.nursery.start_soon(stage.hears, a.ask(Perform(ask_b)))
    await settle()
    # Queued behind: begun right after the answer, before a has heard it.
    stage.nursery.start_soon(stage.hears, b.ask(stage.asks("a")))
    await trio.sleep(2)
    assert sorted(stage.heard) == ["answered", "noted"]


async def test_an_ask_given_up_is_no_wait_any_more(system: System, stage: Stage) -> None:
    a, b = await stage.enter(system, "a", "b")

    async def rest(_me: Player) -> str:
        await trio.sleep(5)
        return "rested"

    async def ask_b_in_vain(_me: Player) -> str:
        with trio.move_on_after(1):
            await b.ask(Note())
        await trio.sleep(10)
        return "gave up"

    stage.nursery.start_soon(stage.hears, b.ask(Perform(rest)))
    await settle()
    stage.nursery.start_soon(stage.hears, a.ask(Perform(ask_b_in_vain)))
    await settle()
    assert await b.ask(stage.asks("a")) == "noted"
