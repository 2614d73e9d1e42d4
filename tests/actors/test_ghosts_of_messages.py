"""Classes that live on when nobody means them any more do not keep an actor from starting."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from actors import Actor, ActorError, Message, open_system
from tests.actors.starting import start

M = TypeVar("M", bound=Message[Any, Any])

ghosts: list[type] = []


def kept(message: type[M]) -> type[M]:
    """Keep a class of messages from the collector: one that nobody sends, or a ghost."""
    ghosts.append(message)
    return message


@dataclass(frozen=True, slots=True)
@kept
class Move(Message["Robot", int]):
    """Not to be sent itself."""


@dataclass(frozen=True, slots=True)
class Walk(Move):
    """What is sent."""


class Robot(Actor):
    @Walk.handler
    def walk(self, _message: Walk) -> int:
        return 1


async def test_the_class_that_a_dataclass_replaces_binds_nobody() -> None:
    assert Move not in ghosts
    await start(Robot)


class Dog(Actor):
    """Handles nothing."""


def teach() -> type[Actor]:
    @dataclass(frozen=True, slots=True)
    class Sit(Message[Dog, None]):
        """Made in a function, to a Dog that was not."""

    class GoodDog(Dog):
        @Sit.handler
        def sit(self, _message: Sit) -> None: ...

    return GoodDog


async def test_a_message_made_in_a_function_binds_no_owner_made_elsewhere() -> None:
    good_dog = teach()
    await start(Dog)
    await start(good_dog)


async def test_a_message_made_in_a_function_is_found_out_by_an_ask() -> None:
    @dataclass(frozen=True, slots=True)
    class Say(Message["Parrot", str]):
        """Forgotten."""

    class Parrot(Actor):
        """Handles nothing."""

    async with open_system() as system:
        parrot = await system.start(Parrot)
        with pytest.raises(ActorError, match="Parrot has no handler for Say"):
            await parrot.ask(Say())


def make(*, talking: bool) -> type[Actor]:
    class Parrot(Actor):
        """Handles nothing."""

    if not talking:
        return Parrot

    @dataclass(frozen=True, slots=True)
    class Say(Message["Parrot", str]):
        """Made in some calls."""

    class TalkingParrot(Actor):
        @Say.handler
        def say(self, _message: Say) -> str:
            return "hello"

    TalkingParrot.__qualname__ = Parrot.__qualname__
    kept(Say)
    return TalkingParrot


async def test_a_message_whose_own_owner_was_collected_binds_no_owner_of_the_next_call() -> None:
    make(talking=True)
    gc.collect()
    await start(make(talking=False))


def make_birds(*, singing: bool) -> type[Actor]:
    @dataclass(frozen=True, slots=True)
    class Chirp(Message["Bird", int]):
        """Made in every call."""

    class Bird(Actor):
        @Chirp.handler
        def chirp(self, _message: Chirp) -> int:
            return 1

    if not singing:
        return Bird

    @dataclass(frozen=True, slots=True)
    class Sing(Message["Bird", int]):
        """Made in some calls."""

    class SingingBird(Bird):
        @Sing.handler
        def sing(self, _message: Sing) -> int:
            return 2

    return SingingBird


async def test_a_message_made_in_another_call_of_the_function_binds_nobody() -> None:
    singing, plain = make_birds(singing=True), make_birds(singing=False)
    await start(plain)
    await start(singing)


async def test_a_message_made_in_a_function_within_binds_no_owner_of_the_function_around() -> None:
    class Host(Actor):
        """Handles nothing."""

    def invite() -> None:
        @dataclass(frozen=True, slots=True)
        class Dine(Message[Host, None]):
            """Made in a function of its own."""

        kept(Dine)

    invite()
    await start(Host)


R = TypeVar("R")


def ask_for() -> Any:
    class Dog(Actor):
        """Hides the module's."""

    class Question(Message["Dog", R], Generic[R]):
        """To the Dog of this function."""

        __slots__ = ()

    ghosts.append(Dog)
    return Question


question = ask_for()


class Fetch(question):  # type: ignore[misc, valid-type]  # it runs, if no checker can follow
    """Of the module, with an owner that was named in a function."""


async def test_a_name_that_was_written_in_a_function_means_nothing_outside() -> None:
    await start(Dog)
