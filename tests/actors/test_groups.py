"""Rule 5 in groups: who is restarted with whom, and in which order."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from actors import ActorCrashed, Restart, Strategy
from actors.testing import settle
from tests.actors.cast import Asker, Boom
from tests.actors.troupe import FALL, Await, Company, Keep, Player, fall, open_troupe

pytestmark = pytest.mark.schedules

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ALL_FOR_ONE, Strategy.REST_FOR_ONE


async def crash(troupe: Company, name: str) -> None:
    """Crash one, and let all who restart do so."""
    troupe.journal.clear()
    with pytest.raises(ActorCrashed, match=f"{name} crashed"):
        await troupe[name].ask(FALL)
    await settle()


@pytest.mark.parametrize(
    ("strategy", "crashed", "restarted"),
    [
        (ONE, "b", "b"),
        (ALL, "a", "abc"),
        (ALL, "b", "abc"),
        (ALL, "c", "abc"),
        (REST, "a", "abc"),
        (REST, "b", "bc"),
        (REST, "c", "c"),
    ],
    ids=str,
)
async def test_a_strategy_says_who_is_restarted_and_all_start_in_their_first_order(
    strategy: Strategy, crashed: str, restarted: str
) -> None:
    async with open_troupe() as troupe:
        await troupe.hire(troupe.system, "x")
        await troupe.hire(troupe.system.group(strategy), "abc")
        await troupe.hire(troupe.system, "y")
        await crash(troupe, crashed)
        assert troupe.journal == [f"{name} starts" for name in restarted]
        assert troupe.restarts() == restarted
        assert [ref.statistics().crashed for ref in troupe.refs.values()].count(1) == 1


@pytest.mark.parametrize(("strategy", "ended"), [(ALL, "bdca"), (REST, "bdc")], ids=str)
async def test_after_the_crashed_one_the_others_end_last_started_first(
    strategy: Strategy, ended: str
) -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system, "o")
        group = troupe.system.group(strategy)
        await troupe.hire(group, "ab")
        await troupe.hire(group.group(ONE), "cd")
        last_straw = Asker(nursery, troupe["b"], Keep(fall))
        await settle()
        for name in "abcd":
            # Who is outside the group hears at once when a handler in it waits no more.
            kept = Keep(partial(Player.note, text=name))
            Asker(nursery, troupe[name], Await(partial(troupe["o"].ask, kept)))
        await settle()
        troupe.journal.clear()
        last_straw.leave()
        assert troupe.journal == [f"o {name}" for name in ended]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("crashed", "restarted"),
    [("x", "x"), ("a", "abcdy"), ("b", "bcdy"), ("c", "cd"), ("d", "cd"), ("y", "y")],
    ids=str,
)
async def test_a_group_stands_in_its_group_in_the_place_of_one_actor(
    crashed: str, restarted: str
) -> None:
    async with open_troupe() as troupe:
        await troupe.hire(troupe.system, "x")
        outer = troupe.system.group(REST)
        await troupe.hire(outer, "ab")
        inner = outer.group(ALL)
        await troupe.hire(inner, "cd")
        await troupe.hire(outer, "y")
        await crash(troupe, crashed)
        assert troupe.journal == [f"{name} starts" for name in restarted]
        assert troupe.restarts() == "".join(sorted(restarted))


async def test_the_place_of_a_group_is_where_it_was_made_and_not_where_it_was_filled() -> None:
    async with open_troupe() as troupe:
        outer = troupe.system.group(REST)
        early = outer.group(ONE)
        await troupe.hire(outer, "a")
        await troupe.hire(early, "b")
        await crash(troupe, "a")
        assert troupe.restarts() == "a"
        await crash(troupe, "b")
        assert troupe.restarts() == "ab", "one for one in its own group"


async def test_three_groups_deep_only_the_innermost_restarts_for_its_own() -> None:
    async with open_troupe() as troupe:
        outer = troupe.system.group(ALL)
        await troupe.hire(outer, "a")
        middle = outer.group(REST)
        await troupe.hire(middle, "b")
        await troupe.hire(middle.group(ALL), "cd")
        await troupe.hire(middle, "e")
        await troupe.hire(outer, "f")
        await crash(troupe, "d")
        assert troupe.restarts() == "cd"
        await crash(troupe, "b")
        assert troupe.restarts() == "bccdde"
        await crash(troupe, "f")
        assert troupe.restarts() == "abbcccdddeef"
        assert troupe.journal == [f"{name} starts" for name in "abcdef"]


async def test_a_group_may_crash_again_and_again() -> None:
    async with open_troupe() as troupe:
        await troupe.hire(troupe.system.group(ALL), "abc", Restart(limit=20))
        for name in "abccbacab":
            await crash(troupe, name)
            assert troupe.journal == ["a starts", "b starts", "c starts"]
        assert troupe.restarts() == "a" * 9 + "b" * 9 + "c" * 9


async def test_whoever_joins_a_group_later_is_the_last_in_it() -> None:
    async with open_troupe() as troupe:
        group = troupe.system.group(REST)
        await troupe.hire(group, "ab")
        troupe["a"].stop()
        await troupe["a"].wait_stopped()
        await troupe.hire(group, "c")
        await crash(troupe, "b")
        assert troupe.journal == ["b starts", "c starts"]
        await crash(troupe, "c")
        assert troupe.journal == ["c starts"]


@pytest.mark.parametrize("strategy", list(Strategy), ids=str)
async def test_every_restart_is_logged_with_its_cause(
    strategy: Strategy, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_troupe() as troupe:
        await troupe.hire(troupe.system.group(strategy), "ab")
        await crash(troupe, "a")
    crashed, *restarted = caplog.records
    assert crashed.getMessage() == "a crashed"
    assert crashed.exc_info is not None
    assert crashed.exc_info[0] is Boom
    along = ["b was restarted, because of ActorCrashed('a crashed')"]
    assert [record.getMessage() for record in restarted] == [
        "a was restarted, because of Boom()",
        *([] if strategy is ONE else along),
    ]
