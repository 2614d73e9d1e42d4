"""Asks of actors that write to the ledger: with a time-out, and with retries after a crash.

Rule: ask here only what may be repeated, such as a command with an id. A request waits five seconds
for the ledger at most, and retries a few times; a task retries until it is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Final, TypeVar

import trio

from actors import Actor, ActorCrashed, Message, Ref
from cafe.ledger.department import Department
from cafe.ledger.errors import JournalClosed, LedgerUnavailable, NotRecorded
from cafe.ledger.ledger import Ledger

A = TypeVar("A", bound=Actor)
R = TypeVar("R")

LEDGER_SECONDS: Final = 5.0
"""How long a request may wait for the ledger."""
TRIES: Final = 3
"""Attempts before a crash is passed on to the client."""
TASK_RETRY_SECONDS: Final = 0.5
"""The interval of a task's retries while the database is away or refuses a row."""


def ledger_time_out() -> AbstractContextManager[None]:
    """Raise LedgerUnavailable if the block takes longer than a request may wait for the ledger."""
    return _TimeOut()


class _TimeOut(AbstractContextManager[None]):
    """A class, since a generator takes longer, and nearly every request has a time-out."""

    def __enter__(self) -> None:
        self._scope = trio.move_on_after(LEDGER_SECONDS)
        self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise LedgerUnavailable


async def ask_in_time(actor: Ref[A], message: Message[A, R]) -> R:
    """Ask, with retries after a crash; raises LedgerUnavailable after the time-out."""
    with ledger_time_out():
        return await ask_again(actor, message)


async def ask_again(actor: Ref[A], message: Message[A, R], tries: int = TRIES) -> R:
    """Ask, at most `tries` times, and return the answer; retry after a crash, but raise the last.

    JournalClosed counts as a crash: the journal was closed before the reply's entries were
    committed.
    """
    for _ in range(tries - 1):
        try:
            return await actor.ask(message)
        except (ActorCrashed, JournalClosed):
            await trio.lowlevel.checkpoint()
    return await actor.ask(message)


async def until_done(ask: Callable[[], Awaitable[R]], *, retry_refused: bool = True) -> R:
    """Ask until there is an answer, and return it; retry after a crash and during an outage.

    A refused row is retried, too, until an operator has helped; without `retry_refused` it raises
    NotRecorded.
    """
    while True:
        try:
            return await ask()
        except ActorCrashed:
            await trio.lowlevel.checkpoint()
        except LedgerUnavailable:
            await trio.sleep(TASK_RETRY_SECONDS)
        except NotRecorded:
            if not retry_refused:
                raise
            await trio.sleep(TASK_RETRY_SECONDS)


async def load_when_refused(
    ledger: Ledger, department: Department[Any], actor: Ref[A], load: Message[A, Any]
) -> None:
    """Ask an actor to reload the committed state whenever a row of its department is refused.

    Never returns. An actor that keeps none of its rows in memory does not need this.
    """
    while True:
        await ledger.wait_refused(department)
        with suppress(ActorCrashed):  # the next instance has loaded
            await actor.ask(load)
