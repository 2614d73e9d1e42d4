"""A front's ref of an actor in the house.

Rule: it is used as any other Ref, but over a network: an ask that is cancelled raises at once, and
its handler may have run. See `house_client.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import trio

from actors import Actor, ActorError, ActorStatistics, Message, Ref
from actors.message import Question
from cafe.bus.codec import answer_of, decoder_of, encode

if TYPE_CHECKING:
    from cafe.bus.house_client import HouseClient

A = TypeVar("A", bound=Actor)
R = TypeVar("R")


class BusRef(Ref[A]):
    """A `Ref[A]` whose actor is in another process."""

    def __init__(self, house: HouseClient, actor: type[A], name: str) -> None:
        # Ref's constructor needs a Cell; every method that reads the cell is overridden here.
        self._house = house
        self._handlers = actor.__actor_handlers__
        self._name = name

    def __repr__(self) -> str:
        return f"<BusRef {self._name}>"

    @property
    def name(self) -> str:
        """The name of the actor in the house."""
        return self._name

    @property
    def messages(self) -> frozenset[type[Message[A, Any]]]:
        """The messages that the actor has handlers for."""
        return frozenset(self._handlers)

    async def ask(self, message: Question[A, R]) -> R:
        """Send the message, and return its answer.

        Raises the handler's Refusal; ActorCrashed if the actor crashed, or another house has taken
        over the shop; ActorError if the actor has no handler for the message. Waits as long as
        there is no house, or Redis is away.
        """
        return await self.ask_late(message, None)

    async def ask_late(self, message: Question[A, R], late: Callable[[R], object] | None) -> R:
        """Ask as `ask` does; `late` is called with an answer that arrives after a cancellation."""
        kind: type[Any] = type(message)
        self._handlers.check(message)
        read = decoder_of(answer_of(kind))
        answer = await self._house.ask(self._name, kind.__name__, encode(message), read, late)
        return cast("R", answer)

    async def tell(self, message: Message[A, Any]) -> None:
        """Send the message as `tell_nowait` does, after a checkpoint; does not wait for room."""
        await trio.lowlevel.checkpoint()
        self.tell_nowait(message)

    def tell_nowait(self, message: Message[A, Any]) -> None:
        """Send the message without waiting for an answer; raises MailboxFull at MOST_OPEN asks."""
        self._handlers.check(message)
        self._house.tell_nowait(self._name, type(message).__name__, encode(message))

    def post(
        self,
        message: Question[A, Any],  # noqa: ARG002 - a Ref's
        on_outcome: Callable[[Any], Any],  # noqa: ARG002 - a Ref's
    ) -> NoReturn:
        """Raise ActorError: `post` works only in the actor's process."""
        self.stop()

    def stop(self) -> NoReturn:
        """Raise ActorError: only the house can stop the actor."""
        raise ActorError(f"{self._name} is in another process")

    async def wait_stopped(self) -> NoReturn:
        """Raise ActorError: only the house knows when the actor stops."""
        await trio.lowlevel.checkpoint()
        self.stop()

    def statistics(self) -> ActorStatistics:
        """Raise ActorError: the house exposes the statistics."""
        self.stop()
