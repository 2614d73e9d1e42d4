"""Reply: it is used once; if dropped, its ask fails; afterwards it keeps nothing alive."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

import pytest
import trio

from actors import Actor, ActorCrashed, ActorError, Message, Refusal, Reply, open_system
from actors.testing import settle
from tests.actors.counter import Add, Asker, Counter, No, Reach
from tests.actors.recorder import Recorder
from tests.actors.replies import (
    AnswerTwice,
    Broker,
    Clerk,
    Delegate,
    Eager,
    Forget,
    KeepAndBreak,
    Keeper,
    Take,
)


@pytest.mark.schedules
async def test_answering_twice_raises_in_the_second_answer() -> None:
    async with open_system() as system:
        ref = await system.start(Eager)
        assert await ref.ask(AnswerTwice()) == 1
        assert ref.statistics().crashed == 1


@pytest.mark.schedules
async def test_answering_a_cancelled_ask_twice_raises_too() -> None:
    keeper = Keeper()
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        asker = Asker(nursery, ref, Take())
        await settle()
        asker.cancel()
        (reply,) = keeper.kept
        assert reply.send(1) is False
        with pytest.raises(ActorError, match="Take is answered twice"):
            reply.fail(KeyError())
        with pytest.raises(ActorError, match="Take is answered twice"):
            reply.fail(No(why="too late"))
        assert ref.statistics().refused == 0


@pytest.mark.schedules
async def test_a_reply_that_is_dropped_fails_its_asker() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Keeper, name="keeper")
        asker = Asker(nursery, ref, Take())
        await settle()
        await ref.ask(Forget())
        await asker.done.wait()
        assert str(asker.error) == "Keeper dropped its reply to Take"


async def test_a_reply_is_found_dropped_though_its_callback_holds_it() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(partial(Keeper, cyclic=True))
        asker = Asker(nursery, ref, Take())
        await settle()
        await ref.ask(Forget())
        # Collected by another thread, as may happen while one reads the disk.
        await trio.to_thread.run_sync(gc.collect)
        await asker.done.wait()
        assert isinstance(asker.error, ActorError)


@pytest.mark.schedules
async def test_a_reply_may_be_given_to_another_actor() -> None:
    async with open_system() as system:
        clerk = await system.start(Clerk)
        broker = await system.start(partial(Broker, clerk))
        assert await broker.ask(Delegate()) == 41


@pytest.mark.schedules
async def test_sending_a_reply_to_a_told_message_returns_false() -> None:
    journal: list[str] = []
    async with open_system() as system:
        counter = await system.start(partial(Counter, journal))
        await counter.tell(Reach(1))
        await counter.ask(Add())
        assert journal == ["start", "add 1", "reached 1: False"]


@pytest.mark.schedules
async def test_a_reply_to_a_told_message_can_be_failed_with_no_effect() -> None:
    keeper = Keeper()
    async with open_system() as system:
        ref = await system.start(lambda: keeper)
        await ref.tell(Take())
        await settle()
        assert keeper.kept[0].fail(No(why="not kept")) is False


@pytest.mark.schedules
async def test_a_deferred_handler_that_keeps_its_reply_and_raises_is_a_crash() -> None:
    async with open_system() as system:
        ref = await system.start(Eager)
        with pytest.raises(ActorCrashed):
            await ref.ask(KeepAndBreak())


class TakeTicket(Message["TicketKeeper", int]):
    """Never answered."""


class ForgetAll(Message["TicketKeeper", int]):
    """Answered with the number of replies that were dropped."""


class TicketKeeper(Actor):
    """Keeps replies by ticket."""

    def __init__(self) -> None:
        self.waiting: dict[int, Reply[int]] = {}
        self.tickets = count()

    @TakeTicket.deferred
    def wait(self, _message: TakeTicket, reply: Reply[int]) -> None:
        ticket = next(self.tickets)
        self.waiting[ticket] = reply
        reply.on_abandoned(partial(self.cancel, ticket))

    def cancel(self, ticket: int) -> None:
        del self.waiting[ticket]

    @ForgetAll.handler
    def forget(self, _message: ForgetAll) -> int:
        forgotten = len(self.waiting)
        self.waiting.clear()
        return forgotten


@pytest.fixture
def collector() -> Iterator[None]:
    """Disable the collector, so that only what has no reference is freed."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collector")
@pytest.mark.schedules(10)
async def test_a_reply_that_is_dropped_fails_its_asker_at_once() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        keeper = await system.start(TicketKeeper)
        askers = [Asker(nursery, keeper, TakeTicket()) for _ in range(3)]
        await settle()
        assert await keeper.ask(ForgetAll()) == 3
        await settle()
        for asker in askers:
            assert str(asker.error) == "TicketKeeper dropped its reply to TakeTicket"


