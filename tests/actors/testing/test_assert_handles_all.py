"""assert_handles_all finds each message that its owner has no handler for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Generic, TypeVar, Union

import pytest

from actors import Actor, Message
from actors.testing import assert_handles_all
from docs.examples import counter

R = TypeVar("R")
HERE = sys.modules[__name__]


@dataclass(frozen=True, slots=True)
class Light(Message["Lamp", None]):
    """Handled."""


@dataclass(frozen=True, slots=True)
class Dim(Message["Lamp", int]):
    """Forgotten by Lamp, handled by DimmableLamp."""


@dataclass(frozen=True, slots=True)
class Blink(Light):
    """Handled by the handler of Light."""


class Lamp(Actor):
    @Light.handler
    def light(self, _message: Light) -> None: ...


class DimmableLamp(Lamp):
    @Dim.handler
    def dim(self, _message: Dim) -> int:
        return 1


def missing(actor: type[Actor]) -> str:
    with pytest.raises(AssertionError) as raised:
        assert_handles_all(actor, HERE)
    return str(raised.value)


def test_an_actor_that_handles_all_of_its_messages_passes() -> None:
    assert_handles_all(DimmableLamp, HERE)
    assert_handles_all(counter.Counter, HERE, counter)


def test_a_message_without_a_handler_is_named() -> None:
    assert missing(Lamp) == "Lamp has no handler for Dim"


@dataclass(frozen=True, slots=True)
class Boil(Message["Kettle | Pot", None]):
    """Has two owners, in quotes."""


@dataclass(frozen=True, slots=True)
class Pour(Message[Union["Kettle", "Pot"], int]):
    """Has two owners, each in quotes."""


class Kettle(Actor):
    """Has no handler at all."""


class Pot(Kettle):
    @Boil.handler
    def boil(self, _message: Boil) -> None: ...


@dataclass(frozen=True, slots=True)
class Clean(Message[Kettle, None]):
    """Names its owner by class."""


def test_each_of_several_owners_needs_a_handler() -> None:
    assert missing(Kettle) == "Kettle has no handler for Boil, Pour, Clean"
    assert missing(Pot) == "Pot has no handler for Pour, Clean"


class Query(Message["Keeper", R], Generic[R]):
    """A question with an answer of any type, and with no handler: it is never sent itself."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Count(Query[int]):
    """Inherits its owner."""


class Keeper(Actor):
    """Has no handler at all."""


class CountingShelf(Keeper):
    @Count.handler
    def count(self, _message: Count) -> int:
        return 0


class LabelledShelf(CountingShelf):
    """Inherits the handler."""


def test_an_owner_is_inherited_and_only_the_last_of_several_messages_needs_a_handler() -> None:
    assert missing(Keeper) == "Keeper has no handler for Count"
    assert_handles_all(CountingShelf, HERE)
    assert_handles_all(LabelledShelf, HERE)


T = TypeVar("T")
Owner_contra = TypeVar("Owner_contra", contravariant=True)


class Timed(Message[Owner_contra, R], Generic[R, Owner_contra]):
    """Leaves its owner to derived classes, and swaps the parameters."""

    __slots__ = ()


class Delayed(Timed[int, Owner_contra]):
    """Leaves it, too."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Stamp(Timed[int, "Card"]):
    """Names its owner to its base."""


@dataclass(frozen=True, slots=True)
class Punch(Delayed[Union["Card", "Printer"]]):
    """Names two owners to the base of its base."""


class Card(Actor):
    """Has no handler at all."""


class Printer(Actor):
    """Has no handler at all."""


def test_an_owner_may_be_given_to_a_generic_base() -> None:
    assert missing(Card) == "Card has no handler for Stamp, Punch"
    assert missing(Printer) == "Printer has no handler for Punch"


class Box(Actor, Generic[T]):
    """A generic actor; it has no handler at all."""


@dataclass(frozen=True, slots=True)
class Pack(Message[Box[int], None]):
    """Names its owner with a parameter."""


@dataclass(frozen=True, slots=True)
class Unpack(Message["Box[int] | Crate", None]):
    """Names its owner with a parameter, in quotes."""


class Packing(Message[Box[T], None]):
    """Leaves the parameter of its owner to derived classes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Wrap(Packing[str]):
    """Names the parameter of its owner."""


class Crate(Box[int]):
    """A box of something."""

    @Wrap.handler
    def wrap(self, _message: Wrap) -> None: ...


def test_an_owner_may_be_generic() -> None:
    assert missing(Box) == "Box has no handler for Pack, Unpack, Wrap"
    assert missing(Crate) == "Crate has no handler for Pack, Unpack"


class Silent(Actor):
    """Owns no message."""


@dataclass(frozen=True, slots=True)
class Ping(Message[Actor, None]):
    """May be sent to any actor."""


def test_modules_without_a_message_of_the_actor_fail() -> None:
    expected = f"no message in {__name__} names Silent as its owner"
    assert missing(Silent) == expected


def test_a_message_that_a_module_only_imports_is_not_its_own() -> None:
    with pytest.raises(AssertionError, match="names Lamp as its owner"):
        assert_handles_all(Lamp, counter)
