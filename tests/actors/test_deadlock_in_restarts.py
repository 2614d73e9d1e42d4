"""Rule 7 in restarts: clean-up and factories cannot ask an actor that waits for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio

from actors import Deadlock, Message, Restart, Strategy
from actors.testing import settle
from tests.actors.actors_in_groups import (
    CRASH,
    Await,
    Member,
    MembersInSystem,
    Say,
    Work,
    open_members,
)
from tests.actors.async_factories import AsyncFactories
from tests.actors.counter import Asker

pytestmark = pytest.mark.schedules


async def clean_up(members: MembersInSystem, name: str, message: Message[Member, Any]) -> None:
    """Work until cancelled, and then ask another member, under a shield of an hour."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.move_on_after(3600) as cleanup:
            cleanup.shield = True
            try:
                members.note(f"gets {await members[name].ask(message)}")
            except Deadlock as deadlock:
                members.note(f"gets {deadlock}")


async def start_and_crash(
    members: MembersInSystem, strategy: Strategy, crashed: str, **work: Message[Member, Any]
) -> None:
    """Start three members, let some of them work, and crash one."""
    await members.start(members.system.group(strategy), "abc")
    for name, message in work.items():
        await members[name].tell(message)
    await settle()
    members.journal.clear()
    await members[crashed].tell(CRASH)
    await trio.sleep(10)


async def test_clean_up_that_asks_a_member_which_waits_for_it_is_refused() -> None:
    async with open_members() as members:
        work = Await(partial(clean_up, members, "a", Say("bye")))
        await start_and_crash(members, Strategy.ALL_FOR_ONE, "a", b=work)
        assert members.journal[0] == "gets b -> a -> b"
        assert members.restarts() == "abc"


async def test_clean_up_is_refused_also_if_others_that_unwind_will_end() -> None:
    async with open_members() as members:
        asking = Await(partial(clean_up, members, "a", Say("bye")))
        work: Any = {"b": Work(cleanup=5), "c": asking}
        await start_and_crash(members, Strategy.ALL_FOR_ONE, "a", **work)
        assert members.journal[:2] == ["gets c -> a -> c", "b unwound"]
        assert members.restarts() == "abc"


async def test_clean_up_is_refused_also_if_it_asks_through_an_actor_outside_of_the_group() -> None:
    async with open_members() as members:
        await members.start(members.system, "d")
        through = Await(lambda: members["a"].ask(Say("bye")))
        work = Await(partial(clean_up, members, "d", through))
        await start_and_crash(members, Strategy.ALL_FOR_ONE, "a", b=work)
        assert members["d"].statistics().crashed == 1, "d closed the cycle"
        assert members.restarts() == "abcd"


async def test_clean_up_may_ask_a_member_that_has_not_crashed() -> None:
    async with open_members() as members:
        work = Await(partial(clean_up, members, "a", Say("bye")))
        await start_and_crash(members, Strategy.REST_FOR_ONE, "b", c=work)
        assert members.journal[:2] == ["a says bye", "gets bye1"]
        assert members.restarts() == "bc"


async def test_clean_up_may_ask_an_actor_that_restarts_in_another_group() -> None:
    async with open_members() as members:
        restart = Restart(backoff=5, jitter=0)
        await members.start(members.system.group(Strategy.ALL_FOR_ONE), "d", restart)
        work = Await(partial(clean_up, members, "d", Say("bye")))
        await members.start(members.system.group(Strategy.ALL_FOR_ONE), "ab")
        await members["b"].tell(work)
        await settle()
        members.journal.clear()
        for name in "da":
            await members[name].tell(CRASH)
        await trio.sleep(10)
        assert members.journal[:3] == ["d starts", "d says bye", "gets bye2"]
        assert members.restarts() == "abd"


