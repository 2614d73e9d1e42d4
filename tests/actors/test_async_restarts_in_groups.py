"""A factory that waits keeps the order of its group, and is called again if one before it falls."""

from __future__ import annotations

import logging
from functools import partial

import pytest
import trio

from actors import Restart, Strategy
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.troupe import FALL, Company, Say, open_troupe
from tests.actors.workshop import Workshop, break_when_cancelled, shielded, tidy_up

pytestmark = pytest.mark.schedules

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


async def hire(troupe: Company, strategy: Strategy) -> tuple[Workshop, trio.Event]:
    """Start three; the factory of b waits from now on, for the event."""
    workshop = Workshop(troupe)
    await workshop.hire("abc", troupe.system.group(strategy))
    database = trio.Event()
    workshop.waits["b"] = database.wait
    troupe.journal.clear()
    return workshop, database


@pytest.mark.parametrize(
    ("strategy", "fallen", "before", "after"),
    [
        (ONE, "b", ["b waits"], ["b starts"]),
        (REST, "b", ["b waits"], ["b starts", "c starts"]),
        (REST, "a", ["a starts", "b waits"], ["b starts", "c starts"]),
        (ALL, "c", ["a starts", "b waits"], ["b starts", "c starts"]),
    ],
    ids=str,
)
async def test_who_starts_after_one_whose_factory_waits_is_held_up(
    strategy: Strategy, fallen: str, before: list[str], after: list[str]
) -> None:
    async with open_troupe() as troupe:
        _, database = await hire(troupe, strategy)
        await troupe[fallen].tell(FALL)
        await trio.sleep(3600)
        assert troupe.journal == before
        database.set()
        await settle()
        assert troupe.journal == before + after
        assert sum(troupe[name].statistics().crashed for name in "abc") == 1


@pytest.mark.parametrize("strategy", [ONE, REST, ALL], ids=str)
async def test_a_newcomer_waits_for_those_whose_factories_wait(strategy: Strategy) -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        group = troupe.system.group(strategy)
        workshop = Workshop(troupe)
        await workshop.hire("a", group)
        database = trio.Event()
        workshop.waits["a"] = database.wait
        await troupe["a"].tell(FALL)
        await settle()
        nursery.start_soon(troupe.hire, group, "b")
        await settle()
        assert ("b starts" in troupe.journal) == (strategy is ONE)
        database.set()
        await settle()
        assert "b starts" in troupe.journal


@pytest.mark.parametrize("strategy", [REST, ALL], ids=str)
async def test_a_factory_that_waits_is_called_again_when_one_before_it_falls(
    strategy: Strategy,
) -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        _, database = await hire(troupe, strategy)
        await troupe["b"].tell(FALL)
        await trio.sleep(60)
        troupe.journal.clear()
        asker = Asker(nursery, troupe["b"], Say("hello"))
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal == ["b cancelled", "a starts", "b waits"]
        database.set()
        await settle()
        assert troupe.journal[3:5] == ["b starts", "b says hello"] or (
            troupe.journal[3:] == ["b starts", "c starts", "b says hello"]
        )
        assert asker.answer == "hello2", "the factory that was cancelled had made nothing"
        seen = troupe["b"].statistics()
        assert (seen.crashed, seen.restarts) == (1, 1)


async def test_those_who_fell_together_start_when_a_factory_that_was_cancelled_has_unwound() -> (
    None
):
    async with open_troupe() as troupe:
        workshop, _ = await hire(troupe, ALL)
        workshop.waits["b"] = partial(tidy_up, 20)
        await troupe["b"].tell(FALL)
        await settle()
        troupe.journal.clear()
        del workshop.waits["b"]
        await troupe["a"].tell(FALL)
        await trio.sleep(19)
        assert troupe.journal == []
        await trio.sleep(2)
        assert troupe.journal == ["b cancelled", "a starts", "b starts", "c starts"]


async def test_an_instance_that_comes_though_its_factory_was_cancelled_is_made_again() -> None:
    async with open_troupe() as troupe:
        workshop, _ = await hire(troupe, REST)
        workshop.waits["b"] = partial(shielded, 5)
        await troupe["b"].tell(FALL)
        await settle()
        await troupe["a"].tell(FALL)
        assert await troupe["b"].ask(Say()) == "3", "the second was made before a was restarted"
        assert trio.current_time() == 10


async def test_who_falls_alone_does_not_wait_for_a_factory_of_a_later_one() -> None:
    async with open_troupe() as troupe:
        outer = troupe.system.group(REST)
        workshop = Workshop(troupe)
        await workshop.hire("a", outer.group(ONE))
        await workshop.hire("b", outer)
        database = trio.Event()
        workshop.waits["b"] = database.wait
        await troupe["b"].tell(FALL)
        await settle()
        troupe.journal.clear()
        await troupe["a"].tell(FALL)
        await settle()
        assert troupe.journal == ["a starts"]
        database.set()
        await settle()
        assert troupe.journal == ["a starts", "b starts"]


async def test_an_instance_that_is_made_starts_when_those_before_it_are_up() -> None:
    async with open_troupe() as troupe:
        outer = troupe.system.group(REST)
        workshop = Workshop(troupe)
        await workshop.hire("a", outer.group(ONE), SLOW)
        await workshop.hire("b", outer)
        database = trio.Event()
        workshop.waits["b"] = database.wait
        await troupe["b"].tell(FALL)
        await settle()
        await troupe["a"].tell(FALL)
        await settle()
        troupe.journal.clear()
        database.set()
        await settle()
        assert troupe.lives["b"] == 2
        assert troupe.journal == []
        await trio.sleep(11)
        assert troupe.journal == ["a starts", "b starts"]
        assert troupe.lives["b"] == 2


async def test_an_instance_that_is_made_is_made_again_if_one_before_it_falls_then() -> None:
    async with open_troupe() as troupe:
        outer = troupe.system.group(REST)
        workshop = Workshop(troupe)
        await workshop.hire("a", outer)
        await workshop.hire("b", outer.group(ONE), SLOW)
        await workshop.hire("c", outer)
        database = trio.Event()
        workshop.waits["c"] = database.wait
        await troupe["c"].tell(FALL)
        await settle()
        await troupe["b"].tell(FALL)
        await settle()
        database.set()
        await settle()
        assert troupe.lives["c"] == 2
        await troupe["a"].tell(FALL)
        await trio.sleep(30)
        assert troupe.lives["c"] == 3
        seen = troupe["c"].statistics()
        assert (seen.crashed, seen.restarts) == (1, 1)


async def test_a_factory_that_fails_as_it_is_cancelled_is_logged_and_no_crash(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_troupe() as troupe:
        workshop, database = await hire(troupe, REST)
        workshop.waits["b"] = break_when_cancelled
        await troupe["b"].tell(FALL)
        await settle()
        workshop.waits["b"] = database.wait
        with caplog.at_level(logging.ERROR, "actors"):
            await troupe["a"].tell(FALL)
            await settle()
        assert [record.getMessage() for record in caplog.records][1:] == [
            *["a crashed", "b crashed as it unwound"]
        ]
        database.set()
        await settle()
        seen = troupe["b"].statistics()
        assert (seen.state, seen.crashed, seen.restarts) == ("running", 1, 1)
