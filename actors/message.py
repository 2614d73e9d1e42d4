"""Messages: frozen values that name their owner and their answer.

The one rule: a message's type parameters are all that a checker needs. `Add.handler` accepts a
method only if it answers what `Add` promises, and `Ref.ask` accepts `Add` only for its owner.

The decorators return the method as it is, with a mark; `handlers.py` reads the marks.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from actors.reply import Reply

# Explicit and contravariant, because PEP 695 infers the wrong variance for a parameter that only
# `Ref.ask` uses: a message that any Base understands may be sent to a Derived.
Owner = TypeVar("Owner", contravariant=True)  # noqa: PLC0105 - read by users, in every error
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
# Free, not bound to Owner: else overriding a handler in a subclass would not type-check.
S = TypeVar("S")

MARK = "__handles__"


class Question(Generic[Owner, R_co]):
    """A message as its asker sees it: whoever gets an int may call it an object.

    As its handler and a reply see it, a message is invariant in its answer. Were that all, mypy
    would reject `print(await counter.ask(Add()))`: it takes R for the `object` that print wants.
    """

    __slots__ = ()


class Message(Question[Owner, R]):
    """What an `Owner` can be asked, and `R`, what it answers. Subclass as a frozen dataclass.

    An actor that has no handler for it raises ActorError in its sender. A test finds that earlier:
    see `actors.testing.assert_handles_all`.
    """

    __slots__ = ()

    @overload
    @classmethod
    def handler(
        cls, method: Callable[[S, Self], Coroutine[Any, Any, R]]
    ) -> Callable[[S, Self], Coroutine[Any, Any, R]]: ...

    @overload
    @classmethod
    def handler(cls, method: Callable[[S, Self], R]) -> Callable[[S, Self], R]: ...

    @classmethod
    def handler(cls, method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Mark the method that answers this message with what it returns.

        A plain def that returns a coroutine, unlike an async def, crashes with a TypeError.
        """
        return mark(method, cls, deferred=False)

    @classmethod
    def deferred(
        cls, method: "Callable[[S, Self, Reply[R]], None]"
    ) -> "Callable[[S, Self, Reply[R]], None]":
        """Mark the method that is given the duty to answer, as a `Reply` that it may keep."""
        if inspect.iscoroutinefunction(method):
            raise TypeError(f"{method.__qualname__} is deferred, and so must be a plain def")
        return mark(method, cls, deferred=True)


F = TypeVar("F", bound=Callable[..., Any])


def mark(method: F, message: type[Message[Any, Any]], *, deferred: bool) -> F:
    """Note on the method which message it takes."""
    if hasattr(method, MARK):
        raise TypeError(f"{method.__qualname__} handles a message already")
    setattr(method, MARK, (message, deferred))
    return method
