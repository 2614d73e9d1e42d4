"""Rule 7 across the borders of threads and of systems."""

from __future__ import annotations

import pytest
import trio

from actors import Deadlock, System, open_system
from actors.testing import settle
from tests.actors.players import Note, Perform, Player, Stage


async def test_an_ask_from_another_thread_of_the_handler_is_the_handlers_own(
    system: System, stage: Stage
) -> None:
    (a,) = await stage.enter(system, "a")

    def ask_a() -> str:
        return trio.from_thread.run(a.ask, Note())

    async def ask_itself_from_a_thread(_me: Player) -> str:
        with pytest.raises(Deadlock, match="a -> a"):
            await trio.to_thread.run_sync(ask_a)
        return "refused"

    assert await a.ask(Perform(ask_itself_from_a_thread)) == "refused"


async def test_a_thread_may_ask(system: System, stage: Stage) -> None:
    (a,) = await stage.enter(system, "a")

    def ask_a() -> str:
        return trio.from_thread.run(a.ask, Note())

    assert await trio.to_thread.run_sync(ask_a) == "noted"


@pytest.mark.schedules
async def test_systems_that_ask_each_other_are_walked_as_one(system: System, stage: Stage) -> None:
    (a,) = await stage.enter(system, "a")
    async with open_system() as other:
        (b,) = await stage.enter(other, "b")
        assert await a.ask(stage.asks("b")) == "noted"
        assert await b.ask(stage.asks("a")) == "noted"

        async def ask_a(_me: Player) -> str:
            with pytest.raises(Deadlock, match="b -> a -> b"):
                await a.ask(Note())
            return "refused"

        async def ask_b(_me: Player) -> str:
            return await b.ask(Perform(ask_a))

        assert await a.ask(Perform(ask_b)) == "refused"


@pytest.mark.schedules
async def test_a_system_in_a_handler_asks_the_actor_whose_handler_it_is_in_vain(
    system: System, stage: Stage
) -> None:
    (a,) = await stage.enter(system, "a")

    async def ask_a(_me: Player) -> str:
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Note())
        return "refused"

    async def open_one(_me: Player) -> str:
        async with open_system() as inner:
            b, c = await stage.enter(inner, "b", "c")
            assert await c.ask(stage.asks("b")) == "noted", "its actors may ask each other"
            return await b.ask(Perform(ask_a))

    assert await a.ask(Perform(open_one)) == "refused"


@pytest.mark.schedules
async def test_whoever_asks_the_handler_that_leaves_its_system_is_refused(
    system: System, stage: Stage
) -> None:
    (a,) = await stage.enter(system, "a")

    async def ask_a_later(_me: Player) -> str:
        await trio.sleep(1)
        with pytest.raises(Deadlock, match="b -> a -> b"):
            await a.ask(Note())
        return "refused"

    async def open_one(_me: Player) -> str:
        async with open_system(grace=60) as inner:
            (b,) = await stage.enter(inner, "b")
            stage.nursery.start_soon(stage.hears, b.ask(Perform(ask_a_later)))
            await settle()
        return "left"

    assert await a.ask(Perform(open_one)) == "left"
    assert trio.current_time() == pytest.approx(1)
    assert stage.heard == ["refused"]


@pytest.mark.schedules
async def test_whoever_has_asked_it_already_may_give_up_in_time(
    system: System, stage: Stage
) -> None:
    (a,) = await stage.enter(system, "a")

    async def ask_a_for_a_while(_me: Player) -> str:
        with trio.move_on_after(10):
            await a.ask(Note())
        return "gave up"

    async def open_one(_me: Player) -> str:
        async with open_system(grace=60) as inner:
            (b,) = await stage.enter(inner, "b")
            stage.nursery.start_soon(stage.hears, b.ask(Perform(ask_a_for_a_while)))
            await settle()
        return "left"

    assert await a.ask(Perform(open_one)) == "left"
    assert trio.current_time() == pytest.approx(10)
    assert stage.heard == ["gave up"]
