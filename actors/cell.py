"""Cell: what stands between a Ref and the instance behind it: mailbox, loop, restarts, end.

The one rule: whatever happens in a turn, its asker is settled.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Generic, TypeVar

import outcome
import trio

from actors.actor import Actor
from actors.async_call import AsyncCall
from actors.conversation import Conversation
from actors.deadlock import HOST, Node
from actors.envelope import Envelope
from actors.errors import ActorCrashed, ActorError, ActorStopped, parted
from actors.factory import Factory
from actors.group import Group
from actors.handlers import Handlers, Kind
from actors.instrument import Listeners
from actors.mailbox import Mailbox
from actors.ref import Ref
from actors.restart import Restart
from actors.statistics import ActorState, ActorStatistics, Counts
from actors.supervisor import Supervisor
from actors.turns import Turns

A = TypeVar("A", bound=Actor)

# Messages taken in one go, without letting other tasks run.
MESSAGES_PER_CHECKPOINT = 64


class Cell(Generic[A]):
    """One actor, through all its restarts."""

    def __init__(
        self,
        name: str,
        *,
        factory: Factory[A],
        mailbox: int,
        restart: Restart,
        group: Group,
        nursery: trio.Nursery,
        instruments: Listeners | None,
    ) -> None:
        self.name = name
        self.ref: Ref[A] = Ref(self)
        self.state: ActorState = "running"
        self.mailbox = Mailbox(name, mailbox)
        self.stopped = trio.Event()
        self.instruments = instruments
        self.counts = Counts()
        self.async_call: AsyncCall | None = None
        self.handlers: Handlers
        self.task: trio.lowlevel.Task
        self._supervisor = Supervisor(self, factory, restart, group, nursery)
        # Shielded, so that not the outside but `kill` ends the actor, when its turn has come.
        self._scope = trio.CancelScope(shield=True)
        self._awake = trio.CancelScope()
        self._after: trio.Event | None = None
        self.turns = Turns(self._supervisor.failed)

    def cells(self) -> Iterator["Cell[A]"]:
        """Yield itself, as a group yields its members."""
        yield self

    @property
    def held_up_by(self) -> list[Node]:
        """Whom the next instance waits for."""
        return self._supervisor.held_up_by

    @property
    def fallen(self) -> bool:
        """Whether there is no instance at the moment."""
        return self._supervisor.fall is not None

    @property
    def unwinding(self) -> bool:
        """Whether async code that a crash has interrupted has not ended yet."""
        return self.fallen and self.async_call is not None and self.async_call.interrupted

    @property
    def failure(self) -> ActorError | None:
        """Why the actor has ended for good, other than by being stopped."""
        return self._supervisor.failure

    def begin(self, instance: A) -> None:
        """Start the first life, or raise what its `on_start` raises."""
        self._supervisor.begin(instance)

    def retire(self, crash: ActorCrashed) -> None:
        """Be restarted because of another's crash, after the turn that is under way."""
        self.turns.take(partial(self._supervisor.retire, crash))

    def fell(self) -> None:
        """Be told by the supervisor that the instance is no more."""
        self.turns.drop()
        if self.state == "running":
            self.state = "restarting"
        if self.async_call is None:
            self._awake.cancel()
        else:
            self.async_call.interrupt()

    def close(self) -> None:
        """Take no more messages; the loop ends when it has handled those that are there."""
        if self.state in ("running", "restarting"):
            self.state = "stopping"
            self.mailbox.close()
        unwinds = isinstance(self.async_call, Conversation)
        if self.fallen and not unwinds and not len(self.mailbox):
            # There is nothing left to be restarted for.
            self._scope.cancel()

    def kill(self, after: trio.Event | None) -> None:
        """Take no more messages, and end without handling the rest, after another has ended."""
        self._after = after
        self.close()
        self._scope.cancel()

    def fail_rest(self) -> None:
        """Fail whoever waits for an answer, except of a handler that has not unwound yet."""
        self.mailbox.fail_rest(ActorStopped(self.name))
        self._supervisor.fail_rest()

    async def run(self) -> None:
        """Handle messages until there are no more to come, then end."""
        self.task = trio.lowlevel.current_task()
        HOST.set(self)
        try:
            with self._scope, suppress(trio.EndOfChannel):
                while self.failure is None:
                    await self._live()
        finally:
            if self._after is not None:
                with trio.CancelScope(shield=True):
                    await self._after.wait()
            self._end()

    async def _live(self) -> None:
        """Handle messages until the instance falls; then have it replaced."""
        with trio.CancelScope() as self._awake:
            while not self.fallen:
                first = await self.mailbox.take()
                if self.fallen:
                    self.mailbox.put_back(first)
                else:
                    await self._handle_some(first)
        await self._supervisor.rise()
        if self.state == "restarting":
            self.state = "running"

    async def _handle_some(self, envelope: Envelope | None) -> None:
        """Handle a message and what is behind it, up to a budget."""
        supervisor, instruments = self._supervisor, self.instruments
        budget = MESSAGES_PER_CHECKPOINT
        while envelope is not None:
            if envelope.abandoned:
                self.counts.skipped += 1
            else:
                if instruments is not None:
                    instruments.started(self.ref, envelope.message)
                try:
                    if not self._handle(envelope):
                        await self._converse(envelope)
                finally:
                    if instruments is not None:
                        instruments.finished(self.ref, envelope.message)
            budget -= 1
            goes_on = budget and supervisor.fall is None
            envelope = self.mailbox.take_nowait() if goes_on else None

    def _handle(self, envelope: Envelope) -> bool:
        """Handle a message as one turn; False: it wants an async handler."""
        message = envelope.message
        handler = self.handlers[type(message)]
        if handler.kind is Kind.ASYNC:
            return False
        life = self._supervisor.life
        self.turns.under_way = True
        try:
            if handler.kind is Kind.PLAIN:
                answer = handler.function(life.instance, message)
                envelope.settle(outcome.Value(answer))
            else:
                handler.function(life.instance, message, life.owe(envelope))
            self.counts.handled += 1
        except Exception as error:  # noqa: BLE001 - a crash is whatever a handler raises
            self._supervisor.failed(error, envelope)
        except BaseException:
            envelope.settle(outcome.Error(ActorStopped(self.name)))
            raise
        self.turns.under_way = False
        if self.turns:
            self.turns.take_waiting()
        return True

    async def _converse(self, envelope: Envelope) -> None:
        """Handle a message with an async handler, then the timers that it kept waiting."""
        function = self.handlers[type(envelope.message)].function
        life = self._supervisor.life
        self.async_call = conversation = Conversation(envelope)
        try:
            if await conversation.hold(function(life.instance, envelope.message)):
                self.counts.handled += 1
            elif conversation.interrupted:
                self._supervisor.owe(envelope)
            else:
                self.counts.skipped += 1
        except Exception as error:  # noqa: BLE001 - as above
            self._supervisor.failed(error, envelope)
        except BaseException as error:
            crash, rest = parted(error)
            if crash is None:
                envelope.unwound(self._supervisor.why_gone)
                raise
            self._supervisor.failed(crash, envelope)
            raise rest from None
        finally:
            self.async_call = None
        await life.timers.catch_up()

    def _end(self) -> None:
        """Fail what is queued, let the instance say goodbye, and fail what it still owes."""
        self.close()
        # What happens now happens too late for the instance to be told.
        self.turns.under_way = True
        self.mailbox.fail_rest(ActorStopped(self.name))
        try:
            self._supervisor.end()
        finally:
            # Also as an interrupt leaves `on_stop`: others wait for this.
            self.state = "stopped"
            self.stopped.set()

    def statistics(self) -> ActorStatistics:
        """Return what can be seen from outside."""
        call = self.async_call
        return ActorStatistics(
            name=self.name,
            state=self.state,
            queued=len(self.mailbox),
            mailbox=self.mailbox.size,
            busy_since=None if call is None else call.since,
            **asdict(self.counts),
        )
