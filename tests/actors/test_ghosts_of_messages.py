"""Classes that live on when nobody means them any more do not keep an actor from starting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from actors import Actor, Message
from tests.actors.starting import start, why_refused

M = TypeVar("M", bound=Message[Any, Any])

ghosts: list[type[Message[Any, Any]]] = []


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


def make(*, talking: bool) -> type[Actor]:
    @dataclass(frozen=True, slots=True)
    class Say(Message["Parrot", str]):
        """Made in a function, as its owner."""

    class Parrot(Actor):
        """Handles nothing."""

    class TalkingParrot(Parrot):
        @Say.handler
        def say(self, _message: Say) -> str:
            return "hello"

    # Else it may be collected before the Parrot is started.
    kept(Say)
    return TalkingParrot if talking else Parrot


async def test_classes_made_in_a_function_are_checked() -> None:
    assert "Parrot has no handler for Say," in await why_refused(make(talking=False))


async def test_classes_made_in_a_function_twice_do_not_bind_each_other() -> None:
    first, second = make(talking=True), make(talking=True)
    await start(first)
    await start(second)


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


async def test_a_message_in_a_class_in_a_function_is_checked() -> None:
    class House(Actor):
        """Holds its message, and another actor with its own."""

        @dataclass(frozen=True, slots=True)
        class Enter(Message["House", None]):
            """Forgotten."""

        @dataclass(frozen=True, slots=True)
        class Feed(Message["Cat", None]):
            """Means the Cat beside it."""

        class Cat(Actor):
            """Handles nothing."""

    assert "House has no handler for Enter," in await why_refused(House)
    assert "Cat has no handler for Feed," in await why_refused(House.Cat)


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


async def test_a_message_in_a_class_in_a_function_within_is_checked() -> None:
    def build() -> type[Actor]:
        class Guest(Actor):
            """Handles nothing."""

        class Menu:
            """Holds a message to the Guest beside it."""

            @dataclass(frozen=True, slots=True)
            class Choose(Message["Guest", None]):
                """Forgotten."""

        kept(Menu.Choose)
        return Guest

    assert "Guest has no handler for Choose," in await why_refused(build())
