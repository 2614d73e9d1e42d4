"""The RateLimiter: the actor that owns the request counts and the bans of all addresses.

Rule: the time of a turn does not grow with the number of addresses, except to lift a ban, and the
memory is bounded, whatever arrives. Addresses are keys made by `address.client_address`; the actor
compares them and knows nothing else about them.

Asking the actor costs two task switches. So an address that is far from its limit gets credit: its
next few requests may be passed on without asking, and are counted with the one after them. The
limit still holds to the request, because what remains is always more than the credit.

A refused request is counted as a refusal and not as a request. So an address that asks too fast is
served at the permitted rate, and in full once it slows down; if it does not, it earns a ban.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from math import ceil
from typing import Final, Literal

import trio

from actors import Actor, Message, Reply
from cafe.http.refusals import CafeRefusal, HeaderFields
from cafe.limits.bans import Ban, BanBook
from cafe.limits.window import WindowTable

CREDIT_SECONDS: Final = 5.0
"""How long a credit may be used."""
MOST_CREDIT: Final = 16
"""The maximum credit, in requests; CREDIT_SHARE may make it less."""
CREDIT_SHARE: Final = 16
"""The credit is one request for this many that remain."""

Limit = Literal["requests", "waiting", "banned"]
Refused = Limit | Literal["connections", "unknown", "credentials"]
"""The kind of a refusal: `connections` are refused at accept, `unknown` is a 404 for an
order that does not exist, and `credentials` a 401 for a token that is wrong or missing."""
Window = Literal["customers", "baristas"]
"""Each port counts the requests of an address separately; refusals and bans apply to both."""

WINDOWS: Final[tuple[Window, ...]] = ("customers", "baristas")
CONCURRENT: Final = ';qu="concurrent-requests"'


@dataclass(frozen=True, slots=True)
class Limits:
    """What one address may do; docs/limits.md gives the reason for each default."""

    requests: int = 600
    worker_requests: int = 6_000
    window_seconds: float = 10.0
    waiting: int = 400
    ban_after: int = 400
    ban_seconds: float = 60.0
    max_addresses: int = 100_000

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that would refuse every request."""
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be more than 0")


@dataclass(frozen=True, slots=True)
class Allowance:
    """A request was admitted; the rest of its address's quota."""

    remaining: int
    """How many more requests would be admitted now; 0 if they are not counted."""
    reset_seconds: float
    """Seconds until the whole quota is free, without further requests."""
    waiting: int
    """How many orders of this address may wait; they are counted by the Dispatcher, their owner."""
    credit: int = 0
    """How many more may be passed on within CREDIT_SECONDS without asking, and counted later."""


class LimitExceeded(CafeRefusal):
    """An address is over one of its limits, or banned."""

    status = 429
    members = ("limit",)

    def __init__(
        self, limit: Limit, *, retry_after: float, quota: int, window_seconds: float = 0.0
    ) -> None:
        super().__init__(_SENTENCES[limit].format(quota=quota, seconds=window_seconds))
        self.limit = limit
        self.retry_after = retry_after
        self.quota = quota
        self.window_seconds = window_seconds

    def headers(self) -> HeaderFields:
        """Return the header fields of the response; a ban's say that no requests are left."""
        return limit_headers(
            "waiting" if self.limit == "waiting" else "requests",
            quota=self.quota,
            window_seconds=self.window_seconds,
            retry_after=self.retry_after or 0.0,
        )


class NotBanned(CafeRefusal):
    """There is no ban to lift."""

    status = 404

    def __init__(self) -> None:
        super().__init__("This address is not banned.")


_SENTENCES: dict[Limit, str] = {
    "requests": "Your address may make {quota} requests in {seconds:g} s and has made them.",
    "waiting": "Your address has {quota} orders waiting, as many as it may.",
    "banned": "Your address was refused too often and is cut off for now.",
}


def limit_headers(
    policy: str, *, quota: int, window_seconds: float, retry_after: float
) -> HeaderFields:
    """Return `Retry-After`, `RateLimit-Policy` and `RateLimit` for a policy with nothing left.

    A policy without a window, `window_seconds` of 0, is a cap on what is under way at one time. The
    fields are those of draft-ietf-httpapi-ratelimit-headers-11, and `Retry-After` of RFC 9110,
    10.2.3. Both have whole seconds, so they are rounded up: never too early.
    """
    seconds = max(1, ceil(retry_after))
    extent = f";w={max(1, ceil(window_seconds))}" if window_seconds else CONCURRENT
    return (
        (b"retry-after", b"%d" % seconds),
        (b"ratelimit-policy", f'"{policy}";q={quota}{extent}'.encode()),
        (b"ratelimit", f'"{policy}";r=0;t={seconds}'.encode()),
    )


@dataclass(frozen=True, slots=True)
class Bans:
    """The bans in force that were imposed or lengthened after the revision that was asked for."""

    revision: int
    """The revision of the newest ban or lift; it only grows."""
    bans: tuple[Ban, ...]
    lifted: tuple[str, ...] = ()
    """Addresses whose ban was lifted after that revision, and that are not banned again."""


