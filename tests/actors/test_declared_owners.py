"""However a message names its owner, the owner needs a handler for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar, Union

from actors import Actor, Message
from tests.actors.starting import start, why_refused

R = TypeVar("R")
Whose = TypeVar("Whose", contravariant=True)  # noqa: PLC0105 - as Message's own


class Plant(Actor):
    """Is there before its messages are."""


@dataclass(frozen=True, slots=True)
class Water(Message[Plant, int]):
    """Names its owner by class."""


class Fern(Plant):
    @Water.handler
    def water(self, _message: Water) -> int:
        return 1


async def test_an_owner_can_be_named_by_class() -> None:
    assert "Plant has no handler for Water," in await why_refused(Plant)
    await start(Fern)


class Query(Message["Shelf", R], Generic[R]):
    """A question, whose answer is of any type."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Count(Query[int]):
    """Forgotten by Shelf."""


class Shelf(Actor):
    """Handles nothing."""


class CountingShelf(Shelf):
    @Count.handler
    def count(self, _message: Count) -> int:
        return 0


async def test_an_owner_is_inherited_from_a_generic_message() -> None:
    assert "Shelf has no handler for Count," in await why_refused(Shelf)
    await start(CountingShelf)


class Command(Message[Whose, None], Generic[R, Whose]):
    """Has an owner only in what derives from it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Open(Command[int, "Gate"]):
    """Forgotten."""


class Gate(Actor):
    """Handles nothing."""


async def test_an_owner_is_filled_in_for_a_generic_message() -> None:
    assert "Gate has no handler for Open," in await why_refused(Gate)


@dataclass(frozen=True, slots=True)
class Knock(Message[Union["Hatch", "Flap"], None]):
    """Has two owners."""


@dataclass(frozen=True, slots=True)
class Lock(Message["Hatch | Flap", None]):
    """Has two owners as well."""


class Hatch(Actor):
    """Handles nothing."""


class Flap(Actor):
    """Handles nothing."""


async def test_a_message_of_two_owners_needs_a_handler_in_each() -> None:
    assert "Hatch has no handler for Knock, Lock," in await why_refused(Hatch)
    assert "Flap has no handler for Knock, Lock," in await why_refused(Flap)


class Box(Actor, Generic[R]):
    """Handles nothing."""


@dataclass(frozen=True, slots=True)
class Put(Message["Box[Nobody]", None]):
    """Names its owner in quotes, with a type parameter."""


@dataclass(frozen=True, slots=True)
class Take(Message[Box[str], None]):
    """Names its owner without quotes, with a type parameter."""


async def test_an_owner_can_be_named_with_its_type_parameters() -> None:
    assert "Box has no handler for Put, Take," in await why_refused(Box)


class Lamp(Actor):
    """Owns nothing."""


class House(Actor):
    """Holds its messages, and another actor with its own."""

    @dataclass(frozen=True, slots=True)
    class Enter(Message["House", None]):
        """Forgotten."""

    @dataclass(frozen=True, slots=True)
    class Feed(Message["Lamp", None]):
        """Means the Lamp beside it."""

    class Lamp(Actor):
        """Not the module's Lamp."""


async def test_a_message_can_stand_in_a_class() -> None:
    assert "House has no handler for Enter," in await why_refused(House)
    assert "Lamp has no handler for Feed," in await why_refused(House.Lamp)
    await start(Lamp)


class Named:
    """Is not a message itself."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Ring(Named, Message["Phone", None]):
    """Is more than a message."""


class Phone(Actor):
    """Handles nothing."""


async def test_a_message_can_have_other_bases() -> None:
    assert "Phone has no handler for Ring," in await why_refused(Phone)


# Checkers reject it and the next, but they run.
class Anything(Message):  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument]
    """Does not say whose it is."""


class Something(Command):  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument]
    """Does not say it either."""


class Nobody(Actor):
    """Handles nothing."""


async def test_a_message_that_names_no_owner_binds_nobody() -> None:
    await start(Nobody)
