"""The table of an actor class: which method takes which message. Built once, with the class.

A method overridden in a subclass keeps the messages of the method that it replaces, as methods do,
whether or not it is decorated again.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from actors.errors import ActorError
from actors.interrupts import let_interrupt
from actors.message import MARK


class Kind(Enum):
    """How a handler answers."""

    PLAIN = auto()
    ASYNC = auto()
    DEFERRED = auto()


@dataclass(frozen=True, slots=True)
class Handler:
    """One method, as a function that still wants its instance."""

    kind: Kind
    function: Callable[..., Any]


class Handlers(dict[type, Handler]):
    """Handlers by type of message; a subtype is found by its bases, once, and remembered."""

    def __init__(self, actor: type) -> None:
        super().__init__()
        self._actor = actor.__name__
        names: dict[type, tuple[str, bool]] = {}
        for owner in reversed(actor.__mro__):
            names |= marked(owner)
        for message, (name, deferred) in names.items():
            path = f"{actor.__name__}.{name}"
            self[message] = handler(getattr(actor, name), path, deferred=deferred)

    def check(self, message: object) -> None:
        """Raise ActorError if no handler takes the message."""
        _ = self[type(message)]

    def __missing__(self, message: type) -> Handler:
        for base in message.__mro__[1:]:
            if base in self:
                self[message] = self[base]
                return self[message]
        raise ActorError(f"{self._actor} has no handler for {message.__name__}")


def marked(owner: type) -> dict[type, tuple[str, bool]]:
    """Return what the methods that a class itself defines are marked with, by type of message."""
    names: dict[type, tuple[str, bool]] = {}
    for name, method in vars(owner).items():
        message, deferred = getattr(method, MARK, (None, False))
        if message in names:
            first = names[message][0]
            raise TypeError(f"{owner.__name__} handles {message.__name__} twice: {first}, {name}")
        if message is not None:
            names[message] = (name, deferred)
    return names


def handler(function: Callable[..., Any], path: str, *, deferred: bool) -> Handler:
    """Tell what kind of handler a function is; raise TypeError if it yields."""
    # Not unwrapped: a decorator may make one answer of all that a method yields.
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{path} yields, but a handler answers once, with what it returns")
    let_interrupt(function)
    if deferred:
        return Handler(Kind.DEFERRED, function)
    written = inspect.unwrap(function)
    if inspect.iscoroutinefunction(written):
        return Handler(Kind.ASYNC, function)
    return Handler(Kind.PLAIN, function if is_vouched_for(written) else checked(function, path))


def is_vouched_for(function: Callable[..., Any]) -> bool:
    """Tell whether a plain handler says that its answer is no coroutine, as checkers can see.

    All others are checked at each answer, which costs those that are annotated nothing.
    """
    # A decorator's wrapper is no method, and its annotation says little.
    if "." not in getattr(function, "__qualname__", "").rpartition("<locals>.")[2]:
        return False
    try:
        returned = str(function.__annotations__["return"])
    except (KeyError, NameError):  # NameError: evaluated only now, from Python 3.14 on
        return False
    return re.search("Any|Awaitable|Coroutine", returned) is None


def checked(function: Callable[..., Any], path: str) -> Callable[..., Any]:
    """Let a plain handler that answers with a coroutine crash, for nobody would await it."""

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
