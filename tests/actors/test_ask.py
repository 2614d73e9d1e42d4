"""An ask and a tell when nothing goes wrong."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest
import trio

from actors import Actor, ActorError, ActorStopped, Message, Reply, open_system
from actors.testing import settle
from tests.actors.counter import Add, Counter


@dataclass(frozen=True, slots=True)
class Keep(Message["Keeper", None]):
    """Kept until the ask is cancelled."""


@dataclass(frozen=True, slots=True)
class AnswerLater(Message["Keeper", None]):
    """Kept until AnswerAll."""


@dataclass(frozen=True, slots=True)
class AnswerAll(Message["Keeper", None]):
    """Answers all AnswerLater."""


class Keeper(Actor):
    def __init__(self) -> None:
        self.kept: list[Reply[None]] = []
        self.later: list[Reply[None]] = []

    @Keep.deferred
    def keep(self, _message: Keep, reply: Reply[None]) -> None:
        self.kept.append(reply)
        reply.on_abandoned(lambda: self.kept.remove(reply))

    @AnswerLater.deferred
    def answer_later(self, _message: AnswerLater, reply: Reply[None]) -> None:
        self.later.append(reply)

    @AnswerAll.handler
    def answer_all(self, _message: AnswerAll) -> None:
        while self.later:
            self.later.pop().send(None)


@pytest.mark.schedules
async def test_an_ask_is_answered() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        assert await counter.ask(Add(2)) == 2
        assert await counter.ask(Add(3)) == 5


@pytest.mark.schedules
async def test_a_tell_and_then_an_ask_keep_their_order() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        await counter.tell(Add(2))
        counter.tell_nowait(Add(3))
        assert await counter.ask(Add(0)) == 5


async def test_a_message_without_a_handler_raises_in_its_sender_with_both_names() -> None:
    @dataclass(frozen=True, slots=True)
    class Forgotten(Message[Counter, None]):
        """A message of the Counter, for which it has no handler."""

    async with open_system() as system:
        counter = await system.start(Counter)
        with pytest.raises(ActorError, match="Counter has no handler for Forgotten"):
            await counter.ask(Forgotten())
        with pytest.raises(ActorError, match="Counter has no handler for Forgotten"):
            await counter.tell(Forgotten())
        with pytest.raises(ActorError, match="Counter has no handler for Forgotten"):
            counter.tell_nowait(Forgotten())
        assert counter.statistics().crashed == 0


async def test_asking_a_stopped_actor_again_and_again_lets_other_tasks_run() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        counter.stop()
        await counter.wait_stopped()
        with trio.move_on_after(0.01) as scope:
            while True:
                try:
                    await counter.ask(Add())
                except ActorStopped:
                    continue
        assert scope.cancelled_caught


async def test_many_asks_leave_no_memory_behind() -> None:
    async with open_system() as system:
        keeper = await system.start(Keeper)
        objects: list[int] = []
        for _ in range(3):
            for _ in range(10):
                async with trio.open_nursery() as nursery:
                    for _ in range(50):
                        nursery.start_soon(keeper.ask, Keep())
                        nursery.start_soon(keeper.ask, AnswerLater())
                    await settle()
                    await keeper.ask(AnswerAll())
                    nursery.cancel_scope.cancel()
            gc.collect()
            objects.append(len(gc.get_objects()))
        assert objects[2] - objects[1] < 50
