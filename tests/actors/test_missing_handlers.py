"""An actor that lacks a handler for one of its messages is refused when it is started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pytest

from actors import Actor, ActorError, Message, open_system
from tests.actors import till
from tests.actors.starting import start, why_refused
from tests.actors.till_messages import Refund, Ring


@dataclass(frozen=True, slots=True)
class Light(Message["Lamp", None]):
    """Handled."""


@dataclass(frozen=True, slots=True)
class Dim(Message["Lamp", int]):
    """Forgotten by Lamp, handled by DimmableLamp."""


class Lamp(Actor):
    @Light.handler
    def light(self, _message: Light) -> None: ...


class DimmableLamp(Lamp):
    @Dim.handler
    def dim(self, _message: Dim) -> int:
        return 1


class BrightLamp(Lamp):
    """Inherits the lack."""


async def test_the_refusal_names_the_actor_and_the_message_and_says_what_to_do() -> None:
    assert await why_refused(Lamp) == (
        "Lamp has no handler for Dim, so it cannot be started: "
        "mark methods of it with @Dim.handler, or with deferred"
    )


async def test_an_actor_that_was_refused_is_refused_again() -> None:
    assert await why_refused(Lamp) == await why_refused(Lamp)


async def test_a_refused_actor_leaves_its_name_free() -> None:
    async with open_system() as system:
        with pytest.raises(ActorError, match="no handler for Dim"):
            await system.start(Lamp, name="lamp")
        lamp = await system.start(DimmableLamp, name="lamp")
        assert await lamp.ask(Dim()) == 1


async def test_a_subclass_needs_the_handlers_that_its_base_lacks() -> None:
    await start(DimmableLamp)
    assert "BrightLamp has no handler for Dim," in await why_refused(BrightLamp)


@dataclass(frozen=True, slots=True)
class Boil(Message["Kettle", None]):
    """Forgotten."""


@dataclass(frozen=True, slots=True)
class Pour(Message["Kettle", int]):
    """Forgotten too."""


class Kettle(Actor):
    """Has no handler at all."""


async def test_all_messages_that_lack_a_handler_are_named_in_one_sentence() -> None:
    assert await why_refused(Kettle) == (
        "Kettle has no handler for Boil, Pour, so it cannot be started: "
        "mark methods of it with @Boil.handler and @Pour.handler, or with deferred"
    )


async def test_an_owner_that_is_imported_for_type_checkers_only_is_found() -> None:
    assert "Till has no handler for Refund," in await why_refused(till.Till)
    await start(till.WholeTill)


class Thief(Actor):
    @Refund.handler
    def refund(self, _message: Refund) -> int:
        return 0


async def test_a_handler_of_somebody_else_does_not_count() -> None:
    await start(Thief)
    assert "Till has no handler for Refund," in await why_refused(till.Till)


class Till(Actor):
    """Takes the place of the real Till in a test."""

    @Ring.handler
    def ring(self, _message: Ring) -> str:
        return "fake"


async def test_an_actor_that_is_only_called_like_the_owner_is_not_refused() -> None:
    await start(Till)


@dataclass(frozen=True, slots=True)
class Turn(Message["Wheel", int]):
    """Handled, and so is what derives from it."""


@dataclass(frozen=True, slots=True)
class TurnTwice(Turn):
    """Taken by the handler of Turn."""


class Wheel(Actor):
    @Turn.handler
    def turn(self, _message: Turn) -> int:
        return 1


async def test_the_handler_of_a_messages_base_is_enough() -> None:
    await start(Wheel)


@dataclass(frozen=True, slots=True)
class Move(Message["Robot", int]):
    """Not to be sent itself."""


@dataclass(frozen=True, slots=True)
class Walk(Move):
    """Handled."""


@dataclass(frozen=True, slots=True)
class Jump(Move):
    """Handled by NimbleRobot."""


class Robot(Actor):
    @Walk.handler
    def walk(self, _message: Walk) -> int:
        return 1


class NimbleRobot(Robot):
    @Jump.handler
    def jump(self, _message: Jump) -> int:
        return 2


async def test_of_messages_that_derive_from_each_other_the_last_need_a_handler() -> None:
    assert "Robot has no handler for Jump," in await why_refused(Robot)
    await start(NimbleRobot)


class Plan(Message["Planner", int], ABC):
    """Cannot be sent, and nothing derives from it yet."""

    __slots__ = ()

    @abstractmethod
    def steps(self) -> int: ...


class Planner(Actor):
    """Has nothing to handle."""


async def test_an_abstract_message_needs_no_handler() -> None:
    await start(Planner)


@dataclass(frozen=True, slots=True)
class Ping(Message[Actor, None]):
    """Goes to any actor, says its type."""


async def test_a_message_to_any_actor_binds_nobody() -> None:
    await start(Wheel)


async def test_a_message_that_is_defined_after_the_start_is_found_out_by_an_ask() -> None:
    class Bell(Actor):
        """Handles nothing."""

    await start(Bell)

    @dataclass(frozen=True, slots=True)
    class Toll(Message[Bell, None]):
        """Comes late."""

    async with open_system() as system:
        bell = await system.start(Bell)
        with pytest.raises(ActorError, match="Bell has no handler for Toll"):
            await bell.ask(Toll())
