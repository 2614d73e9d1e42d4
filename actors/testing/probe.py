"""Probe: a ref without an actor, which records its messages and answers from a script.

The one rule: a sender cannot tell a probe from an actor that handles every message at once and
keeps its reply. So the types are the same, other actors' messages raise the same ActorError, a
cancelled ask has the same exact outcome, and an asker waits in the same `Envelope`.
"""

import math
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import outcome
import trio

from actors.actor import Actor
from actors.errors import ActorError, ActorStopped, MailboxFull, Refusal
from actors.mailbox import Envelope, Outcome, failure
from actors.message import Kind, Message, Question, R
from actors.monitoring import ActorStatistics
from actors.posted import Posted
from actors.ref import Ref

# Invariant, unlike the parameter of Ref: `received` gives messages out as well.
A = TypeVar("A", bound=Actor)
M = TypeVar("M", bound=Message[Any, Any])


class Probe(Ref[A]):
    """A `Ref[A]` for tests, to be passed to code that asks or tells an `A`.

    An ask gets the next answer of the script, or else waits for `reply` or `fail`. A tell is
    recorded and never waits. A probe belongs to no system. With a `mailbox` it is full while it
    holds that many messages that `next` has not returned (0: always); then only `tell_nowait` and
    `post` raise MailboxFull. `answer`, `next`, `reply`, `fail`, `received` and `unasked` are for
    the test; the rest is a Ref's.
    """

    def __init__(
        self, actor: type[A], *, name: str | None = None, mailbox: int = sys.maxsize
    ) -> None:
        # Not the constructor of Ref, which needs a Cell: every method that reads it is overridden.
        self._name = name or actor.__name__
        self._handlers = actor.__actor_handlers__
        self._mailbox = mailbox
        self._script: dict[type[Message[A, Any]], deque[Any]] = {}
        self._received: list[Message[A, Any]] = []
        self._unseen: list[Message[A, Any]] = []
        # The tasks that wait in `next`, first come first served, and for which kind.
        self._waiters: dict[trio.lowlevel.Task, type[Message[Any, Any]]] = {}
        # Unanswered asks, by the identity of the message: equal messages are not the same one, and
        # the same one may be sent twice. `_received` keeps them alive, so no identity is reused.
        self._open: dict[int, list[Envelope]] = {}
        self._refused = 0
        self._stopped = trio.Event()

    def __repr__(self) -> str:
        return f"<Probe {self._name}, {self._state}>"

    @trio.lowlevel.enable_ki_protection
    async def ask(self, message: Question[A, R]) -> R:
        """Return the next scripted answer, or wait for `reply` or `fail`.

        Raises a scripted exception; ActorStopped; ActorError if an `A` has no handler for the
        message. Cancelled before the answer was given, this raises at once.
        """
        self._handlers.check(message)
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._stopped.is_set():
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise ActorStopped(self._name)
        answer: R
        asked: Any = message
        kind: type[Any] = type(message)
        scripted = self._scripted(kind)
        if scripted is None:
            envelope = Envelope(message, trio.lowlevel.current_task(), math.inf)
            self._record(asked, envelope)
            answer = await trio.lowlevel.wait_task_rescheduled(envelope.abort)
        else:
            self._record(asked)
            # Shielded, because the answer is used up.
            await trio.lowlevel.cancel_shielded_checkpoint()
            answer = scripted.unwrap()
        return answer

    @property
    def messages(self) -> frozenset[type[Message[A, Any]]]:
        """The messages that an `A` has handlers for."""
        return frozenset(self._handlers)

    def post(
        self, message: Question[A, Any], on_outcome: Callable[[Outcome], Any]
    ) -> Callable[[], None]:
        """Call back with the next scripted answer at once, or later with `reply` or `fail`.

        Raises MailboxFull, ActorStopped, or ActorError as `ask` does.
        """
        asked: Any = message
        self._handlers.check(message)
        self._check_running()
        if len(self._unseen) >= self._mailbox:
            raise MailboxFull(self._name, self._mailbox)
        posted = Posted(message, on_outcome)
        kind: type[Any] = type(message)
        scripted = self._scripted(kind)
        if scripted is None:
            self._record(asked, posted)
        else:
            self._record(asked)
            posted.settle(scripted)
        return posted.cancel

    async def tell(self, message: Message[A, Any]) -> None:
        """Record the message; raise ActorStopped, or ActorError as `ask` does."""
        self._handlers.check(message)
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._check_running()
            self._record(message, Envelope(message, None, math.inf))
        finally:
            await trio.lowlevel.cancel_shielded_checkpoint()

    def tell_nowait(self, message: Message[A, Any]) -> None:
        """Record the message; raise MailboxFull, ActorStopped, or ActorError as `ask` does."""
        self._handlers.check(message)
        self._check_running()
        if len(self._unseen) >= self._mailbox:
            raise MailboxFull(self._name, self._mailbox)
        self._record(message, Envelope(message, None, math.inf))

    @trio.lowlevel.enable_ki_protection
    def stop(self) -> None:
        """Accept no messages; all that wait for an answer, or in `next`, get ActorStopped."""
        self._stopped.set()
        for envelopes in self._open.values():
            for envelope in envelopes:
                envelope.settle(outcome.Error(ActorStopped(self._name)))
        for task in self._waiters:
            trio.lowlevel.reschedule(task, outcome.Error(ActorStopped(self._name)))
        self._waiters.clear()

    async def wait_stopped(self) -> None:
        """Wait until `stop` was called."""
        await self._stopped.wait()

    def statistics(self) -> ActorStatistics:
        """Return what an actor would that keeps each reply: every message counts as handled."""
        return ActorStatistics(
            name=self._name,
            state=self._state,
            queued=0,
            mailbox=self._mailbox,
            handled=len(self._received),
            refused=self._refused,
            skipped=0,
            crashed=0,
            restarts=0,
            busy_since=None,
        )

    def __kind__(self, message: Message[Any, Any]) -> Kind:
        """Return what kind of handler an `A` has for a message, for instruments."""
        return self._handlers[type(message)].kind

    @property
    def name(self) -> str:
        """The name in its errors and statistics; by default that of the actor's class."""
        return self._name

    def answer(self, kind: type[Message[A, R]], *answers: R | Exception) -> None:
        """Script the answers to the next asks of a kind, one each; an Exception is raised.

        An ask of a subtype uses them too, after those that are scripted for the subtype. A tell
        uses none. An ask that waits already goes on waiting for its `reply`. Raises ActorError if
        an `A` has no handler for the kind.
        """
        self._check_kind(kind)
        self._script.setdefault(kind, deque()).extend(answers)

    @trio.lowlevel.enable_ki_protection
    async def next(self, kind: type[M]) -> M:
        """Return the oldest message of a kind, or its subtypes, that no `next` has returned yet.

        Waits for one if there is none; waiting tasks are served in turn. Raises ActorError if an
        `A` has no handler for the kind, ActorStopped if there is none and the probe has stopped.
        """
        self._check_kind(kind)
        await trio.lowlevel.checkpoint_if_cancelled()
        for place, message in enumerate(self._unseen):
            if isinstance(message, kind):
                del self._unseen[place]
                await trio.lowlevel.cancel_shielded_checkpoint()
                return message
        self._check_running()
        task = trio.lowlevel.current_task()
        self._waiters[task] = kind

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            del self._waiters[task]
            return trio.lowlevel.Abort.SUCCEEDED

        arrived: M = await trio.lowlevel.wait_task_rescheduled(abort)
        return arrived

    def reply(self, message: Message[A, R], answer: R) -> bool:
        """Answer an ask that waits; return whether the asker gets it, as `Reply.send` does.

        Raises ActorError if the message was answered already, or was not received. If the very
        same object was sent several times, each reply answers one, those that still wait first.
        """
        return self._settle(message, outcome.Value(answer))

    def fail(self, message: Message[A, Any], error: Exception) -> bool:
        """Raise the error in an asker that waits; return as `reply` does."""
        delivered = self._settle(message, failure(error))
        self._refused += delivered and isinstance(error, Refusal)
        return delivered

    @property
    def received(self) -> tuple[Message[A, Any], ...]:
        """Every message so far, asked or told, in the order of arrival."""
        return tuple(self._received)

    @property
    def unasked(self) -> tuple[tuple[type[Message[A, Any]], object], ...]:
        """The scripted answers that no ask has used yet, each with its kind."""
        return tuple((kind, answer) for kind, rest in self._script.items() for answer in rest)

    @property
    def _state(self) -> Literal["running", "stopped"]:
        return "stopped" if self._stopped.is_set() else "running"

    def _check_running(self) -> None:
        if self._stopped.is_set():
            raise ActorStopped(self._name)

    def _check_kind(self, kind: type[Message[Any, Any]]) -> None:
        """Raise ActorError if no message of the kind can come."""
        if not any(issubclass(taken, kind) for taken in self._handlers):
            _ = self._handlers[kind]

    def _scripted(self, kind: type[Message[A, Any]]) -> Outcome | None:
        """Remove and return the next scripted answer for a kind, or for its nearest base."""
        for base in kind.__mro__:
            if script := self._script.get(base):
                answer = script.popleft()
                if isinstance(answer, Exception):
                    self._refused += isinstance(answer, Refusal)
                    return failure(answer)
                return outcome.Value(answer)
        return None

    @trio.lowlevel.enable_ki_protection
    def _record(self, message: Message[A, Any], *unanswered: Envelope) -> None:
        """Record a message, and give it to the first task that waits for its kind."""
        self._received.append(message)
        self._open.setdefault(id(message), []).extend(unanswered)
        for task, kind in self._waiters.items():
            if isinstance(message, kind):
                del self._waiters[task]
                trio.lowlevel.reschedule(task, outcome.Value(message))
                return
        self._unseen.append(message)

    def _settle(self, message: Message[A, Any], result: Outcome) -> bool:
        what = type(message).__name__
        if id(message) not in self._open:
            raise ActorError(f"{self._name} has received no such {what}")
        envelopes = self._open[id(message)]
        if not envelopes:
            raise ActorError(f"{what} is answered twice")
        # The oldest whose asker still waits, or else the oldest.
        envelope = min(envelopes, key=lambda envelope: envelope.asker is None)
        envelopes.remove(envelope)
        return envelope.settle(result)
