"""Rules 1 and 2: no time-outs, deadlines that travel, and exact outcomes of a cancelled ask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf

import pytest
import trio

from actors import Actor, Message, open_system
from actors.testing import settle
from tests.actors.counter import Abandon, Add, Asker, Counter, Forward, Nap, Reach, Relay


@dataclass(frozen=True, slots=True)
class Insist(Message["Stubborn", str]):
    """Answered after two seconds, even if cancelled."""


@dataclass(frozen=True, slots=True)
class TellDeadline(Message["Stubborn", float]):
    """Answered with the deadline of the handler."""


class Stubborn(Actor):
    @Insist.handler
    async def insist(self, _message: Insist) -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        return "done"

    @TellDeadline.handler
    async def tell_deadline(self, _message: TellDeadline) -> float:
        return trio.current_effective_deadline()


@pytest.mark.schedules
async def test_an_ask_that_is_cancelled_while_it_is_queued_never_runs() -> None:
    journal: list[str] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(partial(Counter, journal))
        await counter.tell(Nap(2))
        await settle()
        asker = Asker(nursery, counter, Add(1), within=1)
        await asker.done.wait()
        assert trio.current_time() == pytest.approx(1)
        assert await counter.ask(Add(0)) == 0
        assert counter.statistics().skipped == 1


@pytest.mark.schedules
async def test_an_ask_by_a_cancelled_task_never_runs() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        with trio.CancelScope() as scope:
            scope.cancel()
            await counter.ask(Add(1))
        assert scope.cancelled_caught
        assert await counter.ask(Add(0)) == 0


@pytest.mark.schedules
async def test_an_ask_that_is_cancelled_while_it_waits_for_room_never_runs() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter, mailbox=1)
        await counter.tell(Nap(2))
        await settle()
        await counter.tell(Add(1))
        asker = Asker(nursery, counter, Add(10), within=1)
        await asker.done.wait()
        assert await counter.ask(Add(0)) == 1


@pytest.mark.schedules
async def test_a_cancelled_ask_raises_only_when_its_async_handler_has_unwound() -> None:
    journal: list[str] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(partial(Counter, journal))
        asker = Asker(nursery, counter, Nap(60, cleanup=5), within=1)
        await asker.done.wait()
        assert trio.current_time() == pytest.approx(6)
        assert journal == ["start", "nap", "unwound"]
        assert asker.scope.cancelled_caught
        assert counter.statistics().skipped == 1
        assert await counter.ask(Add(1)) == 1


@pytest.mark.schedules
async def test_an_async_handler_that_finishes_despite_a_cancellation_answers() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Stubborn)
        asker = Asker(nursery, ref, Insist(), within=1)
        await asker.done.wait()
        assert asker.answer == "done"
        assert trio.current_time() == pytest.approx(2)


@pytest.mark.schedules
async def test_an_ask_that_is_cancelled_while_it_is_deferred_is_abandoned() -> None:
    journal: list[str] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(partial(Counter, journal))
        asker = Asker(nursery, counter, Reach(3))
        await settle()
        asker.cancel()
        assert journal == ["start", "abandoned 3"], "called at once, not when a task runs next"
        await counter.ask(Add(3))
        assert journal[-1] == "reached 3: False"
        assert asker.outcome is None


@pytest.mark.schedules
async def test_what_send_says_is_what_the_asker_gets_when_both_happen_in_one_tick() -> None:
    journal: list[str] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(partial(Counter, journal))
        askers = [Asker(nursery, counter, Reach(3)) for _ in range(4)]
        await settle()
        nursery.start_soon(counter.ask, Add(3))
        for asker in askers:
            nursery.start_soon(leave_soon, asker)
        for asker in askers:
            await asker.done.wait()
        await settle()
        got = [asker for asker in askers if asker.outcome is not None]
        assert journal.count("reached 3: True") == len(got)
        assert journal.count("abandoned 3") == len(askers) - len(got)
        assert all(asker.answer == 3 for asker in got)


async def test_an_answer_sent_before_a_cancellation_in_the_same_turn_arrives() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter)
        asker = Asker(nursery, counter, Reach(1))
        await settle()
        await counter.tell(Add(1))
        await counter.tell(Abandon(asker.scope))
        await asker.done.wait()
        assert asker.answer == 1


@pytest.mark.schedules
async def test_the_deadline_of_the_asker_crosses_actors() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        relay = await system.start(partial(Relay, counter))
        with trio.move_on_after(2):
            await relay.ask(Forward(Nap(60)))
        assert trio.current_time() == pytest.approx(2)
        assert journal == ["start", "nap", "unwound"]


@pytest.mark.schedules
async def test_a_handler_sees_the_deadline_of_its_asker() -> None:
    async with open_system() as system:
        ref = await system.start(Stubborn)
        with trio.fail_after(7):
            assert await ref.ask(TellDeadline()) == trio.current_time() + 7
        assert await ref.ask(TellDeadline()) == inf


@pytest.mark.schedules
async def test_a_tell_is_not_bounded_by_the_scope_it_was_sent_from() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        with trio.move_on_after(1):
            await counter.tell(Nap(60))
            await trio.sleep_forever()
        await counter.ask(Add())
        assert trio.current_time() == pytest.approx(60)


@pytest.mark.schedules
async def test_a_handler_cancelled_by_a_deadline_that_was_moved_later_raises_too_slow() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(Counter)
        asker = Asker(nursery, counter, Nap(60), within=1)
        await settle()
        asker.scope.deadline += 60
        await asker.done.wait()
        assert isinstance(asker.error, trio.TooSlowError)


async def leave_soon(asker: Asker[int]) -> None:
    asker.cancel()
    await trio.lowlevel.checkpoint()
