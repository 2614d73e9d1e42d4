"""Supervisor: what happens to one actor when an instance of it crashes.

The one rule: a crashed instance runs no turn from that moment on, and its unanswered asks fail once
the restart is recorded, or at once if the restart has to wait. An instance is stopped by its own
crash, or by that of another actor in its group. The actor's own task starts the next instance.
"""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import outcome
import trio

from actors.actor import Actor, Timers
from actors.deadlock import Node
from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    Refusal,
    RestartLimitExceeded,
    copy_error,
    split_crash,
    with_cause,
)
from actors.group import Group
from actors.instance import Factory, FactoryCall, Instance, call_factory
from actors.mailbox import Envelope
from actors.message import Message
from actors.restart import Budget, Restart
from actors.user_code import interruptible

if TYPE_CHECKING:
    from actors.cell import Cell

A = TypeVar("A", bound=Actor)

_LOG = logging.getLogger("actors")


class Supervisor(Generic[A]):
    """Stops and starts the instances of one actor."""

    def __init__(
        self,
        cell: "Cell[A]",
        factory: Factory[A],
        restart: Restart,
        group: Group,
        nursery: trio.Nursery,
    ) -> None:
        self.instance: Instance[A]
        # The crash that stopped the instance, until the next one has started.
        self.stopped_by: ActorCrashed | None = None
        # The reason why no instance will follow.
        self.failure: ActorError | None = None
        self._cell = cell
        self._factory = factory
        # What the factory has returned for the next instance: an actor, or what is to be awaited.
        self._next: A | FactoryCall[A] | None = None
        self._budget = Budget(cell.name, restart)
        self._backoff = 0.0
        self._group = group
        self._nursery = nursery

    def start(self, actor: A) -> None:
        """Start this instance, or raise what its `on_start` raises."""
        cell = self._cell
        timers = Timers(self._nursery, cell.turns.run, lambda: cell.async_call is not None)
        instance = Instance(actor, timers, cell.turns.run, self.refused)
        instance.start()
        self.instance = instance
        self.stopped_by = None
        self._group.came_up(cell)
        cell.handlers = actor.__actor_handlers__

    def fail_later(self, envelope: Envelope) -> None:
        """Fail an ask later, together with those whose replies the instance kept."""
        self.instance.unanswered.add(envelope)

    @property
    def unanswered_error(self) -> ActorError:
        """The error for asks that will not be answered: the crash, or else ActorStopped."""
        return ActorStopped(self._cell.name) if self.stopped_by is None else self.stopped_by

    @property
    def blocked_by(self) -> "list[Node]":
        """What the next instance waits for."""
        return [] if self.stopped_by is None else self._group.blocked_by(self._cell)

    def fail_unanswered(self) -> None:
        """Fail every asker that was not answered."""
        self.instance.fail_unanswered(self.unanswered_error)

    def handle_error(self, error: Exception, envelope: Envelope | None = None) -> None:
        """Handle what a turn has raised: a refusal is an answer, anything else a crash."""
        if not isinstance(error, Refusal):
            self.handle_crash(error, envelope)
            return
        if envelope is not None and envelope.answered:
            kind = type(envelope.message).__name__
            late = ActorError(f"{kind} is refused after its answer")
            self.handle_crash(with_cause(late, error), envelope)
            return
        self.refused(error, None if envelope is None else envelope.message)
        if envelope is not None:
            envelope.settle(outcome.Error(copy_error(error)))

    def refused(self, refusal: Refusal, message: Message[Any, Any] | None) -> None:
        """Count a refusal, by a handler, a callback or a kept reply."""
        cell = self._cell
        cell.counts.refused += 1
        if cell.instruments is not None:
            cell.instruments.refused(cell.ref, message, refusal)

    def handle_crash(self, cause: Exception, envelope: Envelope | None) -> None:
        """Stop this instance, and those restarted with it, unless it has been stopped already."""
        if envelope is not None:
            self.fail_later(envelope)
        if self.stopped_by is None:
            self._crash(cause, envelope)
        else:
            _LOG.error("%s crashed as it unwound", self._cell.name, exc_info=cause)

    def _crash(self, cause: Exception, envelope: Envelope | None = None) -> None:
        cell = self._cell
        _LOG.error("%s crashed", cell.name, exc_info=cause)
        self._record_crash(cause, envelope)
        crash = with_cause(ActorCrashed(cell.name), cause)
        try:
            self._backoff = self._budget.spend(trio.current_time())
        except RestartLimitExceeded as exceeded:
            self.failure = with_cause(exceeded, cause)
            cell.close()
        self._stop_instance(crash, envelope)
        self._group.restart_others(cell, crash)

    def restart_with(self, crash: ActorCrashed) -> None:
        """Stop this instance because of another's crash; or discard the next, not yet started."""
        if self.stopped_by is None:
            along = ActorCrashed(self._cell.name, along_with=crash.name)
            self._stop_instance(with_cause(along, crash))
        elif isinstance(self._next, FactoryCall):
            self._next.interrupt()
            self._group.went_down(self._cell, unwinding=True)
        else:
            self._next = None

    def _stop_instance(self, crash: ActorCrashed, envelope: Envelope | None = None) -> None:
        self.stopped_by = crash
        self.instance.close()
        if envelope is None and self._cell.async_call is not None:
            # The restart has to wait until the async handler beside this turn has unwound.
            self.instance.fail_unanswered(crash)
        self._cell.instance_stopped()
        self._group.went_down(self._cell, unwinding=self._cell.unwinding)

    async def restart(self) -> None:
        """Start another instance as soon as it may start; `failure` is set if none will."""
        cell, old, group = self._cell, self.instance, self._group
        # Called only after a crash.
        first = cast("ActorCrashed", self.stopped_by)
        crash: ActorCrashed | None = first
        # Whatever of the old instance has been running until now has unwound.
        group.unwound(cell)
        while crash is not None and self.failure is None:
            if cell.state == "stopping":
                # Again, for there may be nothing left to restart for.
                cell.close()
            # An instance that would end at once is not started.
            await trio.lowlevel.checkpoint_if_cancelled()
            if self._backoff or not group.may_start(cell):
                old.fail_unanswered(crash)
                await trio.sleep(self._backoff)
                self._backoff = 0.0
                await group.wait_to_restart(cell)
            # A turn, so that another actor's crash during it stops the instance only after it.
            cell.turns.run(partial(self._start_next, crash))
            if isinstance(self._next, FactoryCall):
                old.fail_unanswered(crash)
                await self._await_factory(self._next, crash)
            crash = self.stopped_by
            if crash is not None and self.failure is None:
                # A start that always fails, but stays below its limit, must let other tasks run.
                await trio.lowlevel.checkpoint()
        old.fail_unanswered(first)

    def _start_next(self, crash: ActorCrashed) -> None:
        """Start the next instance, or crash again; or note the factory that has to be awaited."""
        made, self._next = self._next, None
        try:
            if made is None:
                made = call_factory(self._factory)
            if isinstance(made, FactoryCall):
                self._next = self._cell.async_call = made
                return
            self.start(made)
        except Exception as cause:  # noqa: BLE001 - a start that fails is one more crash
            set_context(cause, crash)
            self._crash(cause)
        else:
            self._record_restart(crash)

    async def _await_factory(self, call: FactoryCall[A], crash: ActorCrashed) -> None:
        """Await the next instance, to be started once it may; or crash again."""
        made = await outcome.acapture(call.run)
        self._next = self._cell.async_call = None
        # Other actors may have waited for this to unwind.
        self._group.unwound(self._cell)
        try:
            self._next = made.unwrap()
        except Exception as cause:  # noqa: BLE001 - as above
            self._factory_failed(cause, call, crash)
        except BaseException as error:
            fault, rest = split_crash(error)
            if fault is None:
                raise
            self._factory_failed(fault, call, crash)
            raise rest from None

    def _factory_failed(self, cause: Exception, call: FactoryCall[A], crash: ActorCrashed) -> None:
        if call.interrupted:
            _LOG.error("%s crashed as it unwound", self._cell.name, exc_info=cause)
        else:
            set_context(cause, crash)
            self._crash(cause)

    def end(self) -> None:
        """Stop the last instance for good: run its `on_stop`, and fail its unanswered asks."""
        name = self._cell.name
        try:
            if self.stopped_by is None:
                interruptible(self.instance.actor.on_stop)
        except Exception as cause:  # noqa: BLE001 - as in any turn
            _LOG.error("%s crashed as it stopped", name, exc_info=cause)
            self._record_crash(cause)
            self.failure = with_cause(ActorCrashed(name), cause)
        finally:
            self.instance.close()
            self.fail_unanswered()
            # A Ref may be kept for long, and must not keep the instance.
            del self.instance
            self._next = self.stopped_by = None
            self._group.remove(self._cell)

    def _record_crash(self, cause: Exception, envelope: Envelope | None = None) -> None:
        cell = self._cell
        cell.counts.crashed += 1
        if cell.instruments is not None:
            message = None if envelope is None else envelope.message
            cell.instruments.crashed(cell.ref, message, cause)

    def _record_restart(self, crash: ActorCrashed) -> None:
        cell, cause = self._cell, crash.__cause__
        cell.counts.restarts += 1
        _LOG.warning("%s was restarted, because of %r", cell.name, cause)
        if cell.instruments is not None and cause is not None:
            cell.instruments.restarted(cell.ref, cause)


def set_context(error: Exception, crash: ActorCrashed) -> None:
    """Chain an error to an earlier crash, as if it had been raised while that was handled."""
    earlier, later = with_contexts(crash), with_contexts(error)
    # An error that was raised before, and is in its own chain already, would close a cycle.
    if not any(one is other for one in earlier for other in later):
        later[-1].__context__ = crash.__cause__


def with_contexts(error: BaseException | None) -> list[BaseException]:
    """Return an error, and the errors that its traceback would show before it."""
    found: list[BaseException] = []
    while error is not None and not any(error is earlier for earlier in found):
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
