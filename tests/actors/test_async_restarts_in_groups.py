"""A factory that waits keeps its group's order; after an earlier member's crash it runs again."""

from __future__ import annotations

import logging
from functools import partial

import pytest
import trio

from actors import Restart, Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, MembersInSystem, Say, open_members
from tests.actors.async_factories import AsyncFactories, clean_up, fail_when_cancelled, shielded
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


async def start_three(
    members: MembersInSystem, strategy: Strategy
) -> tuple[AsyncFactories, trio.Event]:
    """Start three members; from now on the factory of b waits for the event."""
    factories = AsyncFactories(members)
    await factories.start("abc", members.system.group(strategy))
    database = trio.Event()
    factories.waits["b"] = database.wait
    members.journal.clear()
    return factories, database


@pytest.mark.parametrize(
    ("strategy", "crashed", "before", "after"),
    [
        (ONE, "b", ["b waits"], ["b starts"]),
        (REST, "b", ["b waits"], ["b starts", "c starts"]),
        (REST, "a", ["a starts", "b waits"], ["b starts", "c starts"]),
        (ALL, "c", ["a starts", "b waits"], ["b starts", "c starts"]),
    ],
    ids=str,
)
async def test_a_member_behind_one_whose_factory_waits_is_blocked(
    strategy: Strategy, crashed: str, before: list[str], after: list[str]
) -> None:
    async with open_members() as members:
        _, database = await start_three(members, strategy)
        await members[crashed].tell(CRASH)
        await trio.sleep(3600)
        assert members.journal == before
        database.set()
        await settle()
        assert members.journal == before + after
        assert sum(members[name].statistics().crashed for name in "abc") == 1


@pytest.mark.parametrize("strategy", [ONE, REST, ALL], ids=str)
async def test_a_newcomer_waits_for_members_whose_factories_wait(strategy: Strategy) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        group = members.system.group(strategy)
        factories = AsyncFactories(members)
        await factories.start("a", group)
        database = trio.Event()
        factories.waits["a"] = database.wait
        await members["a"].tell(CRASH)
        await settle()
        nursery.start_soon(members.start, group, "b")
        await settle()
        assert ("b starts" in members.journal) == (strategy is ONE)
        database.set()
        await settle()
        assert "b starts" in members.journal


@pytest.mark.parametrize("strategy", [REST, ALL], ids=str)
async def test_a_factory_that_waits_is_called_again_when_a_member_before_it_crashes(
    strategy: Strategy,
) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        _, database = await start_three(members, strategy)
        await members["b"].tell(CRASH)
        await trio.sleep(60)
        members.journal.clear()
        asker = Asker(nursery, members["b"], Say("hello"))
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal == ["b cancelled", "a starts", "b waits"]
        database.set()
        await settle()
        assert members.journal[3:5] == ["b starts", "b says hello"] or (
            members.journal[3:] == ["b starts", "c starts", "b says hello"]
        )
        assert asker.answer == "hello2", "the factory that was cancelled had made nothing"
        seen = members["b"].statistics()
        assert (seen.crashed, seen.restarts) == (1, 1)


async def test_members_restarted_together_start_when_a_cancelled_factory_has_unwound() -> None:
    async with open_members() as members:
        factories, _ = await start_three(members, ALL)
        factories.waits["b"] = partial(clean_up, 20)
        await members["b"].tell(CRASH)
        await settle()
        members.journal.clear()
        del factories.waits["b"]
        await members["a"].tell(CRASH)
        await trio.sleep(19)
        assert members.journal == []
        await trio.sleep(2)
        assert members.journal == ["b cancelled", "a starts", "b starts", "c starts"]


async def test_an_instance_that_a_cancelled_factory_returns_is_made_again() -> None:
    async with open_members() as members:
        factories, _ = await start_three(members, REST)
        factories.waits["b"] = partial(shielded, 5)
        await members["b"].tell(CRASH)
        await settle()
        await members["a"].tell(CRASH)
        assert await members["b"].ask(Say()) == "3", "the second was made before a was restarted"
        assert trio.current_time() == 10


async def test_a_member_that_crashes_alone_does_not_wait_for_the_factory_of_a_later_one() -> None:
    async with open_members() as members:
        outer = members.system.group(REST)
        factories = AsyncFactories(members)
        await factories.start("a", outer.group(ONE))
        await factories.start("b", outer)
        database = trio.Event()
        factories.waits["b"] = database.wait
        await members["b"].tell(CRASH)
        await settle()
        members.journal.clear()
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal == ["a starts"]
        database.set()
        await settle()
        assert members.journal == ["a starts", "b starts"]


async def test_an_instance_that_is_made_starts_when_those_before_it_are_up() -> None:
    async with open_members() as members:
        outer = members.system.group(REST)
        factories = AsyncFactories(members)
        await factories.start("a", outer.group(ONE), SLOW)
        await factories.start("b", outer)
        database = trio.Event()
        factories.waits["b"] = database.wait
        await members["b"].tell(CRASH)
        await settle()
        await members["a"].tell(CRASH)
        await settle()
        members.journal.clear()
        database.set()
        await settle()
        assert members.made["b"] == 2
        assert members.journal == []
        await trio.sleep(11)
        assert members.journal == ["a starts", "b starts"]
        assert members.made["b"] == 2


async def test_an_instance_that_is_made_is_made_again_if_a_member_before_it_crashes_then() -> None:
    async with open_members() as members:
        outer = members.system.group(REST)
        factories = AsyncFactories(members)
        await factories.start("a", outer)
        await factories.start("b", outer.group(ONE), SLOW)
        await factories.start("c", outer)
        database = trio.Event()
        factories.waits["c"] = database.wait
        await members["c"].tell(CRASH)
        await settle()
        await members["b"].tell(CRASH)
        await settle()
        database.set()
        await settle()
        assert members.made["c"] == 2
        await members["a"].tell(CRASH)
        await trio.sleep(30)
        assert members.made["c"] == 3
        seen = members["c"].statistics()
        assert (seen.crashed, seen.restarts) == (1, 1)


async def test_a_factory_that_fails_as_it_is_cancelled_is_logged_and_no_crash(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_members() as members:
        factories, database = await start_three(members, REST)
        factories.waits["b"] = fail_when_cancelled
        await members["b"].tell(CRASH)
        await settle()
        factories.waits["b"] = database.wait
        with caplog.at_level(logging.ERROR, "actors"):
            await members["a"].tell(CRASH)
            await settle()
        assert [record.getMessage() for record in caplog.records][1:] == [
            *["a crashed", "b crashed as it unwound"]
        ]
        database.set()
        await settle()
        seen = members["b"].statistics()
        assert (seen.state, seen.crashed, seen.restarts) == ("running", 1, 1)
