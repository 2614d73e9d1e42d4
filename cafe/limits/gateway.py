"""Detects that all customers seem to come from one address: a gateway's, not a customer's.

Rule: pure, and cheap enough for each request. If a container engine forwards a published port by a
program of its own (rootless engines, those of desktops, and IPv6 without an IPv6 network), every
connection comes from the gateway of the container's network. Then all customers share one limit,
and one attacker gets all of them banned.

A gateway cannot be told for certain from a customer on the same private network. So the criterion
is many connections, and nearly all requests, from one private address.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network
from typing import Final

SAMPLE: Final = 200
"""Requests in one sample."""
NEARLY_ALL: Final = 190
"""Requests from one address in a sample, at least, if it is a gateway's."""
CONNECTIONS: Final = 20
"""Connections from a gateway in a sample, at least; one customer has fewer."""

PRIVATE: Final = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)
"""RFC 1918 and RFC 4193. Not loopback: a test or a proxy on this machine connects from there."""


class GatewayWatch:
    """Checks in each sample whether one private address sends nearly all requests."""

    __slots__ = ("_address", "_connections", "_matches", "_seen")

    _address: str | None
    """The first private address of the sample, which is a gateway's nineteen times in twenty."""

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
    """Return whether the key of an address is in a private network; False if it is no address."""
    try:
        network = ip_network(key)
    except ValueError:
        return False
    return any(
        network.version == other.version and network.network_address in other for other in PRIVATE
    )
