"""`cafe health`: asks the shop on this machine whether it serves, for a container's health check.

Rule: an orchestrator runs this every few seconds beside a shop that needs the processor, so it
imports little: no settings with their checks, no hypercorn, no HTTP client. It finds the customers'
port from the same variables and the same file as `cafe serve`, which refuses a wrong file, and asks
`/livez` there.
"""

from __future__ import annotations

import socket
import time
import tomllib
from typing import Any, NamedTuple

from cafe.cli.streams import flush_output, ignore_output_error, print_error
from cafe.operations.printable import printable
from cafe.variables import variables

SECONDS = 2.0
"""The time-out of the shop's answer."""
UNHEALTHY = 1
"""The exit code if the shop does not answer 200 in time."""
DEFAULT_CONFIG = "hypercorn_client.toml"
DEFAULT_BIND = "127.0.0.1:8080"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
"""The address to ask for a port that is open on all addresses."""
LAST_PORT = 65535
OK = b"HTTP/1.1 200 "


class UnhealthyError(Exception):
    """The shop is not alive, or cannot be asked; the message is one sentence."""


class Place(NamedTuple):
    """The address of the customers' port."""

    host: str
    port: int
    has_tls: bool

    @property
    def url(self) -> str:
        """Return the URL that is asked."""
        scheme = "https" if self.has_tls else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/livez"


def health() -> int:
    """Ask the shop on this machine whether it is alive: exit code 0 if so, else 1.

    It asks /livez of the customers' port, where the variables and hypercorn_client.toml put it
    (options of `cafe serve` are not known here), and waits 2 s at most.
    """
    try:
        place = find_place()
        ask(place)
    except UnhealthyError as error:
        print_error(f"cafe: {error}")
        return UNHEALTHY
    print(f"The shop is alive at {printable(place.url)}.")
    flush_output()
    ignore_output_error()  # the exit code is the answer
    return 0


def find_place() -> Place:
    """Return the address of the customers' port by the settings; raises UnhealthyError."""
    given = variables(["client_bind", "client_config"])
    config = _read(given.get("client_config"))
    bind: Any = given.get("client_bind") or config.get("bind") or DEFAULT_BIND
    first = bind if isinstance(bind, str) else str(bind[0])
    host, _, port = first.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise UnhealthyError(f"{first!r} is not an address like 127.0.0.1:8080.")
    if int(port) == 0:
        raise UnhealthyError("The shop chooses its port at each start: set CAFE_CLIENT_BIND.")
    return Place(EVERYWHERE.get(host, host), int(port), "certfile" in config)


def _read(named: str | None) -> dict[str, Any]:
    """Return the contents of the TOML file; empty if it is missing and was not named."""
    path = named or DEFAULT_CONFIG
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - importing pathlib costs time
            return tomllib.load(file)
    except OSError as error:
        if named is None and isinstance(error, FileNotFoundError):
            return {}
        raise UnhealthyError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UnhealthyError(f"{path} is not TOML: {error}.") from None


def ask(place: Place) -> None:
    """Return if the shop answers 200 in time; else raise UnhealthyError."""
    deadline = time.monotonic() + SECONDS
    head = b""
    try:
        with connect(place) as connection:
            connection.sendall(
                b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
                b"User-Agent: cafe-health\r\nConnection: close\r\n\r\n"
            )
            while len(head) < len(OK):
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                if not (more := connection.recv(1024)):
                    break
                head += more
    except TimeoutError:
        raise UnhealthyError(f"{place.url} has not answered within {SECONDS:g} s.") from None
    except OSError as error:
        raise UnhealthyError(f"{place.url} cannot be asked: {error.strerror or error}.") from None
    if not head.startswith(OK):
        status = head.partition(b"\r")[0].decode("ascii", "backslashreplace") or "nothing"
        raise UnhealthyError(f"{place.url} answered {status}.")


def connect(place: Place) -> socket.socket:
    """Open a connection to the shop, with TLS if its port has it.

    Its certificate is not verified: nothing secret is sent, and a certificate that was renewed on
    disk while the shop runs is no reason to restart it.
    """
    plain = socket.create_connection((place.host, place.port), SECONDS)
    if not place.has_tls:
        return plain
    import ssl  # noqa: PLC0415 - most shops do not need it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)
