"""Which connections are accepted: decided at accept, before anything is read from them.

Rule: it enforces limits and imposes no bans. The RateLimiter sends it the bans, and it reports the
addresses whose connections it refused. Nothing here waits; each port has an `Admission` of its own,
used by its accept loop.

There are two caps: one per address, above what any office needs, and one for all connections, as
many as the process's descriptors allow. A trusted proxy forwards for many clients, so only the
total applies to it. Connections refused by the total are not counted against any address.

At the total, idle connections are closed to make room for new ones, which have a request to send.
The addresses with most idle connections lose them first, so no client can keep others out by
staying connected; trusted proxies lose theirs only if no other client has any.

`ConnectionRates` refuses addresses that connect too often, or for nothing. A connection is wasted
if its client disconnected within a second of being accepted and before it was answered. A group of
customers does not do that, however large it is: they wait. A flood that gives up and reconnects
does nothing else, and each of its connections costs as much as an order until its requests are
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heapreplace
from typing import Final

import trio

from cafe.limits.address import Networks, address_key, is_trusted

MAX_BANS: Final = 100_000
"""Further bans still close open connections; requests on new ones get 429 from the RateLimiter."""

SWEEP_SECONDS: Final = 1.0
"""Expired bans are removed at most this often."""

MAX_REPORTED: Final = 10_000
"""Addresses whose refusals are kept until `take_refusals`."""

SHED_AT_ONCE: Final = 64
"""Idle connections closed together, since the search goes through all connections."""

SHED_PAUSE: Final = 0.1
"""Seconds until the next search for idle ones if too few were found: refusing stays cheap."""

FRESH_SECONDS: Final = 1.0
"""A younger connection is not idle: its request may be on its way."""

PERIOD: Final = 10.0
"""Seconds in which the new connections of an address are counted."""

LEAST_PER_PERIOD: Final = 400
"""An address may open this many connections within a period, however low its cap is."""

MOST_WASTED: Final = 200
"""An address may waste this many connections within a second: a whole group that reconnects."""

SUSPICIOUS: Final = 20
"""After this many wasted within a second, accept checks whether the client has left already."""

QUICK_SECONDS: Final = 1.0
"""A connection that lasted longer was not wasted."""

MOST_ADDRESSES: Final = 10_000
"""Addresses that are counted within one period."""


class Lease:
    """The place of one open connection; `release` frees it, however often it is called."""

    __slots__ = ("_admission", "abort", "address", "is_idle", "since", "was_used")

    def __init__(self, admission: Admission, address: str | None, since: float) -> None:
        self._admission: Admission | None = admission
        self.address = address
        """The key under which it is counted; None for a trusted proxy."""
        self.since = since
        """When it was admitted, in trio's time."""
        self.was_used = False
        """Whether anything was sent to the client."""
        self.is_idle: Callable[[], bool] = _never
        """Returns whether closing the connection now would lose no response."""
        self.abort: Callable[[], None] = _nothing
        """Closes the connection and its descriptor at once.

        Called when the address is banned, and when the connection is idle and its place is needed.
        """

    def attach(self, *, is_idle: Callable[[], bool], abort: Callable[[], None]) -> None:
        """Set the callbacks that check and close the connection."""
        self.is_idle = is_idle
        self.abort = abort

    def blame(self) -> None:
        """Count that this connection did not carry HTTP, against its address."""
        if self._admission is not None:
            self._admission.blame(self)

    def release(self) -> None:
        """Free the place."""
        if self._admission is not None:
            self._admission.forget(self)
            self._admission = None


