"""The client's address: the one key under which a client is counted, limited and banned.

Rule: pure, and nothing that a client writes decides under which key it is counted. The peer of the
connection is trusted; a forwarding header is trusted only as far as trusted proxies wrote it. It is
read from the right, where the nearest proxy appended.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Networks = tuple[IPv4Network | IPv6Network, ...]

_IPV6_PREFIX = 64  # one customer's network, who can use any of its 2**64 addresses
_MAPPED_PREFIX = 96  # ::ffff:0:0/96 is IPv4 on a dual-stack socket

# RFC 7239, section 4. An unquoted value may be more than a token: proxies leave out the quotes.
_PAIR = re.compile(
    r"[ \t]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s",;]+))[ \t]*(?:;|$)'
)
# RFC 7239, section 6, and the forms in X-Forwarded-For: [v6], [v6]:port, v4, v4:port, bare v6.
# No address is longer than 45 characters, which also bounds the entries of the caches below.
_NODE = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]{2,45})\](?::[\w.-]+)?"
    r"|(?P<with_port>[0-9.]{7,15}):[\w.-]+"
    r"|(?P<bare>[0-9A-Fa-f:.]{2,45})"
)


@lru_cache(maxsize=8192)  # slow, and called for every connection and request; as below
def address_key(host: str) -> str:
    """Return the key that `host` is counted under: IPv6 by its /64, mapped IPv4 as IPv4.

    A host that is not an IP address, such as "" for a peer without one, is its own key.
    """
    address = _parse_address(host)
    if address is None:
        return host
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), _IPV6_PREFIX), strict=False))


def parse_key(text: str) -> str:
    """Return the key of an IP address or an IPv6 /64, which is its own key.

    Raises ValueError for anything else.
    """
    if _parse_address(text) is not None:
        return address_key(text)
    network = IPv6Network(text)
    if network.prefixlen != _IPV6_PREFIX:
        raise ValueError(f"{text!r} is no /64")
    return str(network)


def parse_networks(text: str) -> Networks:
    """Parse comma-separated CIDRs, as in `10.0.0.0/8, 2001:db8::/32`; a lone address is a network.

    Raises ValueError, one sentence that names the item, for anything that is not a network.
    """
    return tuple(_parse_network(item) for item in map(str.strip, text.split(",")) if item)


def is_trusted(host: str, trusted: Networks) -> bool:
    """Return whether `host` is an address in one of the `trusted` networks."""
    if not trusted:
        return False
    address = _parse_address(host)
    return address is not None and any(address in network for network in trusted)


def client_address(peer: str, headers: Sequence[tuple[bytes, bytes]], trusted: Networks) -> str:
    """Return the key of the client that sent a request; `headers` are those of ASGI.

    It is the peer's key, unless the peer is a trusted proxy: then that of the rightmost untrusted
    hop in `Forwarded` (RFC 7239) or `X-Forwarded-For`, or of the leftmost hop if all are trusted.
    Several lines of a header are one list, in order. The proxy's own key is returned if the client
    is not known (no header, `unknown`, an obfuscated or malformed hop), and if both headers were
    sent and differ: most proxies write one of them and pass on the other as the client sent it.
    """
    if not trusted or not is_trusted(peer, trusted):
        return address_key(peer)
    readers = {b"forwarded": _forwarded_for, b"x-forwarded-for": _node_address}
    found = {
        _client_behind(
            map(read, _items_from_the_right(b",".join(lines).decode("latin-1"))), trusted
        )
        for name, read in readers.items()
        if (lines := [value for header, value in headers if header == name])
    }
    client = found.pop() if len(found) == 1 else None
    return address_key(peer) if client is None else client


@lru_cache(maxsize=8192)
def _parse_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _parse_network(item: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(item)
    except ValueError as error:
        message = f"{item!r} is not a network like 10.0.0.0/8 or 2001:db8::/32: {error}"
        raise ValueError(message) from None
    mapped = isinstance(network, IPv6Network) and network.network_address.ipv4_mapped
    if mapped and network.prefixlen >= _MAPPED_PREFIX:
        return IPv4Network((int(mapped), network.prefixlen - _MAPPED_PREFIX))
    return network


def _client_behind(hops: Iterable[str | None], trusted: Networks) -> str | None:
    """Return the key of the first untrusted hop, the nearest first; None if one is malformed."""
    hop = None
    for hop in hops:
        if hop is None or not is_trusted(hop, trusted):
            break
    return None if hop is None else address_key(hop)


def _items_from_the_right(text: str) -> Iterator[str]:
    """Yield the comma-separated items, last first, skipping empty ones.

    Quotes are paired from the right, too: read from the left, an unpaired quote of the client would
    swallow the items that proxies append.
    """
    end, quoted = len(text), False
    for mark in re.finditer(r',|"(?P<escapes>\\*)', text[::-1]):
        if mark[0] == ",":
            comma = len(text) - mark.end()
            if not quoted:
                if item := text[comma + 1 : end].strip(" \t"):
                    yield item
                end = comma
        elif len(mark["escapes"]) % 2 == 0:
            quoted = not quoted
    if item := text[:end].strip(" \t"):
        yield item


def _forwarded_for(item: str) -> str | None:
    """Return the address in `for=` of one `Forwarded` element, None if there is none."""
    parameters: dict[str, str] = {}
    place = 0
    while place < len(item):
        pair = _PAIR.match(item, place)
        if pair is None or pair["name"].lower() in parameters:
            return None
        # Escapes are left as they are: no address needs one.
        parameters[pair["name"].lower()] = pair["quoted"] or pair["bare"] or ""
        place = pair.end()
    return _node_address(parameters.get("for", ""))


def _node_address(node: str) -> str | None:
    """Return the IP address of a hop, None for `unknown`, `_hidden` and anything malformed."""
    match = _NODE.fullmatch(node)
    host = match and (match["bracketed"] or match["with_port"] or match["bare"])
    return host if host and _parse_address(host) else None
