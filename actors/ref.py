"""Ref: the only way to an actor.

The one rule: no call here has a time-out. The caller's cancel scopes bound it, and the deadline
travels with the message.
"""

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from actors.deadlock import HOST, begin_wait, is_awake
from actors.envelope import Envelope
from actors.errors import ActorStopped, MailboxFull
from actors.handlers import Kind
from actors.message import Message, Question, R
from actors.statistics import ActorStatistics

if TYPE_CHECKING:
    from actors.cell import Cell

A_co = TypeVar("A_co", covariant=True)


class Ref(Generic[A_co]):
    """An actor's address. It stays the same while instances of the actor crash and are replaced."""

    __slots__ = ("__weakref__", "_cell")

    def __init__(self, cell: "Cell[Any]") -> None:
        self._cell = cell

    def __repr__(self) -> str:
        return f"<Ref {self._cell.name}, {self._cell.state}>"

    @property
    def name(self) -> str:
        """The name that the actor was started with."""
        return self._cell.name

    @trio.lowlevel.enable_ki_protection
    async def ask(self, message: Question[A_co, R]) -> R:
        """Send the message, waiting for room, and return its answer.

        Raises the handler's Refusal, ActorCrashed or ActorStopped; Deadlock if an async handler
        would so wait for itself; ActorError if the actor has no handler for the message. Cancelled
        while the message is queued, it never runs; while an async handler runs, this raises once
        that has unwound, or returns what it answers all the same; a reply that is kept hears of it
        at once. An async handler is bounded by the deadline that holds now: if that is put off
        meanwhile, this raises trio.TooSlowError.
        """
        cell = self._cell
        kind = cell.handlers[type(message)].kind
        deadline = trio.current_effective_deadline() if kind is Kind.ASYNC else math.inf
        envelope = Envelope(message, trio.lowlevel.current_task(), deadline)
        # One that has been closed tells so at once.
        wait = (
            None
            if HOST.get() is None or cell.mailbox.closed
            else begin_wait(cell, envelope.may_be_settled)
        )
        try:
            try:
                cell.mailbox.post_nowait(envelope)
            except MailboxFull:
                envelope.parked = False
            except ActorStopped:
                # Whoever asks again and again until there is an answer lets others run meanwhile.
                await trio.lowlevel.checkpoint()
                raise
            if not envelope.parked:
                await cell.mailbox.post(envelope)
                envelope.parked = envelope.outcome is None
            if cell.instruments is not None:
                cell.instruments.enqueued(self, envelope.message)
            if envelope.overdue:
                await trio.lowlevel.checkpoint_if_cancelled()
            answer: R = (
                await trio.lowlevel.wait_task_rescheduled(envelope.abort)
                if envelope.outcome is None
                else envelope.outcome.unwrap()
            )
            return answer
        finally:
            if wait is not None:
                wait.end()

    async def tell(self, message: Message[A_co, Any]) -> None:
        """Send the message, waiting for room; nobody waits for its answer, or hears of a crash.

        Raises ActorStopped; Deadlock as `ask` does, if the room would never come.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self.tell_nowait(message)
        except MailboxFull:
            await self._tell_when_there_is_room(message)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def _tell_when_there_is_room(self, message: Message[A_co, Any]) -> None:
        cell = self._cell
        runs_again = partial(is_awake, trio.lowlevel.current_task())
        wait = None if HOST.get() is None else begin_wait(cell, runs_again)
        try:
            await cell.mailbox.post(Envelope(message, None, math.inf))
        finally:
            if wait is not None:
                wait.end()
        if cell.instruments is not None:
            cell.instruments.enqueued(self, message)

    def tell_nowait(self, message: Message[A_co, Any]) -> None:
        """Send the message as `tell` does, but raise MailboxFull where that would wait."""
        cell = self._cell
        cell.handlers.check(message)
        cell.mailbox.post_nowait(Envelope(message, None, math.inf))
        if cell.instruments is not None:
            cell.instruments.enqueued(self, message)

    def stop(self) -> None:
        """Let the actor take no more messages, finish those it has, and stop.

        However long that takes: an async handler that hangs is ended only with the whole system.
        """
        self._cell.close()

    async def wait_stopped(self) -> None:
        """Wait until the actor has stopped, for whatever reason.

        Raises Deadlock in an async handler, but not in its child tasks, if the actor could not stop
        before the handler ends; so always for the handler's own actor.
        """
        cell, host = self._cell, HOST.get()
        waits = host is not None and host.task is trio.lowlevel.current_task()
        wait = begin_wait(cell, cell.stopped.is_set) if waits else None
        try:
            await cell.stopped.wait()
        finally:
            if wait is not None:
                wait.end()

    def statistics(self) -> ActorStatistics:
        """Return what can be seen of the actor from outside, at this moment."""
        return self._cell.statistics()

    def __kind__(self, message: Message[Any, Any]) -> Kind:
        """Tell what kind of handler takes a message. Only instruments of the toolkit call this."""
        return self._cell.handlers[type(message)].kind
