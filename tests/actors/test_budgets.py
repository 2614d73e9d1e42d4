"""Budgets of crashes in groups and in restarts, and the causes in the errors that result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from actors import ActorCrashed, Message, Restart, RestartLimitExceeded, Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, UNLIMITED, Keep, Member, Say, crash, open_members
from tests.actors.counter import Asker, Boom

pytestmark = pytest.mark.schedules

ALL = Strategy.ALL_FOR_ONE
ONCE = Restart(limit=1, within=10)
FIRST = Boom("the first of all")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its causes and contexts, and theirs, each once."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        error = todo.pop()
        if error is not None and error not in seen:
            seen.append(error)
            todo += [error.__cause__, error.__context__]
            yield error


def fail_first(_player: Member | None = None) -> None:
    raise FIRST


def fail_with_a_context() -> None:
    try:
        crash()
    except Boom:
        raise KeyError("a context of its own") from None


async def test_being_restarted_with_another_spends_no_budget() -> None:
    async with open_members() as members:
        group = members.system.group(ALL)
        await members.start(group, "a")
        await members.start(group, "b", Restart(limit=0))
        for _ in range(50):
            with pytest.raises(ActorCrashed):
                await members["a"].ask(CRASH)
        await settle()
        assert members["b"].statistics().restarts == 50
        assert members["b"].statistics().crashed == 0


async def test_budgets_of_a_group_are_each_actors_own_in_a_window_that_slides() -> None:
    async with open_members() as members:
        await members.start(members.system.group(ALL), "abc", ONCE)
        for _ in range(3):
            for name in "abc":
                with pytest.raises(ActorCrashed):
                    await members[name].ask(CRASH)
                await settle()
            await trio.sleep(10)
        assert members.restarts() == "a" * 9 + "b" * 9 + "c" * 9


async def test_a_failed_start_in_a_restart_with_another_spends_the_members_own_budget() -> None:
    async def scenario() -> None:
        async with open_members() as members:
            group = members.system.group(ALL)
            await members.start(group, "a")
            await members.start(group, "b", ONCE)
            members.in_on_start["b"] = [crash] * 2
            await members["a"].tell(CRASH)
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded, match="b crashed more than 1 times"):
        await scenario()


@pytest.mark.parametrize("name", "ab")
async def test_the_first_cause_stays_in_the_chain_of_what_the_system_raises(name: str) -> None:
    async def scenario() -> None:
        async with open_members() as members:
            await members.start(members.system.group(ALL), "ab", Restart(limit=3))
            members.in_on_start[name] = [crash] * 9
            trigger = Keep(fail_first)
            async with trio.open_nursery() as nursery:
                asker = Asker(nursery, members["a"], trigger)
                await settle()
                asker.cancel()
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded) as exceeded:
        await scenario()
    assert FIRST in chain(exceeded.value)


async def test_the_first_cause_stays_in_the_chain_behind_contexts_of_later_ones() -> None:
    async def scenario() -> None:
        async with open_members() as members:
            await members.start(members.system, "a", Restart(limit=3))
            members.in_on_start["a"] = [fail_with_a_context] * 9
            async with trio.open_nursery() as nursery:
                asker = Asker(nursery, members["a"], Keep(fail_first))
                await settle()
                asker.cancel()
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded) as exceeded:
        await scenario()
    assert FIRST in chain(exceeded.value)


async def test_one_exception_that_is_raised_again_and_again_is_no_context_of_itself() -> None:
    again = Boom("again")

    def fail_again() -> None:
        raise again

    async def scenario() -> None:
        async with open_members() as members, trio.open_nursery() as nursery:
            await members.start(members.system, "a", Restart(limit=3))
            members.in_on_start["a"] = [fail_again] * 9
            asker = Asker(nursery, members["a"], Keep(lambda _: fail_again()))
            await settle()
            asker.cancel()
            await trio.sleep_forever()

    with pytest.raises(RestartLimitExceeded) as exceeded:
        await scenario()
    assert exceeded.value.__cause__ is again
    assert again.__context__ is None


@pytest.mark.schedules
async def test_other_actors_run_while_starts_go_on_failing() -> None:
    seen: list[int] = []
    async with open_members() as members, trio.open_nursery() as nursery:
        await members.start(members.system, "ab", UNLIMITED)
        members.in_on_start["a"] = [crash] * 12
        asker = Asker(nursery, members["a"], CRASH)
        while not asker.done.is_set():
            await members["b"].ask(Say())
            seen.append(members["a"].statistics().crashed)
        assert seen[-1] == 13
        assert len(set(seen)) > 3
        assert members["a"].statistics().restarts == 1


async def test_no_asker_hangs_when_a_group_fails_for_good() -> None:
    async with trio.open_nursery() as outside:
        asking: list[Asker[Any]] = []

        async def scenario() -> None:
            async with open_members() as members:
                await members.start(members.system.group(ALL), "abc", Restart(limit=0))
                each = list(members.refs.values())
                messages: tuple[Message[Member, Any], ...] = (Keep(), Say(), Keep())
                asking.extend(Asker(outside, ref, what) for ref in each for what in messages)
                await settle()
                messages = (CRASH, Say())
                asking.extend(Asker(outside, ref, what) for ref in each for what in messages)
                await trio.sleep_forever()

        with pytest.raises(RestartLimitExceeded):
            await scenario()
        await settle()
        assert all(asker.done.is_set() and asker.outcome is not None for asker in asking)
        assert len(asking) == 15
