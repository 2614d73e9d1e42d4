"""Supervisor: what becomes of one actor when an instance of it crashes.

The one rule: an instance that falls can do nothing from that moment on, and whoever it owed an
answer hears so: once the restart is recorded, or at once if that has to wait. An instance falls by
its own crash, or by that of another in its group. The next one is begun by the actor's own task.
"""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import outcome
import trio

from actors.actor import Actor
from actors.deadlock import Node
from actors.envelope import Envelope
from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    Refusal,
    RestartLimitExceeded,
    caused,
    fresh,
    parted,
)
from actors.factory import Factory, FactoryCall, call_factory
from actors.group import Group
from actors.interrupts import interruptible
from actors.life import Life
from actors.message import Message
from actors.restart import Budget, Restart
from actors.timers import Timers

if TYPE_CHECKING:
    from actors.cell import Cell

A = TypeVar("A", bound=Actor)

_LOG = logging.getLogger("actors")


class Supervisor(Generic[A]):
    """Ends and begins the lives of one actor."""

    def __init__(
        self,
        cell: "Cell[A]",
        factory: Factory[A],
        restart: Restart,
        group: Group,
        nursery: trio.Nursery,
    ) -> None:
        self.life: Life[A]
        # Why the instance is no more, until there is another.
        self.fall: ActorCrashed | None = None
        # Why there will be no other.
        self.failure: ActorError | None = None
        self._cell = cell
        self._factory = factory
        # What the factory has given for the next life: an instance, or what is to be awaited.
        self._next: A | FactoryCall[A] | None = None
        self._budget = Budget(cell.name, restart)
        self._backoff = 0.0
        self._group = group
        self._nursery = nursery

    def begin(self, instance: A) -> None:
        """Start a life with this instance, or raise what its `on_start` raises."""
        cell = self._cell
        timers = Timers(self._nursery, cell.turns.take, busy=lambda: cell.async_call is not None)
        life = Life(instance, timers, cell.turns.take, self.refused)
        life.begin()
        self.life = life
        self.fall = None
        self._group.rose(cell)
        cell.handlers = life.handlers

    def owe(self, envelope: Envelope) -> None:
        """See to it that an asker hears of the fall."""
        self.life.duties.add(envelope)

    @property
    def why_gone(self) -> ActorError:
        """What an asker hears whom nobody will answer: of the fall, or else of the stop."""
        return ActorStopped(self._cell.name) if self.fall is None else self.fall

    @property
    def held_up_by(self) -> "list[Node]":
        """What the next instance waits for."""
        return [] if self.fall is None else self._group.held_up_by(self._cell)

    def fail_rest(self) -> None:
        """Fail whoever is still owed an answer."""
        self.life.fail(self.why_gone)

    def failed(self, error: Exception, envelope: Envelope | None = None) -> None:
        """Take what a turn has raised: a refusal is an answer, anything else a crash."""
        if not isinstance(error, Refusal):
            self.crash(error, envelope)
            return
        if envelope is not None and envelope.answered:
            what = type(envelope.message).__name__
            self.crash(caused(ActorError(f"{what} is refused after its answer"), error), envelope)
            return
        self.refused(error, None if envelope is None else envelope.message)
        if envelope is not None:
            envelope.settle(outcome.Error(fresh(error)))

    def refused(self, refusal: Refusal, message: Message[Any, Any] | None) -> None:
        """Count a refusal, by a handler, a callback or a kept reply."""
        cell = self._cell
        cell.counts.refused += 1
        if cell.instruments is not None:
            cell.instruments.refused(cell.ref, message, refusal)

    def crash(self, cause: Exception, envelope: Envelope | None) -> None:
        """End this life, and those that depend on it; see whether there may be another."""
        if envelope is not None:
            self.owe(envelope)
        if self.fall is None:
            self._crash(cause, envelope)
        else:
            _LOG.error("%s crashed as it unwound", self._cell.name, exc_info=cause)

    def _crash(self, cause: Exception, envelope: Envelope | None = None) -> None:
        cell = self._cell
        _LOG.error("%s crashed", cell.name, exc_info=cause)
        self._record_crash(cause, envelope)
        crash = caused(ActorCrashed(cell.name), cause)
        try:
            self._backoff = self._budget.spend(trio.current_time())
        except RestartLimitExceeded as exceeded:
            self.failure = caused(exceeded, cause)
            cell.close()
        self._fall(crash, envelope)
        self._group.fall(cell, crash)

    def retire(self, crash: ActorCrashed) -> None:
        """End this life because of another's crash; or, if it has ended, give up the next one."""
        if self.fall is None:
            self._fall(caused(ActorCrashed(self._cell.name, along_with=crash.name), crash))
        elif isinstance(self._next, FactoryCall):
            self._next.interrupt()
            self._group.fell(self._cell, unwinding=True)
        else:
            self._next = None

    def _fall(self, fall: ActorCrashed, envelope: Envelope | None = None) -> None:
        self.fall = fall
        self.life.silence()
        if envelope is None and self._cell.async_call is not None:
            # A fall beside an async handler: until that has unwound the restart has to wait.
            self.life.fail(fall)
        self._cell.fell()
        self._group.fell(self._cell, unwinding=self._cell.unwinding)

    async def rise(self) -> None:
        """Begin another life as soon as may be; `failure` tells if there is to be none."""
        cell, old, group = self._cell, self.life, self._group
        # Only one that has fallen rises.
        first = cast("ActorCrashed", self.fall)
        fall: ActorCrashed | None = first
        # Whatever of the old has been running until now has unwound.
        group.unwound(cell)
        while fall is not None and self.failure is None:
            if cell.state == "stopping":
                # Once more, for there may be nothing left to be restarted for.
                cell.close()
            # Nothing begins that is to end at once.
            await trio.lowlevel.checkpoint_if_cancelled()
            if self._backoff or not group.may_start(cell):
                old.fail(fall)
                await trio.sleep(self._backoff)
                self._backoff = 0.0
                await group.wait_turn(cell)
            # A turn, so that whoever takes the actor along meanwhile does so right after it.
            cell.turns.take(partial(self._begin_next, fall))
            if isinstance(self._next, FactoryCall):
                old.fail(fall)
                await self._await_factory(self._next, fall)
            fall = self.fall
            if fall is not None and self.failure is None:
                # A start that always fails, and never often enough, must not be all that runs.
                await trio.lowlevel.checkpoint()
        old.fail(first)

    def _begin_next(self, fall: ActorCrashed) -> None:
        """Start the next life, or crash once more; or note what has to be awaited before."""
        made, self._next = self._next, None
        try:
            if made is None:
                made = call_factory(self._factory)
            if isinstance(made, FactoryCall):
                self._next = self._cell.async_call = made
                return
            self.begin(made)
        except Exception as cause:  # noqa: BLE001 - a start that fails is one more crash
            follow(cause, fall)
            self._crash(cause)
        else:
            self._record_restart(fall)

    async def _await_factory(self, call: FactoryCall[A], fall: ActorCrashed) -> None:
        """Await the next instance, which begins once it may; or crash once more."""
        made = await outcome.acapture(call.hold)
        self._next = self._cell.async_call = None
        # Others may have waited for this to unwind.
        self._group.unwound(self._cell)
        try:
            self._next = made.unwrap()
        except Exception as cause:  # noqa: BLE001 - as above
            self._factory_failed(cause, call, fall)
        except BaseException as error:
            crash, rest = parted(error)
            if crash is None:
                raise
            self._factory_failed(crash, call, fall)
            raise rest from None

    def _factory_failed(self, cause: Exception, call: FactoryCall[A], fall: ActorCrashed) -> None:
        if call.interrupted:
            _LOG.error("%s crashed as it unwound", self._cell.name, exc_info=cause)
        else:
            follow(cause, fall)
            self._crash(cause)

    def end(self) -> None:
        """End the last life: let the instance say goodbye, and fail what it still owes."""
        name = self._cell.name
        try:
            if self.fall is None:
                interruptible(self.life.instance.on_stop)
        except Exception as cause:  # noqa: BLE001 - as in any turn
            _LOG.error("%s crashed as it stopped", name, exc_info=cause)
            self._record_crash(cause)
            self.failure = caused(ActorCrashed(name), cause)
        finally:
            self.life.silence()
            self.fail_rest()
            # A Ref may be kept for long; what is behind it is not.
            del self.life
            self._next = None
            self._group.remove(self._cell)

    def _record_crash(self, cause: Exception, envelope: Envelope | None = None) -> None:
        cell = self._cell
        cell.counts.crashed += 1
        if cell.instruments is not None:
            message = None if envelope is None else envelope.message
            cell.instruments.crashed(cell.ref, message, cause)

    def _record_restart(self, fall: ActorCrashed) -> None:
        cell, cause = self._cell, fall.__cause__
        cell.counts.restarts += 1
        _LOG.warning("%s was restarted, because of %r", cell.name, cause)
        if cell.instruments is not None and cause is not None:
            cell.instruments.restarted(cell.ref, cause)


def follow(error: Exception, fall: ActorCrashed) -> None:
    """Chain an error to the fall before, as if it had been raised while that was handled."""
    known, story = led_to(fall), led_to(error)
    # One that was raised before, and is part of its own story already, would close a circle.
    if not any(earlier is later for earlier in known for later in story):
        story[-1].__context__ = fall.__cause__


def led_to(error: BaseException | None) -> list[BaseException]:
    """Return an error, and what a traceback of it would name before it."""
    found: list[BaseException] = []
    while error is not None and not any(error is earlier for earlier in found):
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
