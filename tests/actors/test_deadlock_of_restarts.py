"""Rule 7 in a restart: one who unwinds cannot ask who waits for him to unwind."""

from __future__ import annotations

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

pytestmark = pytest.mark.schedules


async def clean_up(members: MembersInSystem, name: str, message: Message[Member, Any]) -> None:
    """Work until cut short, then ask another, which cannot be cut short for an hour."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.move_on_after(3600) as cleanup:
            cleanup.shield = True
            try:
                members.note(f"hears {await members[name].ask(message)}")
            except Deadlock as deadlock:
                members.note(f"hears {deadlock}")


async def start_and_crash(
    members: MembersInSystem, strategy: Strategy, fallen: str, **work: Message[Member, Any]
) -> None:
    """Let three work, or not, as one of them falls."""
    await members.start(members.system.group(strategy), "abc")
    for name, message in work.items():
        await members[name].tell(message)
    await settle()
    members.journal.clear()
    await members[fallen].tell(CRASH)
    await trio.sleep(10)


async def test_clean_up_that_asks_one_who_waits_for_it_to_end_is_refused() -> None:
    async with open_members() as members:
        work = Await(partial(clean_up, members, "a", Say("goodbye")))
        await start_and_crash(members, Strategy.ALL_FOR_ONE, "a", b=work)
        assert members.journal[0] == "hears b -> a -> b"
        assert members.restarts() == "abc"


async def test_it_is_refused_also_if_others_that_unwind_will_end() -> None:
    async with open_members() as members:
        asking = Await(partial(clean_up, members, "a", Say("goodbye")))
        work: Any = {"b": Work(cleanup=5), "c": asking}
        await start_and_crash(members, Strategy.ALL_FOR_ONE, "a", **work)
        assert members.journal[:2] == ["hears c -> a -> c", "b unwound"]
        assert members.restarts() == "abc"


async def test_it_is_refused_also_if_it_asks_through_somebody_outside_of_the_group() -> None:
    async with open_members() as members:
        await members.start(members.system, "d")
        through = Await(lambda: members["a"].ask(Say("goodbye")))
        work = Await(partial(clean_up, members, "d", through))
        await start_and_crash(members, Strategy.ALL_FOR_ONE, "a", b=work)
        assert members["d"].statistics().crashed == 1, "d closed the circle"
        assert members.restarts() == "abcd"


async def test_whoever_has_not_fallen_can_be_asked() -> None:
    async with open_members() as members:
        work = Await(partial(clean_up, members, "a", Say("goodbye")))
        await start_and_crash(members, Strategy.REST_FOR_ONE, "b", c=work)
        assert members.journal[:2] == ["a says goodbye", "hears goodbye1"]
        assert members.restarts() == "bc"


async def test_whoever_restarts_by_himself_can_be_asked() -> None:
    async with open_members() as members:
        restart = Restart(backoff=5, jitter=0)
        await members.start(members.system.group(Strategy.ALL_FOR_ONE), "d", restart)
        work = Await(partial(clean_up, members, "d", Say("goodbye")))
        await members.start(members.system.group(Strategy.ALL_FOR_ONE), "ab")
        await members["b"].tell(work)
        await settle()
        members.journal.clear()
        for name in "da":
            await members[name].tell(CRASH)
        await trio.sleep(10)
        assert members.journal[:3] == ["d starts", "d says goodbye", "hears goodbye2"]
        assert members.restarts() == "abd"
