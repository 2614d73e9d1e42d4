"""The players' HTTP client, with retries.

Rule: a request waits for its response as long as it takes; only connecting has a time-out. If the
shop cannot be reached, is closing, or answers 429, the request is retried after growing pauses.
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

OpenTransport = Callable[[str | None], httpx.AsyncBaseTransport]
"""Returns the transport of one client, which connects from this local address, if one is given."""

_CONNECT_SECONDS = 30.0
_PAUSES = (0.25, 0.5, 1.0, 2.0)
_LONGEST_PAUSE = 4.0


class PlayerError(TyperException):
    """The base of the errors that end a player's command with one line and exit code 1."""

    exit_code = 1


class UnreachableError(PlayerError):
    """The shop could not be reached, and the time for retries is over."""

    def __init__(self, url: str, reason: str, seconds: float) -> None:
        super().__init__(f"{url} cannot be reached ({reason}); tried for {seconds:g} s.")
        self.url = url
        self.reason = reason


class UnexpectedAnswerError(PlayerError):
    """The answer is not one of the shop's, or refuses this client."""

    def __init__(self, response: httpx.Response, hint: str) -> None:
        request = response.request
        super().__init__(f"{request.method} {request.url} gave {response.status_code}: {hint}")
        self.status = response.status_code


@functools.cache
def _tls() -> ssl.SSLContext:
    """Load the certificate authorities once: that takes longer than an order."""
    return httpx.create_ssl_context()


def open_tcp(source: str | None) -> httpx.AsyncBaseTransport:
    """Return a transport over TCP, without a limit on its connections."""
    # Barista and shop decide when an idle connection ends; httpx would close it after 5 s.
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=None, keepalive_expiry=None
    )
    return httpx.AsyncHTTPTransport(verify=_tls(), limits=limits, local_address=source)


def open_client(
    url: str,
    *,
    transport: OpenTransport = open_tcp,
    source: str | None = None,
    token: str | None = None,
) -> httpx.AsyncClient:
    """Return a client of the shop at `url`; use it as an async context manager."""
    return httpx.AsyncClient(
        base_url=url,
        transport=transport(source),
        timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
        headers={"Authorization": f"Bearer {token}"} if token else None,
        trust_env=False,
    )


async def request_with_retries(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    retry_for: float,
    on_retry: Callable[[str], None] = lambda _: None,
    **arguments: Any,
) -> httpx.Response:
    """Return the first response below 500 that is not a 429.

    After `retry_for` seconds without one, raise UnreachableError. `arguments` are passed to httpx.
    `on_retry` is called with the reason before each pause.
    """
    deadline = trio.current_time() + retry_for
    pauses = chain(_PAUSES, repeat(_LONGEST_PAUSE))
    while True:
        pause = next(pauses)
        try:
            response = await client.request(method, path, **arguments)
        except httpx.RequestError as error:
            reason = describe(error)
        else:
            status = response.status_code
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
                return response
            reason = f"it answered {status}"
            pause = max(pause, _retry_after(response))
        if trio.current_time() + pause > deadline:
            raise UnreachableError(str(client.base_url), reason, retry_for)
        on_retry(reason)
        await trio.sleep(pause)


async def wait_until_open(client: httpx.AsyncClient, *, retry_for: float) -> None:
    """Return when the shop answers; raise PlayerError if it does not, or is not the café.

    A proxy may keep the health routes to itself: then its menu tells that it is the café.
    """
    response = await request_with_retries(client, "GET", "/livez", retry_for=retry_for)
    hidden = response.status_code == HTTPStatus.NOT_FOUND
    if hidden:
        response = await request_with_retries(client, "GET", "/menu", retry_for=retry_for)
    if response.status_code != HTTPStatus.OK:
        raise UnexpectedAnswerError(response, "this is not the café.")
    if hidden:
        parse(response, "products")


def describe(error: httpx.RequestError) -> str:
    """Return in a few words why a request failed, or its response cannot be read."""
    return str(error) or type(error).__name__


def parse(response: httpx.Response, *members: str) -> dict[str, Any]:
    """Return a response's JSON object; raise UnexpectedAnswerError if it lacks these members.

    The JSON parser raises RecursionError if the nesting is too deep.
    """
    try:
        answer: Any = response.json()
    except (ValueError, RecursionError):
        answer = None
    if not (isinstance(answer, dict) and answer.keys() >= set(members)):
        raise UnexpectedAnswerError(response, "its body is not what the café sends.")
    return cast("dict[str, Any]", answer)


def _retry_after(response: httpx.Response) -> float:
    """Return Retry-After in seconds; the shop does not send its form as a date."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0
