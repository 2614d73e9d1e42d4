"""Who may connect: decided when a connection is accepted, before anything of it is read.

Rule: it enforces and does not judge. Bans are told to it (the RateLimiter decides on them), and it
tells whom it refused; it is synchronous, and belongs to the accept loop of one port.

Two caps: one per address, for whoever opens more connections than any office needs, and one in
total, which the process's descriptors allow. A trusted proxy speaks for many, so only the total
holds for it. Refusals by the total are nobody's fault and are not told as anybody's.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from cafe.limits.address import Networks, address_key, is_trusted

MAX_BANS = 100_000
"""Bans beyond these still close what is open; the RateLimiter refuses the rest by status."""

SWEEP_SECONDS = 1.0
"""Bans are looked through for expired ones at most this often."""

MAX_TOLD = 10_000
"""Addresses whose refusals are remembered until they are taken."""


class Lease:
    """The place that one open connection takes; give it back with `release`, once or more often."""

    __slots__ = ("_admission", "address", "on_ban")

    def __init__(self, admission: Admission, address: str | None) -> None:
        self._admission: Admission | None = admission
        self.address = address
        """The key it counts for; None behind a trusted proxy."""
        self.on_ban: Callable[[], None] = _nothing
        """Called when the address is banned; closes the connection there and then."""

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
        self.open = 0
        self.refused = 0
        self.isolated = 0
        """Connections that were ended because something failed while serving them."""
        self._per_address = per_address
        self._total = total
        self._trusted = trusted
        self._now = now
        self._leases: dict[str, set[Lease]] = {}
        self._bans: dict[str, float] = {}
        self._sweep_after = 0.0
        self._told: dict[str, int] = {}

    def admit(self, host: str) -> Lease | None:
        """Take a place for a connection from `host`, None when it is refused."""
        address = None if is_trusted(host, self._trusted) else address_key(host)
        if address is not None and self._is_refused(address):
            if address in self._told or len(self._told) < MAX_TOLD:
                self._told[address] = self._told.get(address, 0) + 1
        elif self.open < self._total:
            return self._enter(address)
        self.refused += 1
        return None

    def ban(self, address: str, until: float) -> None:
        """Refuse `address` until then (trio time), and close its connections now."""
        self._forget_old_bans()
        if address in self._bans or len(self._bans) < MAX_BANS:
            self._bans[address] = until
        for lease in tuple(self._leases.get(address, ())):
            lease.on_ban()

    def take_refusals(self) -> tuple[tuple[str, int], ...]:
        """Give who was refused how often, for being banned or over his cap, since last asked."""
        told, self._told = self._told, {}
        return tuple(told.items())

    def forget(self, lease: Lease) -> None:
        """Count a connection as closed; called by its lease."""
        self.open -= 1
        if lease.address is not None:
            leases = self._leases[lease.address]
            leases.discard(lease)
            if not leases:
                del self._leases[lease.address]

    def _is_refused(self, address: str) -> bool:
        until = self._bans.get(address)
        if until is not None:
            if self._now() < until:
                return True
            del self._bans[address]
        if self._per_address is None:
            return False
        return len(self._leases.get(address, ())) >= self._per_address

    def _enter(self, address: str | None) -> Lease:
        lease = Lease(self, address)
        self.open += 1
        if address is not None:
            self._leases.setdefault(address, set()).add(lease)
        return lease

    def _forget_old_bans(self) -> None:
        now = self._now()
        if now >= self._sweep_after:
            self._sweep_after = now + SWEEP_SECONDS
            self._bans = {address: until for address, until in self._bans.items() if now < until}


def _nothing() -> None:
    """Stand in until the connection says how it is closed."""
