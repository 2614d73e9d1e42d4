"""THE RateLimiter: the actor who owns how often each address has asked, and who is cut off.

One rule: every turn takes the same time and the memory is bounded, whatever comes. Addresses are
keys that `address.client_address` made; the actor compares them and knows no more about them.

To ask takes two switches of tasks. So an address that is far from its limit is given some credit:
the next few requests may be let through without asking, and are told of with the one after. The
limit holds to the request all the same, for what remains is always more than the credit.

A refused request is not counted in the window of requests, only as a refusal. So whoever asks too
fast is served at the permitted pace meanwhile, and in full as soon as he slows down; and whoever
does not slow down earns a ban.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Final, Literal

import trio

from actors import Actor, Message, Reply
from cafe.http.refusals import CafeRefusal
from cafe.limits.bans import Ban, BanBook
from cafe.limits.headers import Fields, limit_headers
from cafe.limits.window import WindowTable

CREDIT_SECONDS = 5.0  # for which a credit may be used
MOST_CREDIT, CREDIT_SHARE = 16, 16  # so much, and of what remains one in so many

Limit = Literal["requests", "waiting", "banned"]
Refused = Limit | Literal["connections", "unknown", "credentials"]
"""What a refusal is counted as: connections are refused without a word of HTTP, who asks for orders
that are not there gets a 404 each, and who has a wrong token, or none, a 401."""
Window = Literal["customers", "baristas"]
"""Each port counts an address's requests for itself; refusals and bans are the address's."""

_WINDOWS: Final[tuple[Window, ...]] = ("customers", "baristas")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one address may do; docs/limits.md gives the reason of each default."""

    requests: int = 600
    worker_requests: int = 6_000
    window_seconds: float = 10.0
    waiting: int = 400
    ban_after: int = 400
    ban_seconds: float = 60.0
    max_addresses: int = 100_000

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that would let nobody through."""
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be more than 0")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A request was admitted; what is left to its address."""

    remaining: int
    """How many more requests are admitted right now; 0 where they are not counted."""
    reset_seconds: float
    """Seconds until all of the quota is free, if no more is asked."""
    waiting: int
    """How many orders of this address may wait; the Dispatcher, who owns them, counts."""
    credit: int = 0
    """How many more may be let through within CREDIT_SECONDS without asking, and told of later."""


class LimitExceeded(CafeRefusal):
    """An address is over its limit, or cut off."""

    status = 429
    told = ("limit",)

    def __init__(
        self, limit: Limit, *, retry_after: float, quota: int, window_seconds: float = 0.0
    ) -> None:
        super().__init__(_SENTENCES[limit].format(quota=quota, seconds=window_seconds))
        self.limit = limit
        self.retry_after = retry_after
        self.quota = quota
        self.window_seconds = window_seconds

    def headers(self) -> Fields:
        """Return the header fields of the response; a ban stands as no requests left."""
        return limit_headers(
            "waiting" if self.limit == "waiting" else "requests",
            quota=self.quota,
            window_seconds=self.window_seconds,
            retry_after=self.retry_after or 0.0,
        )


_SENTENCES: dict[Limit, str] = {
    "requests": "Your address may make {quota} requests in {seconds:g} s and has made them.",
    "waiting": "Your address has {quota} orders waiting, as many as it may.",
    "banned": "Your address was refused too often and is cut off for now.",
}


@dataclass(frozen=True, slots=True)
class Bans:
    """What has become of the bans, up to `revision`, which only ever grows."""

    revision: int
    bans: tuple[Ban, ...]
    """Those in force that were imposed or lengthened since the revision asked for."""


@dataclass(frozen=True, slots=True)
class LimitCounts:
    """What the RateLimiter has done since it was started, and what it knows now."""

    refused: Mapping[Refused, int]
    banned: int
    """Addresses that are cut off now."""
    bans: int
    """How often a ban was imposed or lengthened."""
    addresses: int
    """Addresses whose requests are counted alone, on either port."""


@dataclass(frozen=True, slots=True)
class Admit(Message["RateLimiter", Allowance]):
    """Count one request of an address; refused with LimitExceeded."""

    address: str
    let_through: int = 0
    """Requests that were let through on credit since last asked; they are counted as of now."""
    window: Window | None = "customers"
    """Where it is counted; None: nowhere, only who is banned is refused."""


@dataclass(frozen=True, slots=True)
class RecordRefusals(Message["RateLimiter", None]):
    """Count refusals that others have spoken, each an address and how often."""

    counts: tuple[tuple[str, int], ...]
    limit: Refused = "connections"


