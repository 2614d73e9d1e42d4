"""A front's calls of the limits' script in Redis: one at a time, each with a batch.

Rule: it owns the connection and its time-outs. The actor owns the questions and the answers: it
makes each batch, and settles it in a turn of its own. While one call is under way the actor gathers
the next batch. The script is called by its hash; its text is sent if the server does not know it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import msgspec
import structlog
import trio
from coredis.exceptions import NoScriptError

from actors import ActorError, Reply
from actors.actor import Timer
from cafe.limits.rate_limiter import Admit, Allowance, Limits
from cafe.limits.script import SHA, SOURCE, Answer, Asked, Call, decode, encode, members_of
from cafe.redis import AWAY, SLICE_SECONDS, Pool, connect, describe, open_pool

MOST_SLICES: Final = 5
LEAST_SLICES: Final = 2
"""The bounds of a call's time-out, in SLICE_SECONDS: shorter if a request has waited already."""
LONGEST_WAIT: Final = (MOST_SLICES - 1 + LEAST_SLICES) * SLICE_SECONDS
"""The seconds that a request waits at most: for the call under way, and then for its own."""
GATHER_SECONDS: Final = 0.005
"""The minimum time between the starts of two calls, in which a batch gathers."""
POLL_SECONDS: Final = 0.25
"""The time between polls for bans of other fronts, while there is nothing to ask."""
RETRY_SECONDS: Final = 1.0
"""The time between attempts to connect while Redis is away."""

FAILURES: Final = (*AWAY, msgspec.MsgspecError, TypeError)
"""The errors of a call if Redis is away, or its answer is not the script's."""

Caller = Callable[[str, bytes, int], Awaitable[object]]
"""Calls the script with a prefix and its packed argument; the third is the time-out in slices."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("limits")


@dataclass(frozen=True, slots=True)
class Question:
    """A request that waits for Redis, and how it is asked there."""

    message: Admit
    reply: Reply[Allowance]
    asked: Asked
    since: float


@dataclass(slots=True, eq=False)
class Batch:
    """One call of Redis, and the replies that wait for its answer."""

    begun: float
    call: Call = field(default_factory=Call)
    questions: list[Question] = field(default_factory=list[Question])
    """In the order of `call.admits`."""
    lifts: dict[str, list[Reply[None]]] = field(default_factory=dict[str, list[Reply[None]]])
    """In the order of `call.lifts`."""

    @property
    def slices(self) -> int:
        """The time-out of the call, in SLICE_SECONDS."""
        waited = self.begun - self.questions[0].since if self.questions else 0.0
        return max(LEAST_SLICES, MOST_SLICES - int(waited / SLICE_SECONDS))


class Owner(Protocol):
    """The actor, as the calls use it. All but `take` run in turns of it."""

    def take(self, *, is_first: bool) -> Batch:
        """Return the next batch; `is_first` for the first after Redis was away."""
        ...

    def settle(self, batch: Batch, answer: Answer) -> None:
        """Settle a batch by the answer of Redis."""
        ...

    def go_on_alone(self) -> None:
        """Answer all that waits for Redis, which is away."""
        ...

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` as a turn."""
        ...


class RedisCalls:
    """Calls Redis for the RateLimiter of a front, one instance of it after another."""

    def __init__(self, url: str, prefix: str, limits: Limits) -> None:
        """Keep all keys under `prefix`; the same limits should hold at all fronts."""
        self.shared = False
        """Whether requests are counted in Redis, not by this front alone."""
        self.tried = trio.Event()
        """Set after the first attempt."""
        self._url = url
        self._prefix = prefix
        self._limits = members_of(limits)
        self._owner: Owner | None = None
        self._bell = trio.Event()

    def attach(self, owner: Owner) -> None:
        """Take batches from this instance from now on."""
        self._owner = owner

    def ring(self) -> None:
        """Start the next call as soon as GATHER_SECONDS allow: a batch waits."""
        self._bell.set()

    async def run(self) -> None:
        """Call Redis, and reconnect after each failure; never returns."""
        try:
            while True:
                async with open_pool(self._url) as pool:
                    try:
                        await self._call_until_failure(await connect_caller(pool))
                    except FAILURES as failure:
                        self._lose(failure)
                await trio.sleep(RETRY_SECONDS)
        finally:
            self._go_on_alone()

    async def _call_until_failure(self, caller: Caller) -> None:
        while True:
            self._bell = trio.Event()
            begun, owner = trio.current_time(), self._owner
            batch = owner.take(is_first=not self.shared) if owner else Batch(begun)
            argument = encode(self._limits, batch.call)
            answer = decode(await caller(self._prefix, argument, batch.slices))
            self._succeed()
            if owner is not None:
                _turn(owner, partial(owner.settle, batch, answer))
            if answer.is_all:
                with trio.move_on_after(POLL_SECONDS):
                    await self._bell.wait()
            await trio.sleep_until(begun + GATHER_SECONDS)

    def _succeed(self) -> None:
        if not self.shared:
            self.shared = True
            self.tried.set()
            log.info("limits are shared")

    def _lose(self, failure: BaseException) -> None:
        if self.shared or not self.tried.is_set():
            log.warning("limits are not shared", error=describe(failure))
        self._go_on_alone()
        self.tried.set()

    def _go_on_alone(self) -> None:
        self.shared = False
        if self._owner is not None:
            _turn(self._owner, self._owner.go_on_alone)


def _turn(owner: Owner, callback: Callable[[], None]) -> None:
    """Run a turn of the actor; do nothing if it has crashed or stopped, and so has no askers."""
    with suppress(ActorError):
        owner.after(0, callback)


async def connect_caller(pool: Pool) -> Caller:
    """Connect, and return a function that calls the script; raises one of AWAY."""
    connection = await connect(pool)

    async def call(prefix: str, argument: bytes, slices: int) -> object:
        try:
            (answer,) = await connection.call(("EVALSHA", SHA, 0, prefix, argument), slices=slices)
        except NoScriptError:  # the server was restarted, or its scripts were flushed
            (answer,) = await connection.call(("EVAL", SOURCE, 0, prefix, argument), slices=slices)
        return answer

    return call
