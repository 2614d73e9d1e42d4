"""Run an ask of a front: ask an actor, run a query of the ledger, or make a call.

Rule: every outcome is an answer, exceptions included, so that a bug in one ask does not affect
others. An actor is asked without a task, since a house does that thousands of times a second;
a query and a call run in a task each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
import outcome
import structlog
import trio

from actors import ActorError, MailboxFull, Message, Ref
from cafe.bus.batches import CALL, QUERY, Answer, Ask, Outcome
from cafe.bus.codec import MALFORMED, arguments_from_bytes, decoder_of, encode, refusal_to_bytes
from cafe.bus.queries import Function, path_of
from cafe.http.refusals import CafeRefusal
from cafe.ledger.view import LedgerView

NOTHING: Final = msgspec.Raw(encode(None))

Done = Callable[[Answer], None]
"""Called once with the outcome of an ask, unless the ask is cancelled."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("bus")


@dataclass(frozen=True, slots=True)
class Askable:
    """What fronts can ask a house for."""

    refs: Mapping[str, Ref[Any]]
    """Actors by name."""
    queries: Mapping[str, Function]
    """Queries by path."""
    calls: Mapping[str, Callable[[], Awaitable[Any]]]


def askable_of(
    refs: Iterable[Ref[Any]],
    queries: Iterable[Function],
    calls: Mapping[str, Callable[[], Awaitable[Any]]],
) -> Askable:
    """Return these actors and queries by name, with the calls."""
    return Askable({one.name: one for one in refs}, {path_of(one): one for one in queries}, calls)


class Invoker:
    """Runs asks in a house, and reports their outcomes."""

    def __init__(self, askable: Askable, ledger: LedgerView) -> None:
        """Run only what `askable` lists; queries run on the reader of `ledger`."""
        self._askable = askable
        self._ledger = ledger
        self._messages: dict[tuple[str, str], Callable[[Any], Any]] = {}

    def begin(self, ask: Ask, nursery: trio.Nursery, done: Done) -> Callable[[], None]:
        """Start an ask, and return a function that cancels it; `done` may be called at once."""
        number = ask.number
        if ask.of in (QUERY, CALL):
            return self._begin_task(partial(self._run, ask), number, nursery, done)
        try:
            ref = self._askable.refs[ask.of]
            message = self._reader(ref, ask.name)(ask.body)
        except (LookupError, *MALFORMED) as error:
            _settle(number, done, outcome.Error(error))
            return _nothing
        try:
            return ref.post(message, partial(_settle, number, done))
        except MailboxFull:
            return self._begin_task(partial(ref.ask, message), number, nursery, done)
        except ActorError as error:  # the actor stops
            _settle(number, done, outcome.Error(error))
            return _nothing

    def _begin_task(
        self, wait: Callable[[], Awaitable[Any]], number: int, nursery: trio.Nursery, done: Done
    ) -> Callable[[], None]:
        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                result: outcome.Value[Any] | outcome.Error
                try:
                    result = outcome.Value(await wait())
                except Exception as error:  # noqa: BLE001 - of any kind: only this ask fails
                    result = outcome.Error(error)
                _settle(number, done, result)

        nursery.start_soon(run)
        return scope.cancel

    async def _run(self, ask: Ask) -> Any:
        if ask.of == CALL:
            return await self._askable.calls[ask.name]()
        function = self._askable.queries[ask.name]
        _, named = arguments_from_bytes(function, ask.body)
        return await self._ledger.read(partial(function, **named))

    def _reader(self, ref: Ref[Any], name: str) -> Callable[[Any], Message[Any, Any]]:
        """Return the decoder of an actor's message; raises LookupError for an unknown name."""
        reader = self._messages.get((ref.name, name))
        if reader is None:
            kinds = {one.__name__: one for one in ref.messages}
            reader = self._messages[ref.name, name] = decoder_of(kinds[name])
        return reader


def _settle(number: int, done: Done, result: outcome.Value[Any] | outcome.Error) -> None:
    if isinstance(result, outcome.Value):
        try:
            body = encode(result.value)
        except (TypeError, ValueError) as error:
            result = outcome.Error(error)
        else:
            done(Answer(number, Outcome.ANSWERED, msgspec.Raw(body)))
            return
    failure = result.error
    if isinstance(failure, CafeRefusal):
        done(Answer(number, Outcome.REFUSED, msgspec.Raw(refusal_to_bytes(failure))))
        return
    if not isinstance(failure, ActorError):
        # A mismatch of releases, or a bug: the front's ask fails as in a crash of the actor.
        log.error("ask failed", number=number, exc_info=failure)
    done(Answer(number, Outcome.CRASHED, NOTHING))


def _nothing() -> None:
    return None