def noted(
    members: MembersInSystem, wait: Callable[[], Awaitable[object]]
) -> Callable[[], Awaitable[None]]:
    """Wait, and note the outcome."""

    async def factory_waits() -> None:
        try:
            members.note(f"gets {await wait()}")
        except Deadlock as deadlock:
            members.note(f"gets {deadlock}")

    return factory_waits


async def test_a_factory_that_asks_its_own_actor_is_refused() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("a", members.system)
        factories.waits["a"] = noted(members, lambda: members["a"].ask(Say()))
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal[1:] == ["a waits", "gets a -> a", "a starts"]


async def test_a_factory_that_waits_for_the_end_of_its_own_actor_is_refused() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("a", members.system)
        factories.waits["a"] = noted(members, members["a"].wait_stopped)
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal[1:] == ["a waits", "gets a -> a", "a starts"]


async def test_a_factory_that_asks_an_actor_which_waits_for_its_own_is_refused() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        factories = AsyncFactories(members)
        await factories.start("abc", members.system, Restart(limit=9, backoff=1, jitter=0))
        factories.waits["a"] = noted(members, lambda: members["b"].ask(Say()))
        await members["a"].tell(CRASH)
        await settle()
        to_c = Await(lambda: members["c"].ask(Await(lambda: members["a"].ask(Say("hello")))))
        asker = Asker(nursery, members["b"], to_c)
        await trio.sleep(2)
        assert "gets a -> b -> c -> a" in members.journal
        assert asker.answer == "hello2"


async def test_an_ask_of_an_actor_whose_factory_waits_for_the_asker_is_refused() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        factories = AsyncFactories(members)
        await factories.start("ab", members.system)
        asking = trio.Event()

        async def ask_later() -> object:
            await asking.wait()
            return await members["a"].ask(Say())

        asker = Asker(nursery, members["b"], Await(noted(members, ask_later)))
        await settle()
        factories.waits["a"] = noted(members, lambda: members["b"].ask(Say("hello")))
        await members["a"].tell(CRASH)
        await settle()
        asking.set()
        await settle()
        assert asker.answer is None
        assert members.journal[3:] == [
            *["gets b -> a -> b", "b says hello", "gets hello1", "a starts"]
        ]


async def test_a_factory_that_asks_a_member_which_starts_after_its_actor_is_refused() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("ab", members.system.group(Strategy.REST_FOR_ONE))
        factories.waits["a"] = noted(members, lambda: members["b"].ask(Say()))
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal[2:] == ["a waits", "gets a -> b -> a", "a starts", "b starts"]


async def test_a_factory_may_ask_members_that_are_up() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("abc", members.system.group(Strategy.ALL_FOR_ONE))
        factories.waits["b"] = noted(members, lambda: members["a"].ask(Say("hello")))
        await members["c"].tell(CRASH)
        await settle()
        assert "gets hello2" in members.journal
        assert members.restarts() == "abc"


async def test_an_ask_of_an_actor_whose_factory_waits_for_no_actor_waits() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        factories = AsyncFactories(members)
        await factories.start("ab", members.system)
        factories.waits["a"] = partial(trio.sleep, 5)
        await members["a"].tell(CRASH)
        await settle()
        asker = Asker(nursery, members["b"], Await(lambda: members["a"].ask(Say("hello"))))
        await trio.sleep(6)
        assert asker.answer == "hello2"


async def test_a_deadlock_that_a_factory_does_not_catch_is_one_more_crash() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("a", members.system)

        async def ask_once() -> None:
            del factories.waits["a"]
            await members["a"].ask(Say())

        factories.waits["a"] = ask_once
        await members["a"].tell(CRASH)
        await settle()
        seen = members["a"].statistics()
        assert (seen.crashed, seen.restarts) == (2, 1)


