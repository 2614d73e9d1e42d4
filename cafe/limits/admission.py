"""Who may connect: decided when a connection is accepted, before anything of it is read.

Rule: it enforces and does not judge. Bans are told to it (the RateLimiter decides on them), and it
tells whom it refused; it is synchronous, and belongs to the accept loop of one port.

Two caps: one per address, for whoever opens more connections than any office needs, and one in
total, which the process's descriptors allow. A trusted proxy speaks for many, so only the total
holds for it. Refusals by the total are nobody's fault and are not told as anybody's. An address
that connects too fast (`pace`) is refused, too.

At the total an idle connection makes way for a newcomer, who has something to ask. The addresses
with most idle ones lose them first, so that nobody can keep the place by sitting there; trusted
proxies lose theirs only when nobody else has any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heapreplace

import trio

from cafe.limits.address import Networks, address_key, is_trusted
from cafe.limits.pace import Pace

MAX_BANS = 100_000
"""Bans beyond these still close what is open; the RateLimiter refuses the rest by status."""

SWEEP_SECONDS = 1.0
"""Bans are looked through for expired ones at most this often."""

MAX_TOLD = 10_000
"""Addresses whose refusals are remembered until they are taken."""

SHED_AT_ONCE = 64
"""Idle connections closed together: looking through all of them pays for so many newcomers."""

SHED_PAUSE = 0.1
"""Seconds until all are looked through again when too few were idle, so that refusing is cheap."""

FRESH_SECONDS = 1.0
"""Nobody who has only just come is idle: his request may be on its way."""


class Lease:
    """The place that one open connection takes; give it back with `release`, once or more often."""

    __slots__ = ("_admission", "abort", "address", "is_idle", "since", "was_used")

    def __init__(self, admission: Admission, address: str | None, since: float) -> None:
        self._admission: Admission | None = admission
        self.address = address
        """The key it counts for; None behind a trusted proxy."""
        self.since = since
        """When it was admitted."""
        self.was_used = False
        """Whether the client has been answered anything."""
        self.is_idle: Callable[[], bool] = _never
        """Tells whether closing the connection now would cost nobody an answer."""
        self.abort: Callable[[], None] = _nothing
        """Closes the connection, and its descriptor, there and then.

        Called when the address is banned, or when the connection is idle and its place is needed.
        """

    def release(self) -> None:
        """Make room for another connection."""
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
        """Idle connections that were closed because their place was needed."""
        self.malformed = 0
        """Connections that were closed because what came on them was no HTTP, or no TLS."""
        self.isolated = 0
        """Connections that were ended because something failed while serving them."""
        self.in_kernel: int | None = None
        """Addresses that the kernel keeps away; None where it does not. See `kernel_bans`."""
        self.bans_changed = trio.Event()
        """Set with the next ban; whoever waits for it puts a new one here before he looks."""
        self.released = trio.Event()
        """Set when the next connection closes; likewise."""
        self._per_address = per_address
        self._pace = None if per_address is None else Pace(per_address)
        self._total = total
        self._now = now
        # Of each address in the order in which they came; None: those of trusted proxies.
        self._leases: dict[str | None, dict[Lease, None]] = {}
        self._bans: dict[str, float] = {}  # the newest last
        self._sweep_after = 0.0
        self._shed_after = 0.0
        self._told: dict[str, int] = {}

    def admit(self, host: str) -> Lease | None:
        """Take a place for a connection from `host`, None when it is refused."""
        address = None if is_trusted(host, self.trusted) else address_key(host)
        if address is not None and self._is_refused(address):
            self._tell(address)
        elif self.open < self._total or self.make_room():
            return self._enter(address)
        self.refused += 1
        return None

    def is_suspect(self, lease: Lease) -> bool:
        """Tell whether this connection is best looked at before anything is done for it."""
        pace, address = self._pace, lease.address
        return bool(pace and address and pace.is_suspect(address, self._now()))

    def refuse(self, lease: Lease) -> None:
        """Take the place back from somebody who has left already, as such addresses do."""
        lease.release()
        self.refused += 1
        if lease.address is not None:
            self._tell(lease.address)

    def blame(self, lease: Lease) -> None:
        """Count that what came on this connection was no HTTP, against its address."""
        self.malformed += 1
        if lease.address is not None:
            self._tell(lease.address)

    def ban(self, address: str, until: float) -> None:
        """Refuse `address` until then (trio time), and close its connections now."""
        self._forget_old_bans()
        self._bans.pop(address, None)
        if len(self._bans) < MAX_BANS:
            self._bans[address] = until
        self.bans_changed.set()
        for lease in tuple(self._leases.get(address, ())):
            lease.abort()

    def newest_bans(self) -> Iterator[tuple[str, float]]:
        """Give the bans in force, the newest first, each with when it ends."""
        self._forget_old_bans()
        now = self._now()
        return ((who, until) for who, until in reversed(self._bans.items()) if now < until)

    def make_room(self) -> int:
        """Close idle connections, a batch at most, and give how many; the most idle first."""
        now = self._now()
        if now < self._shed_after:
            return 0
        idle = self._idle_ones(now)
        proxies = idle.pop(None, [])
        # A proxy may be about to use what looks idle, for a customer of whom we know nothing.
        chosen = _from_the_most_idle(idle, SHED_AT_ONCE) or proxies[-SHED_AT_ONCE:]
        if len(chosen) < SHED_AT_ONCE:
            self._shed_after = now + SHED_PAUSE
        for lease in chosen:
            lease.release()  # now, and not when its task has come to its end
            lease.abort()
        self.shed += len(chosen)
        return len(chosen)

    def take_refusals(self) -> tuple[tuple[str, int], ...]:
        """Give who was refused how often, for whatever he did at the door, since last asked."""
        told, self._told = self._told, {}
        return tuple(told.items())

    def forget(self, lease: Lease) -> None:
        """Count a connection as closed; called by its lease."""
        self.open -= 1
        leases = self._leases[lease.address]
        del leases[lease]
        if not leases:
            del self._leases[lease.address]
        self.released.set()
        if self._pace is not None and lease.address is not None and not lease.was_used:
            self._pace.left(lease.address, lease.since, self._now())

    def _tell(self, address: str) -> None:
        if address in self._told or len(self._told) < MAX_TOLD:
            self._told[address] = self._told.get(address, 0) + 1

    def _is_refused(self, address: str) -> bool:
        until = self._bans.get(address)
        if until is not None:
            if self._now() < until:
                return True
            del self._bans[address]
        if self._per_address is None or self._pace is None:
            return False
        has_all = len(self._leases.get(address, ())) >= self._per_address
        return has_all or self._pace.is_too_fast(address, self._now())

    def _enter(self, address: str | None) -> Lease:
        lease = Lease(self, address, self._now())
        self.open += 1
        if self._pace is not None and address is not None:
            self._pace.came(address, lease.since)
        self._leases.setdefault(address, {})[lease] = None
        return lease

    def _forget_old_bans(self) -> None:
        now = self._now()
        if now >= self._sweep_after:
            self._sweep_after = now + SWEEP_SECONDS
            self._bans = {address: until for address, until in self._bans.items() if now < until}

    def _idle_ones(self, now: float) -> dict[str | None, list[Lease]]:
        """Give the idle connections by address, of each the oldest last."""
        old = now - FRESH_SECONDS
        return {
            address: idle
            for address, leases in self._leases.items()
            if (idle := [one for one in reversed(leases) if one.since <= old and one.is_idle()])
        }


def _from_the_most_idle(idle: dict[str | None, list[Lease]], most: int) -> list[Lease]:
    """Choose one by one, each time from the address that has most left, there the oldest."""
    chosen: list[Lease] = []
    # The number tells addresses apart that have as many: None cannot be compared.
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
    """Stand in until the connection says whether it is idle."""
    return False


def _nothing() -> None:
    """Stand in until the connection says how it is closed."""
