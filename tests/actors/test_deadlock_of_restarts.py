"""Rule 7 in a restart: one who unwinds cannot ask who waits for him to unwind."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio

from actors import Deadlock, Message, Restart, Strategy
from actors.testing import settle
from tests.actors.troupe import FALL, Await, Company, Player, Say, Work, open_troupe

pytestmark = pytest.mark.schedules


async def tidy_up(troupe: Company, name: str, message: Message[Player, Any]) -> None:
    """Work until cut short, then ask another, which cannot be cut short for an hour."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.move_on_after(3600) as tidying:
            tidying.shield = True
            try:
                troupe.note(f"hears {await troupe[name].ask(message)}")
            except Deadlock as deadlock:
                troupe.note(f"hears {deadlock}")


async def hire_and_let_fall(
    troupe: Company, strategy: Strategy, fallen: str, **work: Message[Player, Any]
) -> None:
    """Let three work, or not, as one of them falls."""
    await troupe.hire(troupe.system.group(strategy), "abc")
    for name, message in work.items():
        await troupe[name].tell(message)
    await settle()
    troupe.journal.clear()
    await troupe[fallen].tell(FALL)
    await trio.sleep(10)


async def test_clean_up_that_asks_one_who_waits_for_it_to_end_is_refused() -> None:
    async with open_troupe() as troupe:
        work = Await(partial(tidy_up, troupe, "a", Say("goodbye")))
        await hire_and_let_fall(troupe, Strategy.ALL_FOR_ONE, "a", b=work)
        assert troupe.journal[0] == "hears b -> a -> b"
        assert troupe.restarts() == "abc"


async def test_it_is_refused_also_if_others_that_unwind_will_end() -> None:
    async with open_troupe() as troupe:
        asking = Await(partial(tidy_up, troupe, "a", Say("goodbye")))
        work: Any = {"b": Work(tidying=5), "c": asking}
        await hire_and_let_fall(troupe, Strategy.ALL_FOR_ONE, "a", **work)
        assert troupe.journal[:2] == ["hears c -> a -> c", "b unwound"]
        assert troupe.restarts() == "abc"


async def test_it_is_refused_also_if_it_asks_through_somebody_outside_of_the_group() -> None:
    async with open_troupe() as troupe:
        await troupe.hire(troupe.system, "d")
        through = Await(lambda: troupe["a"].ask(Say("goodbye")))
        work = Await(partial(tidy_up, troupe, "d", through))
        await hire_and_let_fall(troupe, Strategy.ALL_FOR_ONE, "a", b=work)
        assert troupe["d"].statistics().crashed == 1, "d closed the circle"
        assert troupe.restarts() == "abcd"


async def test_whoever_has_not_fallen_can_be_asked() -> None:
    async with open_troupe() as troupe:
        work = Await(partial(tidy_up, troupe, "a", Say("goodbye")))
        await hire_and_let_fall(troupe, Strategy.REST_FOR_ONE, "b", c=work)
        assert troupe.journal[:2] == ["a says goodbye", "hears goodbye1"]
        assert troupe.restarts() == "bc"


async def test_whoever_restarts_by_himself_can_be_asked() -> None:
    async with open_troupe() as troupe:
        restart = Restart(backoff=5, jitter=0)
        await troupe.hire(troupe.system.group(Strategy.ALL_FOR_ONE), "d", restart)
        work = Await(partial(tidy_up, troupe, "d", Say("goodbye")))
        await troupe.hire(troupe.system.group(Strategy.ALL_FOR_ONE), "ab")
        await troupe["b"].tell(work)
        await settle()
        troupe.journal.clear()
        for name in "da":
            await troupe[name].tell(FALL)
        await trio.sleep(10)
        assert troupe.journal[:3] == ["d starts", "d says goodbye", "hears goodbye2"]
        assert troupe.restarts() == "abd"