@pytest.mark.usefixtures("collector")
@pytest.mark.schedules(10)
async def test_a_cancelled_ask_is_found_by_its_ticket() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        keeper = await system.start(TicketKeeper)
        staying, leaving = (Asker(nursery, keeper, TakeTicket()) for _ in range(2))
        await settle()
        leaving.cancel()
        await settle()
        assert await keeper.ask(ForgetAll()) == 1
        await settle()
        assert str(staying.error) == "TicketKeeper dropped its reply to TakeTicket"


@dataclass(frozen=True, slots=True)
class TakeWithCallback(Message["CallbackKeeper", int]):
    """Kept."""


@dataclass(frozen=True, slots=True)
class Contradict(Message["CallbackKeeper", int]):
    """Answered, and then refused."""


class CallbackKeeper(Actor):
    def __init__(self) -> None:
        self.kept: list[tuple[TakeWithCallback, Reply[int]]] = []
        self.seen: list[weakref.ref[Reply[int]]] = []

    @TakeWithCallback.deferred
    def take(self, message: TakeWithCallback, reply: Reply[int]) -> None:
        waiter = message, reply
        self.kept.append(waiter)
        self.seen.append(weakref.ref(reply))
        reply.on_abandoned(lambda: self.kept.remove(waiter))

    @Contradict.deferred
    def contradict(self, _message: Contradict, reply: Reply[int]) -> None:
        reply.send(1)
        raise Refusal("no")


@pytest.fixture
def uncollected() -> Generator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
async def test_nothing_is_left_of_a_reply_that_has_answered_though_its_callback_held_it() -> None:
    keeper = CallbackKeeper()
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        await ref.tell(TakeWithCallback())
        asker = Asker(nursery, ref, TakeWithCallback())
        await settle()
        assert [reply.send(1) for _, reply in keeper.kept] == [False, True]
        await asker.done.wait()
        keeper.kept.clear()
        assert [seen() for seen in keeper.seen] == [None, None]


async def test_a_reply_used_in_another_thread_raises_there_and_can_still_be_used() -> None:
    keeper = CallbackKeeper()
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        asker = Asker(nursery, ref, TakeWithCallback())
        await settle()
        ((_, reply),) = keeper.kept
        with pytest.raises(RuntimeError, match="async context"):
            await trio.to_thread.run_sync(reply.send, 1)
        with pytest.raises(RuntimeError, match="async context"):
            await trio.to_thread.run_sync(reply.fail, Refusal())
        assert ref.statistics().refused == 0
        got_it = await trio.to_thread.run_sync(trio.from_thread.run_sync, reply.send, 2)
        await asker.done.wait()
        assert got_it
        assert asker.answer == 2


@pytest.mark.parametrize("error", [Refusal("no"), ActorError("broken")], ids=repr)
async def test_one_error_may_fail_many(error: Exception) -> None:
    keeper = CallbackKeeper()
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        askers = [Asker(nursery, ref, TakeWithCallback()) for _ in range(3)]
        await settle()
        for _, reply in keeper.kept:
            assert reply.fail(error)
        await settle()
        errors = [asker.error for asker in askers]
        assert len({id(one) for one in [*errors, error]}) == 4, (
            "each asker gets a traceback of its own"
        )
        assert {repr(one) for one in errors} == {repr(error)}
        assert error.__traceback__ is None


async def test_a_refusal_that_was_not_delivered_is_not_counted() -> None:
    keeper = CallbackKeeper()
    recorder = Recorder()
    async with open_system(instruments=[recorder]) as system, trio.open_nursery() as nursery:
        ref = await system.start(lambda: keeper)
        asker = Asker(nursery, ref, TakeWithCallback())
        await settle()
        ((_, reply),) = keeper.kept
        asker.cancel()
        assert reply.fail(Refusal()) is False
        assert ref.statistics().refused == 0
        assert "refused" not in recorder.of("TakeWithCallback")


async def test_a_refusal_after_the_answer_is_a_crash_that_says_so() -> None:
    async with open_system() as system:
        ref = await system.start(CallbackKeeper)
        assert await ref.ask(Contradict()) == 1
        await settle()
        assert ref.statistics().refused == 0
        assert ref.statistics().handled == 0
        assert ref.statistics().crashed == 1


async def test_a_refusal_after_the_answer_fails_all_other_askers() -> None:
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(CallbackKeeper)
        asker = Asker(nursery, ref, TakeWithCallback())
        await settle()
        await ref.ask(Contradict())
        await asker.done.wait()
        crash = asker.error
        assert isinstance(crash, ActorCrashed)
        assert str(crash.__cause__) == "Contradict is refused after its answer"
        assert isinstance(crash.__cause__, ActorError)
        assert isinstance(crash.__cause__.__cause__, Refusal)