@dataclass(frozen=True, slots=True)
class WatchBans(Message["RateLimiter", Bans]):
    """Tell of bans newer than revision `seen`, as soon as there are any; begin with 0."""

    seen: int = 0


@dataclass(frozen=True, slots=True)
class CountLimits(Message["RateLimiter", LimitCounts]):
    """Tell how much was refused and how many are banned."""


class RateLimiter(Actor):
    """Owns the windows, the refusals and the bans of all addresses.

    A restart forgets them, and the counts of CountLimits: every address begins with a full quota,
    and an attacker needs one more burst to earn his ban, a short one again. What was told to
    watchers stays in force where they enforce it. A watcher whose ask fails with the crash asks
    again from the revision that it had: the next instance's revisions are all newer.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = trio.current_time) -> None:
        """Admit by `limits`; `now` tells seconds and never goes back."""
        self._limits = limits
        self._now = now
        self._windows: dict[Window, WindowTable] = {
            window: WindowTable(limits.window_seconds, limits.max_addresses) for window in _WINDOWS
        }
        self._quotas: dict[Window | None, int] = {
            "customers": limits.requests,
            "baristas": limits.worker_requests,
        }
        self._bans = BanBook(
            after=limits.ban_after,
            seconds=limits.ban_seconds,
            window_seconds=limits.window_seconds,
            most=limits.max_addresses,
            # From the clock, so that no revision of an earlier instance is ever given again.
            revision=int(now() * 1e9),
        )
        self._watchers: set[Reply[Bans]] = set()
        self._refused: dict[Refused, int] = {
            "requests": 0,
            "waiting": 0,
            "banned": 0,
            "connections": 0,
            "unknown": 0,
            "credentials": 0,
        }

    @Admit.handler
    def admit(self, message: Admit) -> Allowance:
        """Count a request, if there is room for it."""
        now = self._now()
        if self._bans.seconds_left(message.address, now):
            raise self._refusal("banned", message, 0.0, now)
        if message.window is None:
            return Allowance(remaining=0, reset_seconds=0.0, waiting=self._limits.waiting)
        window = self._windows[message.window].window_of(message.address, now)
        quota = self._quotas[message.window]
        if message.let_through:
            window.add(now, message.let_through)
        wait = window.seconds_until_room(quota, now)
        if wait:
            raise self._refusal("requests", message, wait, now)
        window.add(now)
        remaining = int(quota - window.estimate(now))
        return Allowance(
            remaining=remaining,
            reset_seconds=window.seconds_until_quiet(now),
            waiting=self._limits.waiting,
            credit=min(remaining // CREDIT_SHARE, MOST_CREDIT),
        )

    @RecordRefusals.handler
    def record_refusals(self, message: RecordRefusals) -> None:
        """Count refusals that others have spoken."""
        self._refused[message.limit] += sum(times for _, times in message.counts)
        self._record(message.counts, self._now())

    @WatchBans.deferred
    def watch(self, message: WatchBans, reply: Reply[Bans]) -> None:
        """Answer now if there is news, else with the next ban."""
        news = self._bans.since(message.seen, self._now())
        if news:
            reply.send(Bans(self._bans.revision, news))
        else:
            self._watchers.add(reply)
            reply.on_abandoned(partial(self._watchers.discard, reply))

    @CountLimits.handler
    def count(self, _message: CountLimits) -> LimitCounts:
        """Count what was refused and who is known."""
        return LimitCounts(
            refused=dict(self._refused),
            banned=self._bans.count(self._now()),
            bans=self._bans.imposed,
            addresses=sum(map(len, self._windows.values())),
        )

    def _refusal(self, limit: Limit, message: Admit, wait: float, now: float) -> LimitExceeded:
        """Count a refusal and return it; it tells of the ban that it has just earned, too."""
        self._refused[limit] += 1
        self._record(((message.address, 1),), now)
        return LimitExceeded(
            limit,
            retry_after=max(wait, self._bans.seconds_left(message.address, now)),
            quota=self._quotas.get(message.window, self._limits.requests),
            window_seconds=self._limits.window_seconds,
        )

    def _record(self, counts: tuple[tuple[str, int], ...], now: float) -> None:
        told = self._bans.revision
        for address, times in counts:
            self._bans.record(address, times, now)
        if self._bans.revision == told:
            return
        # One answer for all: whoever waits knew all that was in force until now.
        news = Bans(self._bans.revision, self._bans.since(told, now))
        for reply in self._watchers:
            reply.send(news)
        self._watchers.clear()
