"""Rule 8, when a factory waits: a start waits for it, and can be cancelled or refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any

import pytest
import trio

from actors import Actor, ActorError, Restart, Strategy, System, open_system
from actors.testing import settle
from tests.actors.actors_in_groups import CRASH, Say, open_members
from tests.actors.async_factories import AsyncFactories, fail_when_cancelled, shielded
from tests.actors.counter import Add, Boom, Counter

pytestmark = pytest.mark.schedules

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


async def slowly(journal: list[str] | None = None, seconds: float = 5) -> Counter:
    await trio.sleep(seconds)
    return Counter(journal)


class Promise:
    """Awaitable, but no coroutine."""

    def __await__(self) -> Generator[Any, Any, Counter]:
        return slowly().__await__()


class AwaitableCounter(Counter):
    """An actor that is itself awaitable, and is not awaited."""

    def __await__(self) -> Generator[Any, Any, None]:
        pytest.fail("an actor is not awaited")


async def test_a_start_waits_for_its_factory_and_returns_when_on_start_has_run() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(slowly, journal))
        assert trio.current_time() == 5
        assert journal == ["start"]
        assert counter.name == "Counter"
        assert await counter.ask(Add(2)) == 2


@pytest.mark.parametrize(
    "factory",
    [partial(slowly, []), slowly, lambda: slowly(seconds=5), Promise],
    ids=["partial", "coroutine function", "lambda", "awaitable"],
)
async def test_a_factory_is_async_if_it_returns_an_awaitable(factory: Callable[[], Any]) -> None:
    async with open_system() as system:
        await system.start(factory)
        assert trio.current_time() == 5


async def test_an_actor_that_is_awaitable_is_not_awaited() -> None:
    async with open_system() as system:
        counter = await system.start(AwaitableCounter)
        assert await counter.ask(Add(2)) == 2


@pytest.mark.parametrize("raised", [Boom, ActorError, SystemExit])
async def test_what_an_async_factory_raises_start_raises_and_nothing_is_left(
    raised: type[BaseException],
) -> None:
    async def factory() -> Counter:
        await trio.sleep(5)
        raise raised

    async with open_system() as system:
        with pytest.raises(raised):
            await system.start(factory)
        assert list(system.tree()) == []


@pytest.mark.parametrize(
    ("given", "shown"), [(None, "None"), (Counter, "<class '.*Counter'>"), (3, "3")], ids=str
)
@pytest.mark.parametrize("waits", [False, True])
async def test_a_factory_that_returns_no_actor_is_refused_with_what_it_returned(
    given: object, shown: str, *, waits: bool
) -> None:
    async def later() -> object:
        await trio.sleep(5)
        return given

    factory: Any = later if waits else lambda: given
    async with open_system() as system:
        with pytest.raises(ActorError, match=f"^a factory gave {shown}, which is no actor$"):
            await system.start(factory)
        assert list(system.tree()) == []


async def test_a_start_that_is_cancelled_cancels_the_factory_and_leaves_nothing() -> None:
    async with open_system() as system:
        with trio.move_on_after(1) as scope:
            await system.start(slowly, name="counter")
        assert scope.cancelled_caught
        assert trio.current_time() == 1
        assert list(system.tree()) == []
        await system.start(Counter, name="counter")


async def is_refused(awaited: Awaitable[object], match: str) -> None:
    with pytest.raises(ActorError, match=match):
        await awaited


async def test_a_start_whose_factory_waits_is_refused_when_the_system_is_left() -> None:
    async with trio.open_nursery() as outside:
        async with open_members() as members:
            factories = AsyncFactories(members)
            factories.waits["a"] = factories.waits["b"] = trio.sleep_forever
            inner = members.system.group(ALL).group(ONE)
            outside.start_soon(is_refused, factories.start("a", members.system), "being left")
            outside.start_soon(is_refused, factories.start("b", inner), "being left")
            await settle()
        await settle()
        assert sorted(members.journal) == ["a cancelled", "a waits", "b cancelled", "b waits"]
        assert trio.current_time() == 0


async def test_a_start_whose_factory_waits_is_refused_when_its_group_is_stopped() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        factories = AsyncFactories(members)
        factories.waits["a"] = factories.waits["b"] = factories.waits["c"] = trio.Event().wait
        outer = members.system.group(ALL, name="outer")
        inner = outer.group(ONE, name="inner")
        nursery.start_soon(is_refused, factories.start("a", outer), "outer, which was stopped")
        nursery.start_soon(is_refused, factories.start("b", inner), "inner, which was stopped")
        with trio.CancelScope() as elsewhere:
            nursery.start_soon(factories.start, "c", members.system)
            await settle()
            await outer.stop()
            await settle()
            cancelled = [line for line in members.journal if line.endswith("cancelled")]
            assert sorted(cancelled) == ["a cancelled", "b cancelled"]
        assert not elsewhere.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_a_start_whose_factory_is_cancelled_and_fails_raises_that() -> None:
    async def start(system: System) -> None:
        with pytest.raises(LookupError, match="as it unwinds"):
            await system.start(factory)

    async def factory() -> Counter:
        await fail_when_cancelled()
        return Counter()

    async with trio.open_nursery() as outside, open_system() as system:
        outside.start_soon(start, system)
        await settle()


async def test_of_two_that_start_under_one_name_the_slower_one_is_refused() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        slow = system.start(partial(slowly, seconds=2), name="counter")
        nursery.start_soon(is_refused, slow, "an actor named counter runs already")
        counter = await system.start(partial(slowly, seconds=1), name="counter")
        await trio.sleep(2)
        assert [actor.name for actor in system.tree()] == [counter.name]


@pytest.mark.parametrize("strategy", [ALL, REST], ids=str)
@pytest.mark.parametrize("nested", [False, True])
async def test_the_factory_of_a_newcomer_is_called_again_when_a_member_before_it_crashes(
    strategy: Strategy, *, nested: bool
) -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        group = members.system.group(strategy)
        factories = AsyncFactories(members)
        await factories.start("a", group, SLOW)
        database = trio.Event()
        factories.waits["b"] = database.wait
        nursery.start_soon(factories.start, "b", group.group(ONE) if nested else group)
        await settle()
        members.journal.clear()
        await members["a"].tell(CRASH)
        await settle()
        assert members.journal == ["b cancelled"]
        await trio.sleep(11)
        assert members.journal[1:] == ["a starts", "b waits"]
        database.set()
        await settle()
        assert members.journal[3:] == ["b starts"]
        assert members["b"].statistics().crashed == 0


async def test_the_factory_of_a_newcomer_goes_on_when_an_unrelated_member_crashes() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        outer = members.system.group(REST)
        await members.start(outer.group(ONE), "a")
        inner = outer.group(ONE)
        await members.start(inner, "b")
        await members.start(outer, "d")
        factories = AsyncFactories(members)
        database = trio.Event()
        factories.waits["c"] = database.wait
        nursery.start_soon(factories.start, "c", inner)
        await settle()
        for name in "abd":
            await members[name].tell(CRASH)
        await settle()
        database.set()
        await settle()
        assert [line for line in members.journal if line[0] == "c"] == ["c waits", "c starts"]


async def test_a_newcomer_that_is_made_starts_when_those_before_it_are_up() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        outer = members.system.group(REST)
        await members.start(outer.group(ONE), "a", SLOW)
        factories = AsyncFactories(members)
        database = trio.Event()
        factories.waits["b"] = database.wait
        nursery.start_soon(factories.start, "b", outer)
        await settle()
        members.journal.clear()
        # By itself, so that b is not taken along; but b may need it as it starts.
        await members["a"].tell(CRASH)
        await settle()
        database.set()
        await settle()
        assert members.journal == []
        await trio.sleep(11)
        assert members.journal == ["a starts", "b starts"]


async def test_a_newcomer_that_is_made_is_made_again_if_a_member_before_it_crashes_then() -> None:
    async with open_members() as members, trio.open_nursery() as nursery:
        outer = members.system.group(REST)
        await members.start(outer, "a")
        await members.start(outer.group(ONE), "b", SLOW)
        factories = AsyncFactories(members)
        database = trio.Event()
        factories.waits["c"] = database.wait
        nursery.start_soon(factories.start, "c", outer)
        await settle()
        await members["b"].tell(CRASH)
        await settle()
        database.set()
        await settle()
        await members["a"].tell(CRASH)
        await trio.sleep(30)
        assert members.made["c"] == 2
        assert [line for line in members.journal if line[0] == "c"][:3] == [
            *["c waits", "c waits", "c starts"]
        ]


async def test_a_start_that_is_cancelled_as_a_member_before_it_crashes_starts_nothing() -> None:
    async def start() -> None:
        with scope:
            await factories.start("b", group)

    async with open_members() as members, trio.open_nursery() as nursery:
        group = members.system.group(ALL)
        await members.start(group, "a")
        factories = AsyncFactories(members)
        # It returns an instance although it was cancelled, and would not wait a second time.
        factories.waits["b"] = partial(shielded, 5)
        scope = trio.CancelScope()
        nursery.start_soon(start)
        await settle()
        del factories.waits["b"]
        await members["a"].tell(CRASH)
        await settle()
        scope.cancel()
        await trio.sleep(6)
        assert scope.cancelled_caught
        assert members.made["b"] == 1
        assert "b starts" not in members.journal


@pytest.mark.parametrize("made", [False, True])
async def test_a_start_that_waits_for_others_is_refused_as_soon_as_its_group_is_stopped(
    *, made: bool
) -> None:
    refused: list[float] = []

    async def start() -> None:
        await is_refused(factories.start("b", outer), "outer, which was stopped")
        refused.append(trio.current_time())

    async with open_members() as members, trio.open_nursery() as nursery:
        outer = members.system.group(REST, name="outer")
        await members.start(outer.group(ONE), "a", SLOW)
        factories = AsyncFactories(members)
        factories.waits["b"] = partial(trio.sleep, 1)
        if made:
            nursery.start_soon(start)
            await settle()
        await members["a"].tell(CRASH)
        await members["a"].tell(Say())
        await settle()
        if not made:
            nursery.start_soon(start)
        await trio.sleep(2)
        await outer.stop()
        assert refused == [2]
        assert trio.current_time() == pytest.approx(10), "a had a message to handle"


async def test_a_factory_may_ask_other_actors() -> None:
    class Copy(Actor):
        def __init__(self, total: int) -> None:
            self.total = total

    async with open_system() as system:
        counter = await system.start(Counter)

        async def factory() -> Copy:
            copies.append(Copy(await counter.ask(Add(3))))
            return copies[0]

        copies: list[Copy] = []
        await system.start(factory)
        assert copies[0].total == 3
