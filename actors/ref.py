"""Ref, the only way to an actor, and Reply, the duty to answer an ask as a value.

The one rule: no call here has a time-out. The caller's cancel scopes bound it, and the deadline
travels with the message. A reply is used once; `send` returns whether its asker still waited.
"""

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import outcome
import trio

from actors.deadlock import CURRENT_ACTOR, begin_wait, is_awake
from actors.errors import ActorError, ActorStopped, MailboxFull, Refusal
from actors.mailbox import Envelope, Outcome, failure
from actors.message import Kind, Message, Question, R
from actors.monitoring import ActorStatistics
from actors.posted import Posted

if TYPE_CHECKING:
    from actors.cell import Cell

A_co = TypeVar("A_co", covariant=True)
R_contra = TypeVar("R_contra", contravariant=True)


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

    @property
    def messages(self) -> frozenset[type[Message[A_co, Any]]]:
        """The messages that the actor has handlers for."""
        return frozenset(self._cell.handlers)

    @trio.lowlevel.enable_ki_protection
    async def ask(self, message: Question[A_co, R]) -> R:
        """Send the message, waiting for room, and return its answer.

        Raises the handler's Refusal, ActorCrashed or ActorStopped; Deadlock if an async handler
        would thereby wait for itself; ActorError if the actor has no handler for the message.
        If cancelled while the message is queued, it is never handled. If cancelled while an async
        handler runs, that is cancelled too, and this raises once it has unwound, or returns its
        answer if it still gives one. If cancelled while a reply is kept, the reply is abandoned at
        once. The deadline that holds at the call bounds an async handler: if it is extended
        meanwhile, this still raises trio.TooSlowError when the earlier one has passed.
        """
        cell = self._cell
        kind = cell.handlers[type(message)].kind
        deadline = trio.current_effective_deadline() if kind is Kind.ASYNC else math.inf
        envelope = Envelope(message, trio.lowlevel.current_task(), deadline)
        # A closed mailbox refuses at once.
        wait = (
            None
            if CURRENT_ACTOR.get() is None or cell.mailbox.closed
            else begin_wait(cell, envelope.may_be_settled)
        )
        try:
            try:
                cell.mailbox.send_nowait(envelope)
            except MailboxFull:
                envelope.parked = False
            except ActorStopped:
                # A task that retries in a loop lets others run meanwhile.
                await trio.lowlevel.checkpoint()
                raise
            if not envelope.parked:
                await cell.mailbox.send(envelope)
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

    @trio.lowlevel.enable_ki_protection
    def post(
        self, message: Question[A_co, Any], on_outcome: Callable[[Outcome], Any]
    ) -> Callable[[], None]:
        """Ask without a waiting task: call `on_outcome` with what `ask` would return or raise.

        This saves a gateway with thousands of open asks a task for each. The callback runs where
        the ask is settled, usually in a turn of the actor, so it must not wait or raise. Returns a
        function that cancels the ask, as cancelling `ask` does; the callback is not called after
        that. Raises MailboxFull or ActorStopped; ActorError if the actor has no handler for the
        message.
        """
        cell = self._cell
        cell.handlers.check(message)
        posted = Posted(message, on_outcome)
        cell.mailbox.send_nowait(posted)
        if cell.instruments is not None:
            cell.instruments.enqueued(self, posted.message)
        return posted.cancel

    async def tell(self, message: Message[A_co, Any]) -> None:
        """Send the message, waiting for room, but not for its answer; a crash is not reported.

        Raises ActorStopped and ActorError as `ask` does; Deadlock if there could never be room.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self.tell_nowait(message)
        except MailboxFull:
            await self._tell_when_there_is_room(message)
        except ActorStopped:
            # As in `ask`.
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def _tell_when_there_is_room(self, message: Message[A_co, Any]) -> None:
        cell = self._cell
        runs_again = partial(is_awake, trio.lowlevel.current_task())
        wait = begin_wait(cell, runs_again)
        try:
            await cell.mailbox.send(Envelope(message, None, math.inf))
        finally:
            if wait is not None:
                wait.end()
        if cell.instruments is not None:
            cell.instruments.enqueued(self, message)

    def tell_nowait(self, message: Message[A_co, Any]) -> None:
        """Send the message as `tell` does, but raise MailboxFull where that would wait."""
        cell = self._cell
        cell.handlers.check(message)
        cell.mailbox.send_nowait(Envelope(message, None, math.inf))
        if cell.instruments is not None:
            cell.instruments.enqueued(self, message)

    def stop(self) -> None:
        """Close the mailbox and return; the actor handles the messages in it, and stops.

        Nothing bounds that time: an async handler that hangs ends only with the whole system.
        """
        self._cell.close()

    async def wait_stopped(self) -> None:
        """Wait until the actor has stopped, for whatever reason.

        Raises Deadlock in an async handler, but not in its child tasks, if the actor could not stop
        before the handler ends; so always for the handler's own actor.
        """
        cell, current = self._cell, CURRENT_ACTOR.get()
        waits = current is not None and current.task is trio.lowlevel.current_task()
        wait = begin_wait(cell, cell.stopped.is_set) if waits else None
        try:
            await cell.stopped.wait()
        finally:
            if wait is not None:
                wait.end()

    def statistics(self) -> ActorStatistics:
        """Return the actor's state and counts at this moment."""
        return self._cell.statistics()

    def __kind__(self, message: Message[Any, Any]) -> Kind:
        """Return what kind of handler a message has. Only instruments of the toolkit call this."""
        return self._cell.handlers[type(message)].kind


