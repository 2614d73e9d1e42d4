"""Rule 9: the tree of a system, as values and as text."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

import pytest
import trio

from actors import ActorCrashed, Restart, Strategy, System, Tree, open_system
from actors.group import Group
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, Crash, Nap, No, Refuse

if TYPE_CHECKING:
    from actors.cell import Cell

pytestmark = pytest.mark.schedules

PLANTED = """\
system, one_for_one
├─ first running, queued 0 of 256
├─ drinks, all_for_one
│  ├─ coffee running, queued 0 of 256
│  ├─ cold, rest_for_one
│  │  ├─ water running, queued 0 of 256
│  │  └─ juice running, queued 0 of 256
│  └─ tea running, queued 0 of 256
├─ second running, queued 0 of 256
└─ group, one_for_one
   └─ third running, queued 0 of 256"""


async def plant(system: System) -> None:
    """Start actors, in groups and in groups of groups."""
    await system.start(Counter, name="first")
    drinks = system.group(Strategy.ALL_FOR_ONE, name="drinks")
    await drinks.start(Counter, name="coffee")
    cold = drinks.group(Strategy.REST_FOR_ONE, name="cold")
    await cold.start(Counter, name="water")
    await drinks.start(Counter, name="tea")
    await system.start(Counter, name="second")
    await system.group(Strategy.ONE_FOR_ONE).start(Counter, name="third")
    await cold.start(Counter, name="juice")


async def test_groups_stand_in_groups_each_where_it_was_made() -> None:
    async with open_system() as system:
        await plant(system)
        assert str(system.tree()) == PLANTED


async def test_the_actors_are_given_in_the_order_of_the_lines() -> None:
    async with open_system() as system:
        await plant(system)
        names = [actor.name for actor in system.tree()]
    assert names == ["first", "coffee", "water", "juice", "tea", "second", "third"]


async def test_the_values_are_those_of_the_refs_and_of_this_moment() -> None:
    async with open_system() as system:
        first = await system.start(Counter, name="first")
        group = system.group(Strategy.ALL_FOR_ONE, name="drinks")
        second = await group.start(Counter, name="second")
        before = system.tree()
        await first.ask(Add())
        assert before != system.tree()
        inner = Tree("drinks", Strategy.ALL_FOR_ONE, (second.statistics(),))
        members = (first.statistics(), inner)
        assert system.tree() == Tree("system", Strategy.ONE_FOR_ONE, members)
        assert group.tree() == inner
        assert [actor.handled for actor in before] == [0, 0]


async def test_a_group_shows_itself_as_it_shows_within_the_whole() -> None:
    async with open_system() as system:
        await system.start(Counter, name="first")
        group = system.group(Strategy.ALL_FOR_ONE, name="drinks")
        await group.start(Counter, name="tea")
        assert str(group.tree()) == "drinks, all_for_one\n└─ tea running, queued 0 of 256"


async def test_a_stopped_actor_is_not_in_the_tree_and_an_empty_group_is() -> None:
    async with open_system() as system:
        group = system.group(Strategy.ALL_FOR_ONE, name="drinks")
        tea = await group.start(Counter, name="tea")
        await system.start(Counter, name="last")
        tea.stop()
        await tea.wait_stopped()
        lines = str(system.tree()).splitlines()
        assert lines[1:] == ["├─ drinks, all_for_one", "└─ last running, queued 0 of 256"]
        assert [actor.name for actor in system.tree()] == ["last"]
        await group.start(Counter, name="coffee")
        assert str(system.tree()).splitlines()[2] == "│  └─ coffee running, queued 0 of 256"


async def test_the_tree_of_a_system_that_was_left_is_empty() -> None:
    async with open_system() as system:
        assert str(system.tree()) == "system, one_for_one"
        await plant(system)
    assert list(system.tree()) == []


async def test_a_line_has_the_counts_that_are_not_zero() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, name="counter", mailbox=9)
        await counter.ask(Add())
        with suppress(No):
            await counter.ask(Refuse())
        with suppress(ActorCrashed):
            await counter.ask(Crash())
        await counter.tell(Nap(5))
        skipped = Asker(nursery, counter, Add())
        await settle()
        skipped.cancel()
        await trio.sleep(6)
        await counter.tell(Nap(5))
        await settle()
        await counter.tell(Add())
        assert str(system.tree()).splitlines()[1] == (
            "└─ counter running, busy, queued 1 of 9, "
            "handled 2, refused 1, skipped 1, crashed 1, restarts 1"
        )


async def test_a_line_shows_whether_an_actor_is_being_restarted_or_stopped() -> None:
    async with open_system() as system:
        restart = Restart(backoff=1, jitter=0)
        counter = await system.start(Counter, name="counter", restart=restart)
        with suppress(ActorCrashed):
            await counter.ask(Crash())
        assert str(system.tree()).splitlines()[1] == (
            "└─ counter restarting, queued 0 of 256, crashed 1"
        )
        await trio.sleep(2)
        await counter.tell(Nap(5))
        await settle()
        counter.stop()
        assert str(system.tree()).splitlines()[1] == (
            "└─ counter stopping, busy, queued 0 of 256, crashed 1, restarts 1"
        )


async def test_an_actor_may_stop_while_another_thread_looks_at_the_tree() -> None:
    class Leaving:
        """Stops while its statistics are read, as an actor of another thread may."""

        def statistics(self) -> None:
            group.remove(cast("Cell[Counter]", self))

    group = Group("group", Strategy.ALL_FOR_ONE)
    for _ in range(3):
        group.add(cast("Cell[Counter]", Leaving()))
    assert len(group.tree().members) == 3
    assert group.tree().members == ()
