"""A plain handler that answers with a coroutine crashes, whether or not a checker sees it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import pytest

from actors import Actor, ActorCrashed, Message, open_system

P = ParamSpec("P")
R = TypeVar("R")


def traced(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap the function, as a decorator does that forgets functools.wraps."""

    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return wrapper


def well_traced(function: Callable[P, R]) -> Callable[P, R]:
    return wraps(function)(traced(function))


class Double(Message["Calculator", int]):
    """Handled by a plain def that returns a coroutine."""


class Triple(Message["Calculator", int]):
    """The same, by a decorated handler."""


class Guess(Message["Calculator", int]):
    """The same, without annotations."""


@dataclass(frozen=True, slots=True)
class Square(Message["Calculator", int]):
    """Answered by a decorated handler."""

    number: int


class Cube(Square):
    """The same, by an async handler."""


class Calculator(Actor):
    async def later(self, number: int) -> int:
        return number

    @Double.handler
    def double(self, _message: Double) -> Coroutine[Any, Any, int]:
        return self.later(2)

    @Triple.handler
    @traced
    async def triple(self, _message: Triple) -> int:
        return await self.later(3)

    # As in a program without a type checker.
    @Guess.handler
    def guess(self, _message: Any):  # type: ignore[no-untyped-def]  # noqa: ANN201
        return self.later(4)

    @Square.handler
    @traced
    def square(self, message: Square) -> int:
        return message.number**2

    @Cube.handler
    @well_traced
    async def cube(self, message: Cube) -> int:
        return message.number**3


@pytest.mark.parametrize(
    ("message", "handler"), [(Double(), "double"), (Triple(), "triple"), (Guess(), "guess")]
)
async def test_a_coroutine_as_the_answer_of_a_plain_handler_is_a_crash_that_names_it(
    message: Message[Calculator, int], handler: str
) -> None:
    async with open_system() as system:
        calculator = await system.start(Calculator)
        with pytest.raises(ActorCrashed) as crash:
            await calculator.ask(message)
        cause = crash.value.__cause__
        assert isinstance(cause, TypeError)
        assert f"Calculator.{handler} answers with a coroutine" in str(cause)


async def test_a_decorated_handler_that_returns_no_coroutine_answers() -> None:
    async with open_system() as system:
        calculator = await system.start(Calculator)
        assert await calculator.ask(Square(3)) == 9
        assert await calculator.ask(Cube(3)) == 27
