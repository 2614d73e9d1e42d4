"""The narrow places of a fall: what was on its way, in hand or noted down as it came."""

from __future__ import annotations

from functools import partial

import outcome
import pytest
import trio

from actors import ActorCrashed, ActorStopped, Restart, Strategy
from actors.testing import settle
from tests.actors.cast import Asker
from tests.actors.troupe import FALL, Await, Do, Keep, Player, Say, Work, fall, open_troupe

pytestmark = pytest.mark.schedules

ALL = Strategy.ALL_FOR_ONE
SLOW = Restart(limit=9, within=100, backoff=10, jitter=0)


async def test_a_message_in_hand_as_its_actor_falls_is_handled_first_after_the_restart() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system.group(ALL), "ab")
        last_straw = Asker(nursery, troupe["a"], Keep(fall))
        await settle()
        troupe.journal.clear()
        for number in range(3):
            # The first is handed to b, who waits for it; but before b runs it falls with a.
            troupe["b"].tell_nowait(Say(str(number)))
        last_straw.leave()
        assert troupe["b"].statistics().queued == 2
        await settle()
        assert troupe.journal == [
            *["a starts", "b starts"],
            *["b says 0", "b says 1", "b says 2"],
        ]


async def test_an_ask_in_hand_as_its_actor_falls_and_is_cancelled_is_settled() -> None:
    asked: list[Asker[str]] = []
    with trio.fail_after(100):
        async with trio.open_nursery() as outside:
            with trio.CancelScope() as block:
                async with open_troupe() as troupe:
                    await troupe.hire(troupe.system.group(ALL), "ab", SLOW)
                    last_straw = Asker(outside, troupe["a"], Keep(fall))
                    await settle()
                    asked.extend(Asker(outside, troupe["b"], Say()) for _ in range(3))
                    # In some schedules they have asked now, and b has not run since.
                    await trio.lowlevel.checkpoint()
                    last_straw.leave()
                    await settle()
                    block.cancel()
    for asker in asked:
        assert isinstance(asker.heard, outcome.Value) or isinstance(asker.error, ActorStopped)


@pytest.mark.parametrize("first", ["abandoned", "fall"])
async def test_a_callback_that_waits_for_the_end_of_the_last_turn_never_runs(first: str) -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system.group(ALL), "ab")
        # In a turn of a: its own asker goes, and a falls, by itself or by b.
        gone = Asker(nursery, troupe["a"], Keep(partial(Player.note, text="minds")))
        last_straw = Asker(nursery, troupe["b"], Keep(fall))
        await settle()

        def last_turn(player: Player) -> None:
            if first == "fall":
                last_straw.leave()
                gone.leave()
            else:
                gone.leave()
                fall(player)

        await troupe["a"].tell(Do(last_turn))
        await settle()
        assert troupe.restarts() == "ab"
        # Whatever waited would run with the next turn.
        await troupe["a"].ask(Do(lambda player: player.note("goes on")))
        await gone.left.wait()
        assert troupe.journal[-1] == "a goes on"
        assert "a minds" not in troupe.journal


async def test_who_has_crashed_is_not_said_to_be_restarted_with_another_that_does_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_troupe() as troupe:
        await troupe.hire(troupe.system.group(ALL), "ab", SLOW)
        await troupe["b"].tell(FALL)
        await trio.sleep(1)
        await troupe["a"].tell(FALL)
        await trio.sleep(20)
    assert [line for line in caplog.messages if "was restarted" in line] == [
        "a was restarted, because of ActorCrashed('b crashed')",
        "a was restarted, because of Boom()",
        "b was restarted, because of Boom()",
    ]


async def test_who_unwinds_after_a_crash_hears_of_that_one_and_not_of_a_later_one() -> None:
    async with open_troupe() as troupe, trio.open_nursery() as nursery:
        await troupe.hire(troupe.system.group(Strategy.REST_FOR_ONE), "ab")
        last_straw = Asker(nursery, troupe["b"], Keep(fall))
        await settle()
        worker = Asker(nursery, troupe["b"], Work(tidying=5))
        await settle()
        last_straw.leave()
        await troupe["a"].tell(FALL)
        await worker.left.wait()
        assert str(worker.error) == "b crashed"
        await settle()
        assert troupe.restarts() == "ab"


async def test_a_backoff_that_is_over_is_not_waited_for_when_another_crashes() -> None:
    async with open_troupe() as troupe:
        group = troupe.system.group(ALL)
        await troupe.hire(group, "a", SLOW)
        await troupe.hire(group, "b")
        await troupe["a"].tell(FALL)
        await trio.sleep(11)
        with pytest.raises(ActorCrashed):
            await troupe["b"].ask(FALL)
        await settle()
        assert trio.current_time() == 11
        assert troupe.restarts() == "aabb"


async def test_the_asker_of_an_async_handler_that_crashed_hears_when_the_restart_is_recorded() -> (
    None
):
    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        fall()

    async with open_troupe() as troupe:
        await troupe.hire(troupe.system, "a")
        troupe.faults["a"] = [fall] * 9
        with pytest.raises(ActorCrashed):
            await troupe["a"].ask(Await(fail))
        seen = troupe["a"].statistics()
        assert (seen.crashed, seen.restarts) == (10, 1)
