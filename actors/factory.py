"""Factories: how the instance of an actor is made, at a start and at a restart.

The one rule: a factory may wait, and its wait can be cancelled at any time. A factory is called
without arguments and gives an actor, or something to await that gives one. What it waits for is no
crash, however long that takes. An instance is used only if, meanwhile, no crash has occurred that
restarts the actor in any case; otherwise the factory is called again.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar, cast

from actors.actor import Actor
from actors.async_call import AsyncCall
from actors.errors import ActorError
from actors.interrupts import interruptible, interruptible_await

A = TypeVar("A", bound=Actor)

Factory = Callable[[], A | Awaitable[A]]


class FactoryCall(AsyncCall, Generic[A]):
    """Awaits what an async factory has returned."""

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Awaitable[A]) -> None:
        super().__init__()
        self._awaitable = awaitable

    async def hold(self) -> A | None:
        """Return the actor, or None if the call was interrupted; raise what the factory raises."""
        instance: A | None = None
        try:
            with self.scope:
                instance = await interruptible_await(self._awaitable)
                check_actor(instance)
        finally:
            # Ctrl-C may have come before its first step; then Python would warn of it.
            if inspect.iscoroutine(self._awaitable):
                self._awaitable.close()
        return None if self.interrupted else instance


def call_factory(factory: Factory[A]) -> A | FactoryCall[A]:
    """Return the actor that a factory gives, or the call that has yet to be awaited."""
    made = interruptible(factory)
    if is_to_be_awaited(made):
        return FactoryCall(cast("Awaitable[A]", made))
    check_actor(made)
    return cast("A", made)


def is_to_be_awaited(made: object) -> bool:
    """Tell whether a factory is async; an actor may be awaitable itself, and is not awaited."""
    return isinstance(made, Awaitable) and not isinstance(made, Actor)


def check_actor(made: object) -> None:
    """Raise ActorError unless a factory has given an actor."""
    if not isinstance(made, Actor):
        raise ActorError(f"a factory gave {made!r}, which is no actor")