class Admission:
    """Counts the open connections of one port, in total and per address, and refuses the others."""

    def __init__(
        self,
        per_address: int | None,
        total: int,
        trusted: Networks = (),
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        """Refuse beyond `per_address` (None: no such cap) and `total` open connections."""
        self.trusted = trusted
        self.open = 0
        self.refused = 0
        self.shed = 0
        """Idle connections that were closed to make room."""
        self.malformed = 0
        """Connections that were closed because they did not carry HTTP, or TLS."""
        self.isolated = 0
        """Connections that were closed because of an exception while serving them."""
        self.in_kernel: int | None = None
        """Banned addresses whose packets the kernel drops; None if it drops none."""
        self.bans_changed = trio.Event()
        """Set with the next ban, or when one is lifted.

        To wait for it, put a new event here, check, then wait.
        """
        self.released = trio.Event()
        """Set when the next connection closes; used in the same way."""
        self._per_address = per_address
        self._rates = None if per_address is None else ConnectionRates(per_address)
        self._total = total
        self._now = now
        # By address, each in the order of arrival; None: those of trusted proxies.
        self._leases: dict[str | None, dict[Lease, None]] = {}
        self._bans: dict[str, float] = {}  # when each ends, the newest last
        self._sweep_after = 0.0
        self._shed_after = 0.0
        self._refusals: dict[str, int] = {}

    def admit(self, host: str, has_left: Callable[[], bool] | None = None) -> Lease | None:
        """Return a lease for a new connection from `host`; None if it is refused.

        A connection whose client `has_left` already is refused as well; that is checked only for
        addresses that have wasted connections.
        """
        address = None if is_trusted(host, self.trusted) else address_key(host)
        if address is not None and self._is_refused(address):
            self._report(address)
        elif self.open < self._total or self.make_room():
            lease = self._enter(address)
            if has_left is None or not (self._is_suspect(address) and has_left()):
                return lease
            lease.release()
            if address is not None:
                self._report(address)
        self.refused += 1
        return None

    def blame(self, lease: Lease) -> None:
        """Count that this connection did not carry HTTP, against its address."""
        self.malformed += 1
        if lease.address is not None:
            self._report(lease.address)

    def ban(self, address: str, until: float) -> None:
        """Refuse `address` until then, in trio's time, and close its connections now."""
        self._forget_old_bans()
        self._bans.pop(address, None)
        if len(self._bans) < MAX_BANS:
            self._bans[address] = until
        self.bans_changed.set()
        for lease in tuple(self._leases.get(address, ())):
            lease.abort()

    def lift(self, address: str) -> None:
        """Accept connections of `address` again, and drop its unreported refusals."""
        self._bans.pop(address, None)
        self._refusals.pop(address, None)
        self.bans_changed.set()

    def newest_bans(self) -> Iterator[tuple[str, float]]:
        """Return the bans in force, each with its end, the newest first."""
        self._forget_old_bans()
        now = self._now()
        return ((who, until) for who, until in reversed(self._bans.items()) if now < until)

    def make_room(self) -> int:
        """Close at most SHED_AT_ONCE idle connections, and return how many."""
        now = self._now()
        if now < self._shed_after:
            return 0
        idle = self._idle_ones(now)
        proxies = idle.pop(None, [])
        # A proxy may be about to use an idle connection for a client that is unknown here.
        chosen = _from_the_most_idle(idle, SHED_AT_ONCE) or proxies[-SHED_AT_ONCE:]
        if len(chosen) < SHED_AT_ONCE:
            self._shed_after = now + SHED_PAUSE
        for lease in chosen:
            lease.release()  # now, not when its task ends
            lease.abort()
        self.shed += len(chosen)
        return len(chosen)

    def take_refusals(self) -> tuple[tuple[str, int], ...]:
        """Return each address that was refused since the last call, and how often."""
        refusals, self._refusals = self._refusals, {}
        return tuple(refusals.items())

    def forget(self, lease: Lease) -> None:
        """Count a connection as closed. Called by its lease."""
        self.open -= 1
        leases = self._leases[lease.address]
        del leases[lease]
        if not leases:
            del self._leases[lease.address]
        self.released.set()
        if self._rates is not None and lease.address is not None and not lease.was_used:
            self._rates.left(lease.address, lease.since, self._now())

    def _report(self, address: str) -> None:
        if address in self._refusals or len(self._refusals) < MAX_REPORTED:
            self._refusals[address] = self._refusals.get(address, 0) + 1

    def _is_suspect(self, address: str | None) -> bool:
        rates = self._rates
        return bool(rates and address and rates.is_suspect(address, self._now()))

    def _is_refused(self, address: str) -> bool:
        until = self._bans.get(address)
        if until is not None:
            if self._now() < until:
                return True
            del self._bans[address]
        if self._per_address is None or self._rates is None:
            return False
        has_all = len(self._leases.get(address, ())) >= self._per_address
        return has_all or self._rates.is_too_fast(address, self._now())

    def _enter(self, address: str | None) -> Lease:
        lease = Lease(self, address, self._now())
        self.open += 1
        if self._rates is not None and address is not None:
            self._rates.came(address, lease.since)
        self._leases.setdefault(address, {})[lease] = None
        return lease

    def _forget_old_bans(self) -> None:
        now = self._now()
        if now >= self._sweep_after:
            self._sweep_after = now + SWEEP_SECONDS
            self._bans = {address: until for address, until in self._bans.items() if now < until}

    def _idle_ones(self, now: float) -> dict[str | None, list[Lease]]:
        """Return the idle connections by address, each with the oldest last."""
        old = now - FRESH_SECONDS
        return {
            address: idle
            for address, leases in self._leases.items()
            if (idle := [one for one in reversed(leases) if one.since <= old and one.is_idle()])
        }


class PeriodCounts:
    """Counts by address, which start from zero in each period.

    At the end of a period an address may do twice as much; the limits allow for that.
    """

    __slots__ = ("_counts", "_ends", "_seconds")

    def __init__(self, seconds: float) -> None:
        """Count in periods of this many seconds."""
        self._seconds = seconds
        self._ends = 0.0
        self._counts: dict[str, int] = {}

    def add(self, address: str, now: float) -> None:
        """Add one, unless the address is new and MOST_ADDRESSES are counted already."""
        self._reset_if_over(now)
        if address in self._counts or len(self._counts) < MOST_ADDRESSES:
            self._counts[address] = self._counts.get(address, 0) + 1

    def count(self, address: str, now: float) -> int:
        """Return how many were counted in this period."""
        self._reset_if_over(now)
        return self._counts.get(address, 0)

    def _reset_if_over(self, now: float) -> None:
        if now >= self._ends:
            self._ends = now + self._seconds
            self._counts = {}


class ConnectionRates:
    """Detects addresses that connect too often, or waste too many connections."""

    def __init__(self, per_address: int) -> None:
        """Allow twice `per_address` new connections in a period, but at least LEAST_PER_PERIOD."""
        self._most = max(2 * per_address, LEAST_PER_PERIOD)
        self._opened = PeriodCounts(PERIOD)
        self._wasted = PeriodCounts(QUICK_SECONDS)

    def came(self, address: str, now: float) -> None:
        """Count a connection that was accepted."""
        self._opened.add(address, now)

    def left(self, address: str, since: float, now: float) -> None:
        """Count a connection that ended unanswered as wasted, unless it lasted QUICK_SECONDS."""
        if now - since < QUICK_SECONDS:
            self._wasted.add(address, now)

    def is_suspect(self, address: str, now: float) -> bool:
        """Return whether an address has wasted SUSPICIOUS connections lately."""
        return self._wasted.count(address, now) >= SUSPICIOUS

    def is_too_fast(self, address: str, now: float) -> bool:
        """Return whether the next connection of an address is to be refused."""
        return (
            self._wasted.count(address, now) >= MOST_WASTED
            or self._opened.count(address, now) >= self._most
        )


def _from_the_most_idle(idle: dict[str | None, list[Lease]], most: int) -> list[Lease]:
    """Return at most `most` of them, each the oldest of the address that has most left."""
    chosen: list[Lease] = []
    # The number breaks ties: None cannot be compared with an address.
    heap = [(-len(leases), number, leases) for number, leases in enumerate(idle.values())]
    heapify(heap)
    while heap and len(chosen) < most:
        _, number, leases = heap[0]
        chosen.append(leases.pop())
        if leases:
            heapreplace(heap, (-len(leases), number, leases))
        else:
            heappop(heap)
    return chosen


def _never() -> bool:
    """Return False until the connection sets `is_idle`."""
    return False


def _nothing() -> None:
    """Do nothing until the connection sets `abort`."""