@dataclass(frozen=True, slots=True)
class LimitCounts:
    """The RateLimiter's counts since it was started, and its size now."""

    refused: Mapping[Refused, int]
    banned: int
    """Addresses that are banned now."""
    bans: int
    """How often a ban was imposed or lengthened."""
    addresses: int
    """Windows that belong to one address, on both ports."""
    shared: bool = True
    """Whether all requests of the shop are counted together; not at a front without its Redis."""


@dataclass(frozen=True, slots=True)
class Admit(Message["RateLimiter", Allowance]):
    """Count one request of an address, or refuse it with LimitExceeded."""

    address: str
    let_through: int = 0
    """Requests that were passed on by credit since the last message; counted as of now."""
    window: Window | None = "customers"
    """The window that counts it; None: none, and it is refused only if the address is banned."""


@dataclass(frozen=True, slots=True)
class RecordRefusals(Message["RateLimiter", None]):
    """Count refusals by others: pairs of an address and a number."""

    counts: tuple[tuple[str, int], ...]
    limit: Refused = "connections"


@dataclass(frozen=True, slots=True)
class WatchBans(Message["RateLimiter", Bans]):
    """Wait for bans or lifts that are newer than revision `seen`; the first `seen` is 0."""

    seen: int = 0


@dataclass(frozen=True, slots=True)
class ListBans(Message["RateLimiter", tuple[Ban, ...]]):
    """Return the newest bans in force, at most `most`, the newest first."""

    most: int


@dataclass(frozen=True, slots=True)
class LiftBan(Message["RateLimiter", None]):
    """End the ban of an address, which may earn the next one; refused with NotBanned if none."""

    address: str


@dataclass(frozen=True, slots=True)
class CountLimits(Message["RateLimiter", LimitCounts]):
    """Return how much was refused and how many addresses are banned."""


class RateLimiter(Actor):
    """Owns the windows, the refusals and the bans of all addresses.

    A restart loses them, and the counts of CountLimits: every address has its full quota again, and
    an attacker must earn its ban again, which is a short one. Watchers go on enforcing the bans
    that they have received. A watcher whose ask fails with the crash asks again from its last
    revision: those of the next instance are all newer.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = trio.current_time) -> None:
        """Admit by `limits`; `now` returns seconds and never goes back."""
        self._limits = limits
        self._now = now
        self._windows: dict[Window, WindowTable] = {
            window: WindowTable(limits.window_seconds, limits.max_addresses) for window in WINDOWS
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
            # From the clock, so that no revision of an earlier instance is used again.
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
        """Count a request if the address is within its limits."""
        now = self._now()
        if self._bans.seconds_left(message.address, now):
            raise self._refusal("banned", message, 0.0, now)
        if message.window is None:
            return self._uncounted()
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
        """Count refusals by others, which may earn bans."""
        self._refused[message.limit] += sum(times for _, times in message.counts)
        self._record(message.counts, self._now())

    @WatchBans.deferred
    def watch(self, message: WatchBans, reply: Reply[Bans]) -> None:
        """Answer now if there are newer bans, else with the next one."""
        newer = self._news(message.seen, self._now())
        if newer.bans or newer.lifted:
            reply.send(newer)
        else:
            self._watchers.add(reply)
            reply.on_abandoned(partial(self._watchers.discard, reply))

    @ListBans.handler
    def list_bans(self, message: ListBans) -> tuple[Ban, ...]:
        """Return the newest bans in force."""
        return self._bans.newest(message.most, self._now())

    @LiftBan.handler
    def lift(self, message: LiftBan) -> None:
        """End a ban, here and where watchers enforce it."""
        before = self._bans.revision
        is_banned = self._bans.lift(message.address, self._now())
        self._tell_watchers(before, self._now())
        if not is_banned:
            raise NotBanned

    @CountLimits.handler
    def count(self, _message: CountLimits) -> LimitCounts:
        """Return the counts."""
        return LimitCounts(
            refused=dict(self._refused),
            banned=self._bans.count(self._now()),
            bans=self._bans.imposed,
            addresses=sum(map(len, self._windows.values())),
        )

    def _uncounted(self) -> Allowance:
        return Allowance(remaining=0, reset_seconds=0.0, waiting=self._limits.waiting)

    def _refusal(self, limit: Limit, message: Admit, wait: float, now: float) -> LimitExceeded:
        """Count a refusal and return it; its `retry_after` includes a ban that it has earned."""
        self._refused[limit] += 1
        self._record(((message.address, 1),), now)
        left = self._bans.seconds_left(message.address, now)
        return self._exceeded(limit, message, max(wait, left))

    def _exceeded(self, limit: Limit, message: Admit, wait: float) -> LimitExceeded:
        return LimitExceeded(
            limit,
            retry_after=wait,
            quota=self._quotas.get(message.window, self._limits.requests),
            window_seconds=self._limits.window_seconds,
        )

    def _record(self, counts: tuple[tuple[str, int], ...], now: float) -> None:
        before = self._bans.revision
        for address, times in counts:
            self._bans.record(address, times, now)
        self._tell_watchers(before, now)

    def _tell_watchers(self, before: int, now: float) -> None:
        if self._bans.revision == before:
            return
        # One answer for all: the waiting watchers have every ban up to `before`.
        news = self._news(before, now)
        for reply in self._watchers:
            reply.send(news)
        self._watchers.clear()

    def _news(self, seen: int, now: float) -> Bans:
        book = self._bans
        return Bans(book.revision, book.since(seen, now), book.lifted_since(seen))
