"""A front's calls of the limits' script in Redis: one after another, each with a batch.

Rule: it owns the connection and its time-outs. What is asked, and what comes of the answer, is the
actor's: a batch is made by the actor, and settled in a turn of it. While one call is under way the
next batch gathers there. The script is named by its hash; its text is sent where the server does
not know that.
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
"""How long one call may take, in SLICE_SECONDS: the less, the longer a request waits already."""
LONGEST_WAIT: Final = (MOST_SLICES - 1 + LEAST_SLICES) * SLICE_SECONDS
"""Seconds that a request waits for Redis at most: for the call under way, and then its own."""
GATHER_SECONDS: Final = 0.005
"""Calls begin at least so far apart: what is asked in between goes with the next."""
POLL_SECONDS: Final = 0.25
"""With nothing to ask, bans of other fronts are asked for so often."""
RETRY_SECONDS: Final = 1.0
"""While Redis is away it is tried so often."""

FAILURES: Final = (*AWAY, msgspec.MsgspecError, TypeError)
"""What a call raises if Redis is away, or what it answers is not the script's."""

Caller = Callable[[str, bytes, int], Awaitable[object]]
"""Calls the script with a prefix and its packed argument, and waits so many slices of time."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("limits")


@dataclass(frozen=True, slots=True)
class Question:
    """A request that waits for Redis, and what was asked for it."""

    message: Admit
    reply: Reply[Allowance]
    asked: Asked
    since: float


@dataclass(slots=True, eq=False)
class Batch:
    """What goes to Redis with one call, and what waits for its answer."""

    begun: float
    call: Call = field(default_factory=Call)
    questions: list[Question] = field(default_factory=list[Question])
    """Those in `call.admits`, in the same order."""
    lifts: dict[str, list[Reply[None]]] = field(default_factory=dict[str, list[Reply[None]]])
    """Those in `call.lifts`, in the same order."""

    @property
    def slices(self) -> int:
        """How long the call may take, in SLICE_SECONDS."""
        waited = self.begun - self.questions[0].since if self.questions else 0.0
        return max(LEAST_SLICES, MOST_SLICES - int(waited / SLICE_SECONDS))


class Owner(Protocol):
    """What the calls need of the actor. All but `take` run as turns of it."""

    def take(self, *, is_first: bool) -> Batch:
        """Return what has gathered; the `is_first` after Redis was away has more to say."""
        ...

    def settle(self, batch: Batch, answer: Answer) -> None:
        """Use what Redis has answered to a batch."""
        ...

    def go_on_alone(self) -> None:
        """Answer all that waits for Redis, which is away."""
        ...

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run a turn."""
        ...


class RedisCalls:
    """Calls Redis for the RateLimiter of a front, one instance of it after another."""

    def __init__(self, url: str, prefix: str, limits: Limits) -> None:
        """Keep all keys under `prefix`; the same limits should hold at all fronts."""
        self.shared = False
        """Whether requests are counted in Redis, and not by this front alone."""
        self.tried = trio.Event()
        """Set after the first attempt."""
        self._url = url
        self._prefix = prefix
        self._limits = members_of(limits)
        self._owner: Owner | None = None
        self._bell = trio.Event()

    def attach(self, owner: Owner) -> None:
        """Call for this instance from now on."""
        self._owner = owner

    def ring(self) -> None:
        """Let the next call begin as soon as it may: there is something to ask."""
        self._bell.set()

    async def run(self) -> None:
        """Call Redis, and connect again whenever that fails; never returns."""
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
    """Run a turn of the actor; nothing if it has crashed or stopped, and so has no askers."""
    with suppress(ActorError):
        owner.after(0, callback)


async def connect_caller(pool: Pool) -> Caller:
    """Return what calls the script; raises one of FAILURES within CONNECT_SECONDS."""
    connection = await connect(pool)

    async def call(prefix: str, argument: bytes, slices: int) -> object:
        try:
            (answer,) = await connection.call(("EVALSHA", SHA, 0, prefix, argument), slices=slices)
        except NoScriptError:  # the server was restarted, or its scripts were flushed
            (answer,) = await connection.call(("EVAL", SOURCE, 0, prefix, argument), slices=slices)
        return answer

    return call
