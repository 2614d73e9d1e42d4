"""What a house makes of an ask: every outcome is an answer, and a bug in one fails no other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors import Actor, Message, Ref, open_system
from cafe.bus.batches import CALL, QUERY, Answer, Ask, Outcome
from cafe.bus.codec import arguments_to_bytes, encode
from cafe.bus.invoking import Invoker, askable_of
from cafe.bus.queries import path_of, rows_of
from cafe.ledger.errors import LedgerUnavailable

pytestmark = pytest.mark.schedules


@dataclass(frozen=True, slots=True)
class Brew(Message["Barista", int]):
    """Brew so many cups, which takes a moment."""

    cups: int = 1


@dataclass(frozen=True, slots=True)
class Puzzle(Message["Barista", object]):
    """Be answered with what cannot cross."""


class Barista(Actor):
    """Brews."""

    def __init__(self) -> None:
        self.brewed = 0

    @Brew.handler
    async def brew(self, message: Brew) -> int:
        await trio.sleep(1.0)
        self.brewed += message.cups
        return self.brewed

    @Puzzle.handler
    def puzzle(self, _message: Puzzle) -> object:
        return object()


def cups(_connection: object, *, number: int) -> int:
    return number


class Ledger:
    """Answers queries at once."""

    async def read(self, query: Callable[[Any], Any]) -> Any:
        await trio.lowlevel.checkpoint()
        return query(None)


class House:
    """Invokes what the test asks, and keeps the answers."""

    def __init__(
        self, nursery: trio.Nursery, ref: Ref[Barista], calls: Mapping[str, Callable[[], Any]]
    ) -> None:
        self.answers: list[Answer] = []
        self._nursery = nursery
        self._invoker = Invoker(askable_of([ref], [cups], calls), cast("Any", Ledger()))

    def ask(self, number: int, of: str, name: str, body: bytes) -> Callable[[], None]:
        asked = Ask(number, of, name, msgspec.Raw(body))
        return self._invoker.begin(asked, self._nursery, self.answers.append)

    @property
    def outcomes(self) -> dict[int, Outcome]:
        assert len({one.number for one in self.answers}) == len(self.answers)
        return {one.number: one.outcome for one in self.answers}


@asynccontextmanager
async def open_house(
    mailbox: int = 16, **calls: Callable[[], Awaitable[Any]]
) -> AsyncGenerator[tuple[House, Ref[Barista]]]:
    """Open a house of one actor."""
    async with open_system() as system, trio.open_nursery() as nursery:
        ref = await system.start(Barista, name="Barista", mailbox=mailbox)
        yield House(nursery, ref, calls), ref
        nursery.cancel_scope.cancel()


async def test_asks_of_an_actor_whose_mailbox_is_full_wait_for_room() -> None:
    async with open_house(mailbox=1) as (house, _ref):
        cancels = [house.ask(number, "Barista", "Brew", encode(Brew())) for number in range(6)]
        await wait_all_tasks_blocked()
        cancels[5]()
        await trio.sleep(10)
        assert house.outcomes == dict.fromkeys(range(5), Outcome.ANSWERED)


async def test_what_is_not_there_or_is_malformed_has_crashed_alone() -> None:
    async with open_house() as (house, _ref):
        house.ask(1, "Nobody", "Brew", encode(Brew()))
        house.ask(2, "Barista", "Sing", encode(Brew()))
        house.ask(3, "Barista", "Brew", encode({"cups": "many"}))
        house.ask(4, "Barista", "Brew", b"\xc1")
        house.ask(5, "Barista", "Puzzle", encode(Puzzle()))
        house.ask(6, QUERY, "tomorrow.cups", arguments_to_bytes((), {"number": 1}))
        house.ask(7, QUERY, path_of(cups), arguments_to_bytes((), {"sugar": 1}))
        house.ask(8, CALL, "sing", encode(None))
        house.ask(9, QUERY, path_of(cups), arguments_to_bytes((), {"number": 3}))
        await trio.sleep(1)
        crashed = dict.fromkeys(range(1, 9), Outcome.CRASHED)
        assert house.outcomes == {**crashed, 9: Outcome.ANSWERED}


async def test_an_actor_that_has_stopped_has_crashed() -> None:
    async with open_house() as (house, ref):
        ref.stop()
        await ref.wait_stopped()
        house.ask(1, "Barista", "Brew", encode(Brew()))
        await wait_all_tasks_blocked()
        assert house.outcomes == {1: Outcome.CRASHED}


async def test_a_call_is_refused_crashes_and_is_cancelled_as_an_ask_is() -> None:
    async def refuse() -> None:
        await trio.lowlevel.checkpoint()
        raise LedgerUnavailable

    async def crash() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    ended: list[str] = []

    async def never() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("cancelled")

    async with open_house(refuse=refuse, crash=crash, never=never) as (house, _ref):
        house.ask(1, CALL, "refuse", encode(None))
        house.ask(2, CALL, "crash", encode(None))
        cancel = house.ask(3, CALL, "never", encode(None))
        await wait_all_tasks_blocked()
        cancel()
        await wait_all_tasks_blocked()
        assert ended == ["cancelled"]
        assert house.outcomes == {1: Outcome.REFUSED, 2: Outcome.CRASHED}


def test_the_arguments_of_a_query_are_those_that_were_given_last() -> None:
    query = partial(partial(cups, number=1), number=2)
    assert rows_of(query) == (cups, {"number": 2})


def test_a_query_that_cannot_be_named_is_a_mistake_where_it_is_asked() -> None:
    def local(_connection: object) -> int:
        return 1

    with pytest.raises(TypeError, match="no function of a module"):
        rows_of(local)
    with pytest.raises(TypeError, match="by name"):
        rows_of(partial(cups, None, number=1))
