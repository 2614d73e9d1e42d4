"""Rule 7 in a factory: one that asks who waits for its actor is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from actors import Deadlock, Restart, Strategy
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.troupe import FALL, Await, Company, Say, open_troupe
from tests.actors.workshop import Workshop

pytestmark = pytest.mark.schedules


def noted(troupe: Company, wait: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Wait, and note what came of it."""

    async def factory_waits() -> None:
        try:
            troupe.note(f"hears {await wait()}")
        except Deadlock as deadlock:
            troupe.note(f"hears {deadlock}")

    return factory_waits


async def test_a_factory_that_asks_its_own_actor_is_refused() -> None:
    async with open_troupe() as troupe:
        workshop = Workshop(troupe)
        await workshop.hire("a", troupe.system)
        workshop.waits["a"] = noted(troupe, lambda: troupe["a"].ask(Say()))
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal[1:] == ["a waits", "hears a -> a", "a starts"]


async def test_a_factory_that_waits_for_the_end_of_its_own_actor_is_refused() -> None:
    async with open_troupe() as troupe:
        workshop = Workshop(troupe)
        await workshop.hire("a", troupe.system)
        workshop.waits["a"] = noted(troupe, troupe["a"].wait_stopped)
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal[1:] == ["a waits", "hears a -> a", "a starts"]


async def test_a_factory_that_asks_one_who_waits_for_its_actor_is_refused() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        workshop = Workshop(troupe)
        await workshop.hire("abc", troupe.system, Restart(limit=9, backoff=1, jitter=0))
        workshop.waits["a"] = noted(troupe, lambda: troupe["b"].ask(Say()))
        await troupe["a"].tell(FALL)
        await settle()
        to_c = Await(lambda: troupe["c"].ask(Await(lambda: troupe["a"].ask(Say("hello")))))
        asker = Asker(nursery, troupe["b"], to_c)
        await trio.sleep(2)
        assert "hears a -> b -> c -> a" in troupe.journal
        assert asker.answer == "hello2"


async def test_one_who_asks_an_actor_whose_factory_waits_for_it_is_refused() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        workshop = Workshop(troupe)
        await workshop.hire("ab", troupe.system)
        asking = trio.Event()

        async def ask_later() -> object:
            await asking.wait()
            return await troupe["a"].ask(Say())

        asker = Asker(nursery, troupe["b"], Await(noted(troupe, ask_later)))
        await settle()
        workshop.waits["a"] = noted(troupe, lambda: troupe["b"].ask(Say("hello")))
        await troupe["a"].tell(FALL)
        await settle()
        asking.set()
        await settle()
        assert asker.answer is None
        assert troupe.journal[3:] == [
            *["hears b -> a -> b", "b says hello", "hears hello1", "a starts"]
        ]


async def test_a_factory_that_asks_one_who_starts_after_its_actor_is_refused() -> None:
    async with open_troupe() as troupe:
        workshop = Workshop(troupe)
        await workshop.hire("ab", troupe.system.group(Strategy.REST_FOR_ONE))
        workshop.waits["a"] = noted(troupe, lambda: troupe["b"].ask(Say()))
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal[2:] == ["a waits", "hears a -> b -> a", "a starts", "b starts"]


async def test_a_factory_may_ask_those_who_are_up() -> None:
    async with open_troupe() as troupe:
        workshop = Workshop(troupe)
        await workshop.hire("abc", troupe.system.group(Strategy.ALL_FOR_ONE))
        workshop.waits["b"] = noted(troupe, lambda: troupe["a"].ask(Say("hello")))
        await troupe["c"].tell(FALL)
        await settle()
        assert "hears hello2" in troupe.journal
        assert troupe.restarts() == "abc"


async def test_one_who_asks_an_actor_whose_factory_waits_for_no_actor_waits_with_it() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        workshop = Workshop(troupe)
        await workshop.hire("ab", troupe.system)
        workshop.waits["a"] = partial(trio.sleep, 5)
        await troupe["a"].tell(FALL)
        await settle()
        asker = Asker(nursery, troupe["b"], Await(lambda: troupe["a"].ask(Say("hello"))))
        await trio.sleep(6)
        assert asker.answer == "hello2"


async def test_a_deadlock_that_a_factory_does_not_catch_is_one_more_crash() -> None:
    async with open_troupe() as troupe:
        workshop = Workshop(troupe)
        await workshop.hire("a", troupe.system)

        async def ask_once() -> None:
            del workshop.waits["a"]
            await troupe["a"].ask(Say())

        workshop.waits["a"] = ask_once
        await troupe["a"].tell(FALL)
        await settle()
        seen = troupe["a"].statistics()
        assert (seen.crashed, seen.restarts) == (2, 1)


async def test_a_clean_up_of_a_factory_that_asks_who_waits_for_it_is_refused() -> None:
    async with open_troupe() as troupe:
        workshop = Workshop(troupe)
        await workshop.hire("ab", troupe.system.group(Strategy.ALL_FOR_ONE))

        async def ask_at_the_end() -> None:
            del workshop.waits["b"]
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await noted(troupe, lambda: troupe["a"].ask(Say()))()

        workshop.waits["b"] = ask_at_the_end
        await troupe["b"].tell(FALL)
        await settle()
        troupe.journal.clear()
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal == ["hears b -> a -> b", "b cancelled", "a starts", "b starts"]


async def test_a_factory_that_starts_an_actor_which_would_wait_for_its_own_is_refused() -> None:
    async with open_troupe() as troupe:
        group = troupe.system.group(Strategy.REST_FOR_ONE)
        workshop = Workshop(troupe)
        await workshop.hire("a", group)
        workshop.waits["a"] = noted(troupe, partial(workshop.hire, "b", group))
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal[1:] == ["a waits", "hears a -> a", "a starts"]


async def test_clean_up_that_starts_an_actor_which_waits_for_it_to_end_is_refused() -> None:
    async def start_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await noted(troupe, partial(troupe.hire, group, "c"))()

    async with open_troupe() as troupe:
        group = troupe.system.group(Strategy.ALL_FOR_ONE)
        await troupe.hire(group, "ab")
        await troupe["b"].tell(Await(start_at_the_end))
        await settle()
        troupe.journal.clear()
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal == ["hears b -> a -> b", "a starts", "b starts"]


async def test_a_handler_may_start_an_actor_that_waits_for_others() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        group = troupe.system.group(Strategy.REST_FOR_ONE)
        workshop = Workshop(troupe)
        await workshop.hire("a", group)
        await workshop.hire("b", troupe.system)
        workshop.waits["a"] = partial(trio.sleep, 5)
        await troupe["a"].tell(FALL)
        await settle()
        asker = Asker(nursery, troupe["b"], Await(partial(troupe.hire, group, "c")))
        await trio.sleep(6)
        assert asker.answer is None
        assert troupe.journal[-2:] == ["a starts", "c starts"]
