"""Rule 6 at its edges: what is left of a reply that was used, and what is left when it was not."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Generator
from dataclasses import dataclass

import pytest
import trio

from actors import Actor, ActorCrashed, ActorError, Message, Refusal, Reply, open_system
from actors.testing import settle
from tests.actors.counter import Asker
from tests.actors.recorder import Recorder


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
        heard = [asker.error for asker in askers]
        assert len({id(one) for one in [*heard, error]}) == 4, "each gets a traceback of his own"
        assert {repr(one) for one in heard} == {repr(error)}
        assert error.__traceback__ is None


async def test_a_refusal_that_nobody_got_is_not_counted() -> None:
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


async def test_a_refusal_after_the_answer_fails_who_else_waits() -> None:
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
