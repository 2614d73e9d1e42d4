"""Rule 2, last part: on_abandoned is called as soon as the ask of a kept reply is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import trio

from actors import Actor, Message, Reply, open_system
from actors.testing import settle
from tests.actors.counter import Abandon, Asker, Counter, Nap, Reach
from tests.actors.replies import Keeper, Leave, Take


@pytest.mark.schedules
async def test_a_cancellation_from_within_a_turn_abandons_a_reply_right_after_it() -> None:
    journal: list[str] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(partial(Counter, journal))
        asker = Asker(nursery, counter, Reach(9))
        await settle()
        await counter.ask(Abandon(asker.scope))
        assert journal == ["start", "cancelled", "abandoned 9"]


@pytest.mark.schedules
async def test_a_callback_that_is_registered_after_the_cancellation_runs_at_once() -> None:
    keeper = Keeper()
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        asker = Asker(nursery, ref, Take())
        await settle()
        await ref.ask(Leave(asker.scope))
        assert keeper.abandoned == 1


@pytest.mark.schedules
async def test_thousands_of_asks_cancelled_at_once_are_all_abandoned() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as crowd:
                for _ in range(40):
                    crowd.start_soon(counter.ask, Reach(9))
                await settle()
                await counter.tell(Abandon(scope))
        assert journal.count("abandoned 9") == 40


@pytest.mark.schedules
async def test_the_last_callback_counts_and_runs_once() -> None:
    keeper = Keeper()
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        asker = Asker(nursery, ref, Take())
        await settle()
        keeper.kept[0].on_abandoned(keeper.count)
        await ref.ask(Leave(asker.scope))
        assert keeper.abandoned == 1


@dataclass(frozen=True, slots=True)
class Stay(Message["Host", None]):
    """Kept until the ask is cancelled, when a callback runs."""

    at_the_end: Callable[[Host], None]


class Host(Actor):
    def __init__(self) -> None:
        self.replies: list[Reply[None]] = []
        self.noticed: list[float] = []
        self.at_the_end: Callable[[], None] | None = None

    def on_stop(self) -> None:
        if self.at_the_end is not None:
            self.at_the_end()

    @Stay.deferred
    def stay(self, message: Stay, reply: Reply[None]) -> None:
        self.replies.append(reply)
        reply.on_abandoned(partial(message.at_the_end, self))

    def notice(self) -> None:
        self.noticed.append(trio.current_time())


@pytest.mark.schedules
async def test_an_expired_deadline_runs_a_callback_that_may_do_what_any_turn_may() -> None:
    host = Host()

    def answer_others_and_set_a_timer(host: Host) -> None:
        for reply in host.replies:
            reply.send(None)
        host.after(1, host.notice)

    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: host)
        cancelled = Asker(nursery, ref, Stay(answer_others_and_set_a_timer), within=2)
        answered = Asker(nursery, ref, Stay(Host.notice))
        await trio.sleep(5)
        assert cancelled.outcome is None
        assert answered.answer is None
    assert host.noticed == [3]


@pytest.mark.schedules
async def test_a_callback_may_cancel_more_than_was_cancelled() -> None:
    with trio.CancelScope() as wider:
        async with open_system() as system:
            ref = await system.start(Host)
            async with trio.open_nursery() as nursery:
                asker = Asker(nursery, ref, Stay(lambda _: wider.cancel()))
                await settle()
                asker.cancel()
                await trio.sleep_forever()
    assert wider.cancelled_caught


@pytest.mark.schedules
async def test_an_ask_cancelled_during_on_stop_runs_no_callback() -> None:
    host = Host()
    async with trio.open_nursery() as outside, open_system() as system:
        ref = await system.start(lambda: host)
        asker = Asker(outside, ref, Stay(Host.notice))
        host.at_the_end = asker.cancel
        await settle()
    assert asker.outcome is None
    assert host.noticed == []


@pytest.mark.schedules
async def test_a_callback_may_stop_its_own_actor() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Host)
        asker = Asker(nursery, ref, Stay(lambda _: ref.stop()))
        await settle()
        asker.cancel()
        await ref.wait_stopped()


async def test_a_suspended_async_handler_does_not_delay_on_abandoned() -> None:
    journal: list[str] = []
    async with open_system() as system, trio.open_nursery() as nursery:
        counter = await system.start(partial(Counter, journal))
        kept = Asker(nursery, counter, Reach(9))
        await settle()
        napping = Asker(nursery, counter, Nap(60))
        await settle()
        kept.cancel()
        assert journal == ["start", "nap", "abandoned 9"]
        napping.cancel()