@dataclass(slots=True, weakref_slot=True, eq=False, repr=False)
class Reply(Generic[R_contra]):
    """Answers one ask, later. If it is dropped unanswered, the ask fails once it is collected.

    That is at once, unless the reply is in a reference cycle, for instance with a callback that
    holds it. Use it in trio's thread; other threads have to use `trio.from_thread.run_sync`.
    """

    _envelope: Envelope
    _answered: bool = False
    _callback: Callable[[], None] | None = None

    def send(self, answer: R_contra) -> bool:
        """Answer; return False if the ask was cancelled or failed, or the message was told.

        Raises ActorError if the reply was used before.
        """
        return self._settle(outcome.Value(answer))

    def fail(self, error: Exception) -> bool:
        """Raise the error, usually a `Refusal`, in the asker; return as `send` does.

        A Refusal or an ActorError is copied, so that one may fail many replies. Any other exception
        must be made for one reply: if several tasks raised it, it would show the frames of all.
        """
        delivered = self._settle(failure(error))
        if delivered and isinstance(error, Refusal) and self._envelope.instance is not None:
            self._envelope.instance.refused(error, self._envelope.message)
        return delivered

    def on_abandoned(self, callback: Callable[[], None]) -> None:
        """Run the callback, once, as soon as the ask is cancelled unanswered.

        It runs synchronously inside the cancellation, as a turn of the actor that got the ask: at
        once, even while an async handler of that actor is suspended, but never inside another turn.
        After a deadline it runs outside of any task, so `trio.lowlevel.current_task()` fails.
        """
        self._callback = callback
        self._envelope.reply = weakref.ref(self)
        if self._envelope.abandoned and self._envelope.instance is not None:
            self._envelope.instance.abandoned(self._envelope)

    def __abandoned__(self) -> None:
        """Run the callback. Only `Instance` calls this, as a turn."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    @trio.lowlevel.enable_ki_protection
    def _settle(self, result: Outcome) -> bool:
        if self._answered:
            raise ActorError(f"{type(self._envelope.message).__name__} is answered twice")
        delivered = self._envelope.settle(result)
        self._answered = True
        if not self._envelope.abandoned:
            # It usually holds this reply, and will not be called.
            self._callback = None
        return delivered

    def __del__(self) -> None:
        envelope = self._envelope
        if envelope.asker is not None and envelope.instance is not None:
            envelope.instance.dropped(envelope)
