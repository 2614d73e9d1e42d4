"""The listening sockets of one server.

Rule: bound and listening before anything else starts, or not at all: an address in use is one
sentence, and no socket stays open behind it.
"""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from cafe.server.config import ConfigError, DoorConfig, parse_bind

VANISHED_SECONDS = 60
"""A client whose machine or network has gone without a word is given up after about this."""

# Not every platform has all of them; accepted sockets inherit them.
TCP_OPTIONS = (
    ("TCP_NODELAY", 1),
    ("TCP_KEEPIDLE", VANISHED_SECONDS // 2),
    ("TCP_KEEPINTVL", VANISHED_SECONDS // 6),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", VANISHED_SECONDS * 1000),
)


class BindError(ConfigError):
    """An address that cannot be listened on; `address` is "host:port" as it was asked for."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Cannot listen on {address}: {reason}.")
        self.address = address


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket, whether it speaks TLS, and the URL under which it is reached."""

    socket: socket.socket
    tls: bool
    url: str


@contextmanager
def listening(config: DoorConfig) -> Generator[tuple[Listener, ...]]:
    """Listen on all addresses of `config` inside of the block. Raises BindError."""
    binds = [(text, config.ssl_enabled) for text in config.bind]
    binds += [(text, False) for text in config.insecure_bind]
    with ExitStack() as stack:
        yield tuple(_listen(stack, text, tls, config.backlog) for text, tls in binds)


def _listen(stack: ExitStack, text: str, tls: bool, backlog: int) -> Listener:  # noqa: FBT001
    host, port = parse_bind(text)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        raise BindError(text, error.strerror or str(error)) from None
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
    scheme = "https" if tls else "http"
    return Listener(listener, tls, f"{scheme}://{address}")