async def test_clean_up_of_a_factory_that_asks_an_actor_which_waits_for_it_is_refused() -> None:
    async with open_members() as members:
        factories = AsyncFactories(members)
        await factories.start("ab", members.system.group(Strategy.ALL_FOR_ONE))

        async def ask_at_the_end() -> None:
            del factories.waits["b"]
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await noted(members, lambda: members["a"].ask(Say()))()

        factories.waits["b"] = ask_at_the_end
        await members["b"].tell(CRASH)
        await settle()
        members.journal.clear()
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal == ["gets b -> a -> b", "b cancelled", "a starts", "b starts"]


async def test_a_factory_that_starts_an_actor_which_would_wait_for_its_own_is_refused() -> None:
    async with open_members() as members:
        group = members.system.group(Strategy.REST_FOR_ONE)
        factories = AsyncFactories(members)
        await factories.start("a", group)
        factories.waits["a"] = noted(members, partial(factories.start, "b", group))
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal[1:] == ["a waits", "gets a -> a", "a starts"]


async def test_clean_up_that_starts_an_actor_which_waits_for_it_to_end_is_refused() -> None:
    async def start_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await noted(members, partial(members.start, group, "c"))()

    async with open_members() as members:
        group = members.system.group(Strategy.ALL_FOR_ONE)
        await members.start(group, "ab")
        await members["b"].tell(Await(start_at_the_end))
        await settle()
        members.journal.clear()
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal == ["gets b -> a -> b", "a starts", "b starts"]


async def test_a_handler_may_start_an_actor_that_waits_for_others() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        group = members.system.group(Strategy.REST_FOR_ONE)
        factories = AsyncFactories(members)
        await factories.start("a", group)
        await factories.start("b", members.system)
        factories.waits["a"] = partial(trio.sleep, 5)
        await members["a"].tell(CRASH)
        await settle()
        asker = Asker(nursery, members["b"], Await(partial(members.start, group, "c")))
        await trio.sleep(6)
        assert asker.answer is None
        assert members.journal[-2:] == ["a starts", "c starts"]


async def test_a_factory_in_a_nested_group_that_asks_a_member_behind_the_group_is_refused() -> None:
    asking = trio.Event()

    async def ask_later() -> object:
        await asking.wait()
        return await members["b"].ask(Say())

    async with open_members() as members:
        outer = members.system.group(Strategy.REST_FOR_ONE)
        factories = AsyncFactories(members)
        await factories.start("a", outer.group(Strategy.ONE_FOR_ONE))
        await members.start(outer, "b")
        factories.waits["a"] = noted(members, ask_later)
        await members["a"].tell(CRASH)
        await settle()
        await members["b"].tell(CRASH)
        await settle()
        asking.set()
        await settle()
        assert members.journal[2:] == ["a waits", "gets a -> b -> a", "a starts", "b starts"]


async def test_clean_up_in_a_nested_group_that_asks_an_outer_member_is_refused() -> None:
    async with open_members() as members:
        outer = members.system.group(Strategy.ALL_FOR_ONE)
        await members.start(outer, "a")
        await members.start(outer.group(Strategy.ONE_FOR_ONE), "b")
        await members["b"].tell(Await(partial(clean_up, members, "a", Say("bye"))))
        await settle()
        members.journal.clear()
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal == ["gets b -> a -> b", "a starts", "b starts"]


async def test_clean_up_at_the_end_that_waits_for_the_end_of_an_earlier_member_is_refused() -> None:
    async def wait_for_a() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
                await noted(opened[0], opened[0]["a"].wait_stopped)()

    opened: list[MembersInSystem] = []
    with trio.CancelScope() as block:
        async with open_members() as members:
            opened.append(members)
            await members.start(members.system.group(Strategy.ALL_FOR_ONE), "abc")
            await members["b"].tell(Work(cleanup=1))
            await members["c"].tell(Await(wait_for_a))
            await settle()
            await members["a"].tell(CRASH)
            await settle()
            block.cancel()
    # By then b has unwound, too, and waits for c to end, as a does.
    assert opened[0].journal[3:] == ["b unwound", "gets c -> a -> c"]
