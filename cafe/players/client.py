"""How a player reaches the shop over HTTP.

Rule: a request waits as long as the shop lets it wait; only connecting is bounded. A shop that is
not there, is closing, or is asked too often, is asked again after growing pauses, until patience
ends.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

import httpx
import trio
from typer.exceptions import TyperException

if TYPE_CHECKING:
    import ssl

Door = Callable[[str | None], httpx.AsyncBaseTransport]
"""Makes the transport of one client, from the local address where one is given."""

_CONNECT_SECONDS = 30.0
_PAUSES = (0.25, 0.5, 1.0, 2.0)
_LONGEST_PAUSE = 4.0


class PlayerError(TyperException):
    """The base of what ends a player's command with one line and exit code 1."""

    exit_code = 1


class UnreachableError(PlayerError):
    """The shop did not answer for as long as the player's patience lasted."""

    def __init__(self, url: str, trouble: str, seconds: float) -> None:
        super().__init__(f"{url} cannot be reached ({trouble}); tried for {seconds:g} s.")
        self.url = url
        self.trouble = trouble


class UnexpectedAnswerError(PlayerError):
    """Something answered that does not speak the shop's contract, or wants a token."""

    def __init__(self, response: httpx.Response, hint: str) -> None:
        request = response.request
        super().__init__(f"{request.method} {request.url} gave {response.status_code}: {hint}")
        self.status = response.status_code


@functools.cache
def _tls() -> ssl.SSLContext:
    """Load the certificate authorities once: it takes longer than an order."""
    return httpx.create_ssl_context()


def tcp(source: str | None) -> httpx.AsyncBaseTransport:
    """Make a transport over real sockets, as many at once as are asked for."""
    # Barista and shop decide when an idle connection ends; httpx would drop it after 5 s.
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=None, keepalive_expiry=None
    )
    return httpx.AsyncHTTPTransport(verify=_tls(), limits=limits, local_address=source)


def open_client(
    url: str, *, door: Door = tcp, source: str | None = None, token: str | None = None
) -> httpx.AsyncClient:
    """Make a client of the shop at `url`; use it as an async context manager."""
    return httpx.AsyncClient(
        base_url=url,
        transport=door(source),
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        headers={"Authorization": f"Bearer {token}"} if token else None,
        trust_env=False,
    )


async def ask_patiently(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    patience: float,
    on_trouble: Callable[[str], None] = lambda _: None,
    **arguments: Any,
) -> httpx.Response:
    """Ask until there is an answer below 500 and no 429; raise UnreachableError after `patience` s.

    `arguments` go to httpx as they are. `on_trouble` is told why before each pause.
    """
    deadline = trio.current_time() + patience
    pauses = chain(_PAUSES, repeat(_LONGEST_PAUSE))
    while True:
        pause = next(pauses)
        try:
            response = await client.request(method, path, **arguments)
        except httpx.RequestError as error:
            trouble = describe(error)
        else:
            status = response.status_code
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
                return response
            trouble = f"it answered {status}"
            pause = max(pause, _retry_after(response))
        if trio.current_time() + pause > deadline:
            raise UnreachableError(str(client.base_url), trouble, patience)
        on_trouble(trouble)
        await trio.sleep(pause)


async def wait_until_open(client: httpx.AsyncClient, *, patience: float) -> None:
    """Return as soon as the shop lives; raise PlayerError when it does not, or is another's."""
    response = await ask_patiently(client, "GET", "/livez", patience=patience)
    if response.status_code != HTTPStatus.OK:
        raise UnexpectedAnswerError(response, "this is not the café.")


def describe(error: httpx.RequestError) -> str:
    """Say in a few words what happened to a connection, or why its answer cannot be read."""
    return str(error) or type(error).__name__


def parse(response: httpx.Response, *members: str) -> dict[str, Any]:
    """Give an answer's JSON object; raise UnexpectedAnswerError if it is none with these members.

    A reader of JSON raises RecursionError where that is too deep.
    """
    try:
        answer: Any = response.json()
    except (ValueError, RecursionError):
        answer = None
    if not (isinstance(answer, dict) and answer.keys() >= set(members)):
        raise UnexpectedAnswerError(response, "its body is not what the café sends.")
    return cast("dict[str, Any]", answer)


def _retry_after(response: httpx.Response) -> float:
    """Read Retry-After in seconds; its form as a date is not sent by the shop."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0
