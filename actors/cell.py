"""Cell: one actor behind its Ref: its mailbox, its message loop, its restarts and its end.

The one rule: whatever happens in a turn, its asker gets an outcome.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, Generic, TypeVar

import outcome
import trio

from actors.actor import Actor
from actors.deadlock import CURRENT_ACTOR, Node
from actors.errors import ActorCrashed, ActorError, ActorStopped, split_crash
from actors.group import Group
from actors.instance import Factory, Turns
from actors.mailbox import Envelope, Mailbox
from actors.message import Handlers, Kind
from actors.monitoring import ActorState, ActorStatistics, Counts, Listeners
from actors.ref import Ref, Reply
from actors.restart import Restart
from actors.supervisor import Supervisor
from actors.user_code import AsyncCall, HandlerCall

A = TypeVar("A", bound=Actor)

# Messages handled in one go, without letting other tasks run.
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
        ended: Callable[["Cell[Any]"], None],
    ) -> None:
        """Make an actor that `start` starts; `ended` is called at the end of `run`."""
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
        # Shielded: a cancellation from outside does not end the actor; `kill` does, in order.
        self._scope = trio.CancelScope(shield=True)
        self._receiving = trio.CancelScope()
        self._after: trio.Event | None = None
        self._ended = ended
        self.turns = Turns(self._supervisor.handle_error)

    def cells(self) -> Iterator["Cell[A]"]:
        """Yield itself, as a group yields its members."""
        yield self

    @property
    def blocked_by(self) -> list[Node]:
        """What the next instance waits for."""
        return self._supervisor.blocked_by

    @property
    def is_down(self) -> bool:
        """Whether a crash has stopped the instance, and the next has not started."""
        return self._supervisor.stopped_by is not None

    @property
    def unwinding(self) -> bool:
        """Whether async code that a crash has interrupted has not ended yet."""
        return self.is_down and self.async_call is not None and self.async_call.interrupted

    @property
    def failure(self) -> ActorError | None:
        """The error that has ended the actor for good; None if it runs or was stopped."""
        return self._supervisor.failure

    def start(self, actor: A) -> None:
        """Start the first instance, or raise what its `on_start` raises."""
        self._supervisor.start(actor)

    def restart_with(self, crash: ActorCrashed) -> None:
        """Restart because of another actor's crash, after the running turn if there is one."""
        self.turns.run(partial(self._supervisor.restart_with, crash))

    def instance_stopped(self) -> None:
        """Drop the instance's turns, and wake or interrupt the task, which restarts the actor."""
        self.turns.waiting.clear()
        if self.state == "running":
            self.state = "restarting"
        if self.async_call is None:
            self._receiving.cancel()
        else:
            self.async_call.interrupt()

    def close(self) -> None:
        """Close the mailbox; the loop ends when it has handled the messages in it."""
        if self.state in ("running", "restarting"):
            self.state = "stopping"
            self.mailbox.close()
        unwinds = isinstance(self.async_call, HandlerCall)
        if self.is_down and not unwinds and not len(self.mailbox):
            # There is no message left to restart for.
            self._scope.cancel()

    def kill(self, after: trio.Event | None) -> None:
        """Close the mailbox and end without handling the rest, once the event `after` is set."""
        self._after = after
        self.close()
        self._scope.cancel()

    def fail_askers(self) -> None:
        """Fail all unanswered asks, except that of an async handler that has not unwound."""
        self.mailbox.fail_all(ActorStopped(self.name))
        self._supervisor.fail_unanswered()

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Handle messages until the mailbox is closed and empty, then end."""
        self.task = trio.lowlevel.current_task()
        CURRENT_ACTOR.set(self)
        try:
            with self._scope, suppress(trio.EndOfChannel):
                while self.failure is None:
                    await self._handle_messages()
                    await self._supervisor.restart()
                    if self.state == "restarting":
                        self.state = "running"
        finally:
            if self._after is not None:
                with trio.CancelScope(shield=True):
                    await self._after.wait()
            self._end()

    async def _handle_messages(self) -> None:
        """Handle messages until the instance is stopped by a crash."""
        supervisor, mailbox, instruments = self._supervisor, self.mailbox, self.instruments
        budget = 0
        with trio.CancelScope() as self._receiving:
            while supervisor.stopped_by is None:
                if budget:
                    try:
                        envelope = mailbox.arrivals.receive_nowait()
                    except trio.WouldBlock:
                        budget = 0
                        continue
                else:
                    envelope = mailbox.returned or await mailbox.arrivals.receive()
                    mailbox.returned = None
                    if supervisor.stopped_by is not None:
                        mailbox.returned = envelope
                        break
                    budget = MESSAGES_PER_CHECKPOINT
                budget -= 1
                if envelope.abandoned:
                    self.counts.skipped += 1
                    continue
                if instruments is not None:
                    instruments.started(self.ref, envelope.message)
                try:
                    is_done = self._handle(envelope)
                    if not is_done:
                        await self._handle_async(envelope)
                finally:
                    if instruments is not None:
                        instruments.finished(self.ref, envelope.message)
                if not is_done:
                    # An async handler kept timers waiting.
                    await supervisor.instance.timers.catch_up()

    def _handle(self, envelope: Envelope) -> bool:
        """Handle a message as one turn; return False if its handler is async."""
        message = envelope.message
        handler = self.handlers[type(message)]
        if handler.kind is Kind.ASYNC:
            return False
        instance = self._supervisor.instance
        self.turns.running = True
        try:
            if handler.kind is Kind.PLAIN:
                answer = handler.function(instance.actor, message)
                envelope.settle(outcome.Value(answer))
            else:
                if envelope.asker is not None:
                    envelope.instance = instance
                    instance.unanswered.add(envelope)
                handler.function(instance.actor, message, Reply(envelope))
            self.counts.handled += 1
        except Exception as error:  # noqa: BLE001 - a crash is whatever a handler raises
            self._supervisor.handle_error(error, envelope)
        except BaseException:
            envelope.settle(outcome.Error(ActorStopped(self.name)))
            raise
        self.turns.running = False
        if self.turns.waiting:
            self.turns.run_waiting()
        return True

    async def _handle_async(self, envelope: Envelope) -> None:
        """Handle a message with an async handler."""
        function = self.handlers[type(envelope.message)].function
        instance = self._supervisor.instance
        self.async_call = call = HandlerCall(envelope.deadline)
        try:
            if await call.run(envelope, function(instance.actor, envelope.message)):
                self.counts.handled += 1
            elif call.interrupted:
                self._supervisor.fail_later(envelope)
            else:
                self.counts.skipped += 1
        except Exception as error:  # noqa: BLE001 - as above
            self._supervisor.handle_error(error, envelope)
        except BaseException as error:
            crash, rest = split_crash(error)
            if crash is None:
                envelope.unwound(self._supervisor.unanswered_error)
                raise
            self._supervisor.handle_error(crash, envelope)
            raise rest from None
        finally:
            self.async_call = None

    def _end(self) -> None:
        """Fail the queued messages, stop the instance, and fail its unanswered asks."""
        self.close()
        # Callbacks of `on_abandoned` that are requested from now on never run.
        self.turns.running = True
        self.mailbox.fail_all(ActorStopped(self.name))
        try:
            self._supervisor.end()
        finally:
            # Also if a KeyboardInterrupt leaves `on_stop`: other tasks wait for this.
            self.state = "stopped"
            self.stopped.set()
            self._ended(self)

    def statistics(self) -> ActorStatistics:
        """Return the actor's state and counts at this moment."""
        call = self.async_call
        return ActorStatistics(
            name=self.name,
            state=self.state,
            queued=len(self.mailbox),
            mailbox=self.mailbox.size,
            busy_since=None if call is None else call.since,
            **asdict(self.counts),
        )
