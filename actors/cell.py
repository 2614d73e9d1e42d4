"""Cell: what stands between a Ref and the instance behind it: mailbox, loop, restarts, end.

The one rule: whatever happens in a turn, its asker is settled.

A turn is one plain call into the instance: a plain or deferred handler, a timer's callback, or the
word that an asker has gone. Turns never overlap. An async handler is not a turn: while it is
suspended other messages and timers wait, and only the word that an asker has gone gets through.
"""

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Generic, TypeVar

import outcome
import trio

from actors.actor import Actor
from actors.conversation import Conversation
from actors.envelope import Envelope
from actors.errors import ActorCrashed, ActorError, ActorStopped, Refusal, caused, fresh
from actors.handlers import Kind
from actors.life import Life
from actors.mailbox import Mailbox
from actors.ref import Ref
from actors.restart import Budget, Restart
from actors.statistics import ActorState, ActorStatistics, Counts
from actors.timers import Timers

A = TypeVar("A", bound=Actor)

# Messages taken in one go, without letting other tasks run.
MESSAGES_PER_CHECKPOINT = 64
_LOG = logging.getLogger("actors")


class Cell(Generic[A]):
    """One actor, through all its restarts."""

    def __init__(
        self,
        name: str,
        factory: Callable[[], A],
        mailbox: int,
        restart: Restart,
        nursery: trio.Nursery,
    ) -> None:
        self.name = name
        self.ref: Ref[A] = Ref(self)
        self.state: ActorState = "running"
        self.mailbox = Mailbox(name, mailbox)
        self.stopped = trio.Event()
        self.failure: ActorError | None = None
        self._factory = factory
        self._budget = Budget(restart)
        self._nursery = nursery
        # Shielded, so that not the outside but `kill` ends the actor, when its turn has come.
        self._scope = trio.CancelScope(shield=True)
        self._counts = Counts()
        self._in_turn = False
        self._turns: deque[Callable[[], None]] = deque()
        self._conversation: Conversation | None = None

    def begin(self, instance: A) -> None:
        """Start a life with this instance, or raise what its `on_start` raises."""
        timers = Timers(self._nursery, self.turn, busy=lambda: self._conversation is not None)
        life = Life(instance, timers, self.turn, self._counts)
        life.begin()
        self._life = life
        self.handlers = life.handlers

    def close(self) -> None:
        """Take no more messages; the loop ends when it has handled those that are there."""
        if self.state == "running":
            self.state = "stopping"
            self.mailbox.close()

    def kill(self) -> None:
        """Take no more messages, and end without handling the rest."""
        self.close()
        self._scope.cancel()

    async def run(self) -> None:
        """Handle messages until there are no more to come, then end."""
        try:
            with self._scope, suppress(trio.EndOfChannel):
                while self.failure is None:
                    await self._handle_some()
        finally:
            self._end()

    async def _handle_some(self) -> None:
        """Wait for a message, and handle it and what is behind it, up to a budget."""
        envelope: Envelope | None = await self.mailbox.take()
        budget = MESSAGES_PER_CHECKPOINT
        while envelope is not None:
            if not self._handle(envelope):
                await self._converse(envelope)
            budget -= 1
            envelope = self.mailbox.take_nowait() if budget and self.failure is None else None

    def _handle(self, envelope: Envelope) -> bool:
        """Handle a message as one turn; False: it wants an async handler."""
        if envelope.abandoned:
            self._counts.skipped += 1
            return True
        message = envelope.message
        handler = self.handlers[type(message)]
        if handler.kind is Kind.ASYNC:
            return False
        self._in_turn = True
        try:
            if handler.kind is Kind.PLAIN:
                answer = handler.function(self._life.instance, message)
                envelope.settle(outcome.Value(answer))
            else:
                handler.function(self._life.instance, message, self._life.owe(envelope))
            self._counts.handled += 1
        except Refusal as refusal:
            self._refuse(refusal, envelope)
        except Exception as cause:  # noqa: BLE001 - a crash is whatever a handler raises
            self._crash(cause, envelope)
        except BaseException:
            envelope.settle(outcome.Error(ActorStopped(self.name)))
            raise
        self._in_turn = False
        if self._turns:
            self._take_turns()
        return True

    async def _converse(self, envelope: Envelope) -> None:
        """Handle a message with an async handler, then the timers that it kept waiting."""
        function = self.handlers[type(envelope.message)].function
        self._conversation = conversation = Conversation(envelope)
        try:
            if await conversation.hold(function(self._life.instance, envelope.message)):
                self._counts.handled += 1
            else:
                self._counts.skipped += 1
        except Refusal as refusal:
            self._refuse(refusal, envelope)
        except Exception as cause:  # noqa: BLE001 - a crash is whatever a handler raises
            self._crash(cause, envelope)
        except BaseException:
            envelope.unwound(ActorStopped(self.name))
            raise
        finally:
            self._conversation = None
        await self._life.timers.catch_up()

    def turn(self, callback: Callable[[], None]) -> None:
        """Run the callback as a turn: at once, or right after the turn that is under way."""
        self._turns.append(callback)
        if not self._in_turn:
            self._take_turns()

    def _take_turns(self) -> None:
        conversation = self._conversation
        while self._turns:
            callback = self._turns.popleft()
            self._in_turn = True
            try:
                callback()
            except Refusal:
                self._counts.refused += 1
            except Exception as cause:  # noqa: BLE001 - as above
                if conversation is None:
                    self._crash(cause, None)
                else:
                    self._silence()
                    conversation.interrupt(cause)
            self._in_turn = False

    def _refuse(self, refusal: Refusal, envelope: Envelope) -> None:
        self._counts.refused += 1
        envelope.settle(outcome.Error(fresh(refusal)))

    def _crash(self, cause: Exception, envelope: Envelope | None) -> None:
        """End this life and begin another; only then fail those who waited for it."""
        _LOG.error("%s crashed", self.name, exc_info=cause)
        dead = self._life
        if envelope is not None:
            dead.duties.add(envelope)
        self._silence()
        try:
            self._restart(cause)
        finally:
            dead.fail(caused(ActorCrashed(self.name), cause))

    def _silence(self) -> None:
        self._life.silence()
        self._turns.clear()

    def _restart(self, cause: Exception) -> None:
        self._counts.crashed += 1
        while self._budget.spend(trio.current_time()):
            try:
                self.begin(self._factory())
            except Exception as error:  # noqa: BLE001 - a start that fails is one more crash
                _LOG.error("%s crashed as it was restarted", self.name, exc_info=error)
                self._counts.crashed += 1
                cause = error
            else:
                self._counts.restarts += 1
                return
        self.failure = caused(self._budget.exceeded(self.name), cause)
        self.close()

    def _end(self) -> None:
        """Fail what is queued, let the instance say goodbye, and fail what it still owes."""
        self.close()
        # What happens now happens too late for the instance to be told.
        self._in_turn = True
        stopped = ActorStopped(self.name)
        self.mailbox.fail_rest(stopped)
        if self.failure is None:
            try:
                self._life.instance.on_stop()
            except Exception as cause:  # noqa: BLE001 - as in any turn
                _LOG.error("%s crashed as it stopped", self.name, exc_info=cause)
                self.failure = caused(ActorCrashed(self.name), cause)
        self._silence()
        self._life.fail(stopped)
        # A Ref may be kept for long; what is behind it is not.
        del self._life
        self.state = "stopped"
        self.stopped.set()

    def statistics(self) -> ActorStatistics:
        """Return what can be seen from outside."""
        conversation = self._conversation
        return ActorStatistics(
            name=self.name,
            state=self.state,
            queued=len(self.mailbox),
            mailbox=self.mailbox.size,
            busy_since=None if conversation is None else conversation.since,
            **asdict(self._counts),
        )
