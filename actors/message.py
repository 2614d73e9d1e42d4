"""Messages, which name their owner and their answer, and the table of an actor's handlers.

The one rule: a message's type parameters are all that a checker needs. `Add.handler` accepts a
method only if it answers what `Add` promises, and `Ref.ask` accepts `Add` only for its owner.

The decorators return the method as it is, with a mark. When an actor class is defined, `Handlers`
collects the marks into its table. A method overridden in a subclass keeps the messages of the
method that it replaces, whether or not it is decorated again.
"""

import inspect
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import trio

from actors.errors import ActorError

if TYPE_CHECKING:
    from actors.ref import Reply

# Explicit and contravariant, because PEP 695 infers the wrong variance for a parameter that only
# `Ref.ask` uses: a message that any Base understands may be sent to a Derived.
Owner = TypeVar("Owner", contravariant=True)  # noqa: PLC0105 - read by users, in every error
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
# Free, not bound to Owner: else overriding a handler in a subclass would not type-check.
S = TypeVar("S")

MARK = "__handles__"


class Question(Generic[Owner, R_co]):
    """A message as its asker sees it: covariant in the answer, so an int may be used as an object.

    To its handler and to a reply, a message is invariant in its answer. With that alone, mypy would
    reject `print(await counter.ask(Add()))`: it infers R as the `object` that print accepts.
    """

    __slots__ = ()


class Message(Question[Owner, R]):
    """A message to an `Owner`, which answers with an `R`. Subclass it as a frozen dataclass.

    Sending it to an actor without a handler for it raises ActorError. A test finds that earlier:
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
        """Mark the method that gets a `Reply`, with which it answers this message now or later."""
        if inspect.iscoroutinefunction(method):
            raise TypeError(f"{method.__qualname__} is deferred, and so must be a plain def")
        return mark(method, cls, deferred=True)


F = TypeVar("F", bound=Callable[..., Any])


def mark(method: F, message: type[Message[Any, Any]], *, deferred: bool) -> F:
    """Note on the method which message it handles."""
    if hasattr(method, MARK):
        raise TypeError(f"{method.__qualname__} handles a message already")
    setattr(method, MARK, (message, deferred))
    return method


class Kind(Enum):
    """How a handler answers."""

    PLAIN = auto()
    ASYNC = auto()
    DEFERRED = auto()


@dataclass(frozen=True, slots=True)
class Handler:
    """One method, as a function that is called with its instance."""

    kind: Kind
    function: Callable[..., Any]


class Handlers(dict[type, Handler]):
    """The handlers of an actor class by type of message.

    The handler of a subtype of a message is found through its bases, and cached.
    """

    def __init__(self, actor: type) -> None:
        super().__init__()
        self._actor = actor.__name__
        names: dict[type, tuple[str, bool]] = {}
        for owner in reversed(actor.__mro__):
            names |= marked(owner)
        for message, (name, deferred) in names.items():
            path = f"{actor.__name__}.{name}"
            self[message] = make_handler(getattr(actor, name), path, deferred=deferred)

    def check(self, message: object) -> None:
        """Raise ActorError if there is no handler for the message."""
        _ = self[type(message)]

    def __missing__(self, message: type) -> Handler:
        for base in message.__mro__[1:]:
            if base in self:
                self[message] = self[base]
                return self[message]
        raise ActorError(f"{self._actor} has no handler for {message.__name__}")


def marked(owner: type) -> dict[type, tuple[str, bool]]:
    """Return the names and marks of the handlers that a class itself defines, by message type."""
    names: dict[type, tuple[str, bool]] = {}
    for name, method in vars(owner).items():
        message, deferred = getattr(method, MARK, (None, False))
        if message in names:
            first = names[message][0]
            raise TypeError(f"{owner.__name__} handles {message.__name__} twice: {first}, {name}")
        if message is not None:
            names[message] = (name, deferred)
    return names


def make_handler(function: Callable[..., Any], path: str, *, deferred: bool) -> Handler:
    """Return a function as a handler of its kind; raise TypeError if it is a generator."""
    # Not unwrapped: a decorator may combine all that a method yields into one answer.
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{path} yields, but a handler answers once, with what it returns")
    if isinstance(function, FunctionType):
        # Ctrl-C may interrupt it, though the code that calls it is protected: see user_code.py.
        trio.lowlevel.disable_ki_protection(function)
    if deferred:
        return Handler(Kind.DEFERRED, function)
    unwrapped = inspect.unwrap(function)
    if inspect.iscoroutinefunction(unwrapped):
        return Handler(Kind.ASYNC, function)
    never_async = is_annotated_as_plain(unwrapped)
    return Handler(Kind.PLAIN, function if never_async else refuse_coroutine(function, path))


def is_annotated_as_plain(function: Callable[..., Any]) -> bool:
    """Return whether a plain handler's annotation says that its answer is no coroutine.

    Only the answers of other handlers are checked, so the check costs annotated handlers nothing.
    """
    # A decorator's wrapper is no method, and its annotation says little.
    if "." not in getattr(function, "__qualname__", "").rpartition("<locals>.")[2]:
        return False
    try:
        returned = str(function.__annotations__["return"])
    except (KeyError, NameError):  # NameError: evaluated only now, from Python 3.14 on
        return False
    return re.search("Any|Awaitable|Coroutine", returned) is None


def refuse_coroutine(function: Callable[..., Any], path: str) -> Callable[..., Any]:
    """Wrap a plain handler to raise TypeError if it returns a coroutine, which is not awaited."""

    def answer(instance: object, message: object) -> Any:
        answered = function(instance, message)
        if inspect.iscoroutine(answered):
            answered.close()
            raise TypeError(
                f"{path} answers with a coroutine: make it an async def; "
                "a decorator around one needs functools.wraps"
            )
        return answered

    return answer
