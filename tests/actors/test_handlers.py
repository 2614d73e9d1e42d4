"""Which method handles which message: inheritance, overriding, and mistakes found early."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import pytest

from actors import Actor, ActorError, Message, Reply, open_system
from tests.actors.counter import Add, Counter, Nap

P = ParamSpec("P")


class LoudCounter(Counter):
    """Overrides a handler without decorating it again, and an async one with a plain one."""

    def add(self, message: Add) -> int:
        return 100 * super().add(message)

    @Nap.handler
    def doze(self, message: Nap) -> str:
        return f"dozed {message.seconds}"


@dataclass(frozen=True, slots=True)
class AddTwice(Add):
    """A kind of Add."""


@dataclass(frozen=True, slots=True)
class Speak(Message["Parrot", str]):
    """Answered with its text."""

    text: str


class Parrot(Actor):
    @Speak.handler
    def speak(self, message: Speak) -> str:
        return message.text


async def test_a_handler_is_inherited_and_can_be_overridden() -> None:
    async with open_system() as system:
        counter = await system.start(LoudCounter)
        assert await counter.ask(Add(2)) == 200
        assert await counter.ask(Nap(5)) == "dozed 5"


async def test_the_base_class_keeps_its_own_handlers() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        assert await counter.ask(Add(2)) == 2


async def test_a_subtype_of_a_message_is_taken_by_the_handler_of_its_base() -> None:
    async with open_system() as system:
        counter = await system.start(Counter)
        assert await counter.ask(AddTwice(2)) == 2
        assert await counter.ask(AddTwice(2)) == 4


def test_a_handler_is_still_a_method() -> None:
    assert Parrot().speak(Speak("coffee")) == "coffee"


def test_two_handlers_for_one_message_in_one_class_are_refused() -> None:
    def make() -> type[Actor]:
        class Confused(Actor):
            @Speak.handler
            def one(self, _message: Speak) -> str:
                return ""

            @Speak.handler
            def two(self, _message: Speak) -> str:
                return ""

        return Confused

    with pytest.raises(TypeError, match="Confused handles Speak twice: one, two"):
        make()


def test_one_handler_for_two_messages_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Parrot\.speak handles a message already"):
        Speak.handler(Parrot.speak)


def test_a_deferred_handler_must_be_a_plain_def() -> None:
    async def speak(_parrot: Parrot, _message: Speak, _reply: Reply[str]) -> None: ...

    untyped: Any = speak
    with pytest.raises(TypeError, match="speak is deferred, and so must be a plain def"):
        Speak.deferred(untyped)


@dataclass(frozen=True, slots=True)
class List(Message["Shop", Iterator[str]]):
    """Answered with an iterator; for a checker, a generator is one."""


def as_a_list(function: Callable[P, Iterator[str]]) -> Callable[P, Iterator[str]]:
    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Iterator[str]:
        return iter(list(function(*args, **kwargs)))

    return wrapper


class Shop(Actor):
    @List.handler
    @as_a_list
    def list(self, _message: List) -> Iterator[str]:
        yield "coffee"
        yield "tea"


def test_a_handler_that_yields_is_refused_where_its_class_is_defined() -> None:
    def generator() -> type[Actor]:
        class Streaming(Actor):
            @List.handler
            def list(self, _message: List) -> Iterator[str]:
                yield "coffee"

        return Streaming

    def async_generator() -> type[Actor]:
        class Streaming(Actor):
            @Speak.handler  # type: ignore[arg-type]  # checkers reject it, too
            async def list(self, _message: Speak) -> AsyncIterator[str]:
                yield "coffee"

        return Streaming

    def deferred() -> type[Actor]:
        class Streaming(Actor):
            @List.deferred  # type: ignore[arg-type]  # as above
            def list(self, _message: List, reply: Reply[Iterator[str]]) -> Iterator[None]:
                yield
                reply.send(iter(()))

        return Streaming

    def override() -> type[Actor]:
        class Streaming(Shop):
            def list(self, _message: List) -> Iterator[str]:
                yield "milk"

        return Streaming

    for define in (generator, async_generator, deferred, override):
        with pytest.raises(TypeError, match=r"Streaming\.list yields, but a handler answers once"):
            define()


async def test_a_decorator_may_turn_a_generator_into_an_answer() -> None:
    async with open_system() as system:
        shop = await system.start(Shop)
        assert list(await shop.ask(List())) == ["coffee", "tea"]


def test_an_actor_that_was_not_started_has_no_timers() -> None:
    with pytest.raises(ActorError, match="Counter sets a timer before it is started"):
        Counter().after(1, print)
