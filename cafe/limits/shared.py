"""The RateLimiter of a front: all fronts of a shop count together, in Redis.

Rule: no request waits longer than LONGEST_WAIT for Redis, nor fails because of it. While Redis is
away the front decides alone, as the RateLimiter of a single process does, and logs that.

A request of a banned address, or of one that has a grant (`grants.py`), is answered at once. All
others wait for the next call, which takes the whole batch (`redis_calls.py`), and which the script
`limits.lua` executes in one atomic step.

What holds for an address, through however many fronts it comes:

- The requests counted in one bucket of the windows are within its limit, exactly. A grant is
  counted before it is used, and the guard's credit is what is left of a grant.
- Of the requests counted at the end of a bucket each front may let through MOST_GRANTED within the
  next CREDIT_SECONDS, as credit. No more than that moves from one bucket into the next.
- A grant that was counted and not used is at most one in GRANT_SHARE of the address's recent
  requests at that front.
- Each front knows of a ban, and of its end by a manager, after POLL_SECONDS and one call.
- While Redis is away, each front counts only its own requests; so an address has its limit at each
  of them. Known bans stay in force. When Redis is back, possibly empty, each front sends it the
  bans that it knows, and those that were lifted meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

import trio

from actors import Reply
from cafe.limits.bans import Ban
from cafe.limits.grants import Grant, Grants
from cafe.limits.rate_limiter import (
    Admit,
    Allowance,
    CountLimits,
    LiftBan,
    Limit,
    LimitCounts,
    LimitExceeded,
    Limits,
    NotBanned,
    RateLimiter,
    RecordRefusals,
    Window,
)
from cafe.limits.redis_calls import Batch, Question, RedisCalls
from cafe.limits.script import (
    MICROSECONDS,
    PORTS,
    Admitted,
    Answer,
    Asked,
    Call,
    Known,
    Outcome,
    microseconds,
)

MOST_ASKED: Final = 512
"""The limit of requests in one call: they keep Redis busy for 5 ms."""
MOST_REFUSED: Final = 1_000
"""The limit of addresses in one call whose refusals are counted."""
MOST_KEPT: Final = 10_000
"""The limit of addresses whose refusals wait for a call; those of others are not counted."""
MOST_OFFERED: Final = 500
"""The limit of bans, the newest, that are sent to Redis when it is back."""


class SharedRateLimiter(RateLimiter):
    """Owns this front's knowledge of the windows, refusals and bans in Redis.

    A restart loses only that, not what is in Redis: the next instance reads the bans again.
    `CountLimits` returns the refusals of this front, and the bans and addresses of all fronts.
    """

    def __init__(
        self, limits: Limits, calls: RedisCalls, now: Callable[[], float] = trio.current_time
    ) -> None:
        """Admit by `limits`; `now` returns seconds and never goes back."""
        super().__init__(limits, now)
        self._calls = calls
        self._grants: Grants[tuple[Window, str]] = Grants(limits.window_seconds)
        self._seen = 0
        self._addresses = 0
        # Sent, and not settled yet: more than one if this actor is busier than Redis.
        self._under_way: list[Batch] = []
        # For the next call.
        self._questions: deque[Question] = deque()
        self._refusals: dict[str, int] = {}
        self._lifts: dict[str, list[Reply[None]]] = {}

    def on_start(self) -> None:
        """Attach this instance to the calls."""
        self._calls.attach(self)

    def on_stop(self) -> None:
        """Answer all requests that wait for Redis: its answer would come too late."""
        self.go_on_alone()

    @Admit.deferred
    def admit_together(self, message: Admit, reply: Reply[Allowance]) -> None:
        """Count and admit a request if its address is within its limits, over all fronts."""
        if not self._calls.shared:
            self._admit_alone(message, reply)
            return
        now = self._now()
        if left := self._bans.seconds_left(message.address, now):
            self._refused["banned"] += 1
            self._gather_refusals(((message.address, 1),))
            reply.fail(self._exceeded("banned", message, left))
        elif message.window is None:
            reply.send(self._uncounted())
        else:
            key = message.window, message.address
            grant = self._grants.take(key, message.let_through, now)
            if grant is None:
                self._ask_redis(message, key, reply, now)
            else:
                self._send(message, reply, grant, now)

    def record_refusals(self, message: RecordRefusals) -> None:
        """Count refusals that were made outside of this actor."""
        if not self._calls.shared:
            super().record_refusals(message)
            return
        self._refused[message.limit] += sum(times for _, times in message.counts)
        self._gather_refusals(message.counts)
        self._calls.ring()

    @LiftBan.deferred
    def lift_everywhere(self, message: LiftBan, reply: Reply[None]) -> None:
        """End a ban at all fronts; while Redis is away here at once, at others when it is back."""
        self._lifts.setdefault(message.address, []).append(reply)
        if self._calls.shared:
            self._calls.ring()
        else:
            self._lift_alone()

    def count(self, message: CountLimits) -> LimitCounts:
        """Return the counts."""
        counts = super().count(message)
        shared = self._calls.shared
        addresses = self._addresses if shared else counts.addresses
        return replace(counts, addresses=addresses, shared=shared)

    def take(self, *, is_first: bool) -> Batch:
        """Return the next batch; the first after Redis was away also has the known bans."""
        now = self._now()
        batch = Batch(now)
        self._under_way.append(batch)
        call = batch.call = Call(self._seen)
        if is_first:
            call.offered = [_known(ban, now) for ban in self._bans.newest(MOST_OFFERED, now)]
            for ban in call.offered:  # a waiting lift of its address is older than the ban
                self._lifts.pop(ban.address, None)
        while self._questions and len(call.admits) < MOST_ASKED:
            question = self._questions.popleft()
            batch.questions.append(question)
            call.admits.append(question.asked)
        call.refusals = list(islice(self._refusals.items(), MOST_REFUSED))
        for address, _ in call.refusals:
            del self._refusals[address]
        batch.lifts, self._lifts = self._lifts, {}
        call.lifts = list(batch.lifts)
        if self._questions or self._refusals:
            self._calls.ring()
        return batch

    def settle(self, batch: Batch, answer: Answer) -> None:
        """Learn new bans, and answer all requests of the batch."""
        if batch not in self._under_way:  # from a former instance
            return
        self._under_way.remove(batch)
        now, before = self._now(), self._bans.revision
        self._seen, self._addresses = answer.revision, answer.addresses
        for known in answer.news:
            seconds = known.seconds / MICROSECONDS
            self._bans.learn(Ban(known.address, now + known.left / MICROSECONDS, seconds), now)
        self._tell_watchers(before, now)
        for replies, was_banned in zip(batch.lifts.values(), answer.lifted, strict=True):
            _answer_lift(replies, was_banned=was_banned)
        # Counted from when the call began, so never later than the end of the bucket.
        until = batch.begun + answer.bucket_left / MICROSECONDS
        for question, admitted in zip(batch.questions, answer.admitted, strict=True):
            self._settle_question(question, admitted, until, now)

    def go_on_alone(self) -> None:
        """Answer all that waits for Redis, which is away, by this front's own counts."""
        while self._under_way:
            batch = self._under_way.pop()
            self._questions.extendleft(reversed(batch.questions))
            self._gather_refusals(batch.call.refusals)
            self._lifts = batch.lifts | self._lifts
        while self._questions:
            question = self._questions.popleft()
            self._end_asking(question)
            self._admit_alone(question.message, question.reply)
        counts, self._refusals = tuple(self._refusals.items()), {}
        self._record(counts, self._now())
        self._lift_alone()

    def _ask_redis(
        self, message: Admit, key: tuple[Window, str], reply: Reply[Allowance], now: float
    ) -> None:
        uncounted, wanted = self._grants.ask(key, message.let_through, now)
        window, address = key
        asked = Asked(address, PORTS[window], uncounted, wanted)
        self._questions.append(Question(message, reply, asked, trio.current_time()))
        self._calls.ring()

    def _settle_question(
        self, question: Question, admitted: Admitted, until: float, now: float
    ) -> None:
        message = question.message
        self._end_asking(question)
        if admitted.outcome != Outcome.ADMITTED:
            limit: Limit = "banned" if admitted.outcome == Outcome.BANNED else "requests"
            self._refused[limit] += 1
            wait = admitted.wait / MICROSECONDS
            question.reply.fail(self._exceeded(limit, message, wait))
        elif message.window is not None:
            key = message.window, message.address
            grant = self._grants.receive(key, admitted.granted, until)
            grant.remaining = admitted.remaining
            grant.quiet_at = now + admitted.wait / MICROSECONDS
            self._send(message, question.reply, grant, now)

    def _send(self, message: Admit, reply: Reply[Allowance], grant: Grant, now: float) -> None:
        """Admit a request, and count it here as well: Redis may be away at the next one."""
        if message.window is not None:
            window = self._windows[message.window].window_of(message.address, now)
            window.add(now, message.let_through + 1)
        reply.send(
            Allowance(
                remaining=grant.remaining + grant.left,
                reset_seconds=max(0.0, grant.quiet_at - now),
                waiting=self._limits.waiting,
                credit=grant.left,
            )
        )

    def _end_asking(self, question: Question) -> None:
        if question.asked.wanted and question.message.window is not None:
            self._grants.end_asking((question.message.window, question.message.address))

    def _admit_alone(self, message: Admit, reply: Reply[Allowance]) -> None:
        try:
            reply.send(self.admit(message))
        except LimitExceeded as exceeded:
            reply.fail(exceeded)

    def _lift_alone(self) -> None:
        """Lift bans at this front, and keep their addresses until Redis is back."""
        for address, replies in self._lifts.items():
            if replies:
                now, before = self._now(), self._bans.revision
                was_banned = self._bans.lift(address, now)
                self._tell_watchers(before, now)
                _answer_lift(replies, was_banned=was_banned)
                replies.clear()

    def _gather_refusals(self, counts: Iterable[tuple[str, int]]) -> None:
        for address, times in counts:
            if address in self._refusals or len(self._refusals) < MOST_KEPT:
                self._refusals[address] = self._refusals.get(address, 0) + times


def _known(ban: Ban, now: float) -> Known:
    return Known(ban.address, microseconds(ban.until - now), microseconds(ban.seconds))


def _answer_lift(replies: list[Reply[None]], *, was_banned: bool) -> None:
    for reply in replies:
        if was_banned:
            reply.send(None)
        else:
            reply.fail(NotBanned())


@asynccontextmanager
async def open_shared_limits(
    url: str, prefix: str, limits: Limits
) -> AsyncGenerator[Callable[[], SharedRateLimiter]]:
    """Yield a factory of a front's RateLimiter that counts in the Redis at `url`.

    Its keys begin with `prefix`. Waits for the first attempt to connect, half a second at most; if
    Redis is away the front begins without it. Stop the actor before leaving the block.
    """
    calls = RedisCalls(url, prefix, limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(calls.run)
        await calls.tried.wait()
        yield partial(SharedRateLimiter, limits, calls)
        nursery.cancel_scope.cancel()
