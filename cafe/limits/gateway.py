"""Whether all customers seem to come from one address: that of a gateway, not of a customer.

Rule: pure, and cheap enough for each request. Where an engine for containers forwards a published
port by a program of its own (rootless ones, those of desktops, and IPv6 without a network that has
it), every connection comes from the gateway of the container's network. Then all customers share
one limit, and one attacker has all of them banned.

Nothing tells a gateway from a customer on the same private network for certain. So what is asked
for is many connections, and nearly all requests, from one private address.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network
from typing import Final

SAMPLE: Final = 200
"""Requests that are looked at together."""
NEARLY_ALL: Final = 190
"""Of a sample, so many come from one address if that is the gateway's."""
CONNECTIONS: Final = 20
"""One customer has fewer connections than so many in a sample."""

PRIVATE: Final = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)
"""RFC 1918 and RFC 4193. Loopback is none: a test or a proxy on this machine comes from there."""


class GatewayWatch:
    """Finds out, sample by sample, whether one private address sends nearly all requests."""

    __slots__ = ("_address", "_connections", "_matches", "_seen")

    _address: str | None
    """The first private address of the sample: a gateway's is that nineteen times in twenty."""

    def __init__(self) -> None:
        self._begin()

    def count(self, address: str, port: int) -> str | None:
        """Count a request from an address, as `address_key` returns it, and a peer's port.

        Returns the gateway's address if this request has completed a sample that shows one.
        """
        if self._address is None and is_private(address):
            self._address = address
        if address == self._address:
            self._matches += 1
            self._connections.add(port)
        self._seen += 1
        if self._seen < SAMPLE:
            return None
        found = self._matches >= NEARLY_ALL and len(self._connections) >= CONNECTIONS
        suspect = self._address if found else None
        self._begin()
        return suspect

    def _begin(self) -> None:
        self._seen = self._matches = 0
        self._address = None
        self._connections: set[int] = set()


@lru_cache(maxsize=1024)  # asked for each request until one is private
def is_private(key: str) -> bool:
    """Return whether the key of an address is in a private network; false for no address."""
    try:
        network = ip_network(key)
    except ValueError:
        return False
    return any(
        network.version == other.version and network.network_address in other for other in PRIVATE
    )
