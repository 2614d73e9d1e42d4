"""One call of the receiver: its request, its signature, and the outcome of the answer.

Rule: `send` raises no error and has a time-out: whatever the receiver does, the outcome is one
word. Only the status of its answer is stored, and neither the secret nor the URL, which may have
one, is logged.

Signatures are those of Standard Webhooks (https://www.standardwebhooks.com).

It uses httpx's transport and not its client: so there are no redirects to follow or to misread, no
cookies to keep, and no log lines of httpx.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

import httpx
import orjson
import structlog
import trio

from cafe.notifications.notification import Notification

SECONDS: Final = 15.0
"""The time-out of a whole call: to connect, to send, and to read the answer to its end."""
MOST_BODY: Final = 65_536
"""The most bytes that are read of an answer's body, so that its connection can be used again."""
IDLE_SECONDS: Final = 2.0
"""How long an idle connection is kept: receivers close idle ones after five seconds or more, and a
call on a connection that is being closed fails."""
MOST_IDLE: Final = 20
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how every secret begins

log: structlog.stdlib.BoundLogger = structlog.get_logger("notification")


class NoAnswer(StrEnum):
    """Why there was no answer, if the outcome of an attempt is not an HTTP status."""

    TIME_OUT = "time-out"
    UNREACHABLE = "unreachable"
    """No connection could be made, or TLS failed."""
    BROKEN = "broken"
    """The connection was lost, or the answer was not HTTP."""
    FAILED = "failed"
    """Any other error, which is logged."""


def body_of(one: Notification) -> bytes:
    """Return the JSON of a notification: the same in each attempt."""
    return orjson.dumps(
        {
            "event_id": one.event_id,
            "sequence": one.sequence,
            f"{one.topic}_id": one.subject_id,
            **orjson.loads(one.details),
            "status": one.status,
            "occurred_at": datetime.fromtimestamp(one.occurred_at, UTC),
        },
        option=orjson.OPT_UTC_Z,
    )


def signature_of(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` of a body."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.digest(key, signed, sha256)).decode()


def key_of(secret: str) -> bytes:
    """Return the key of a secret that begins with `whsec_`."""
    return b64decode(secret.removeprefix(SECRET_PREFIX))


@dataclass(frozen=True, slots=True)
class Webhook:
    """The receiver of a topic's notifications."""

    url: httpx.URL
    key: bytes | None
    """The key of the signatures; None without a secret."""
    transport: httpx.AsyncBaseTransport
    seconds: float = SECONDS
    clock: Callable[[], float] = time.time
    """The machine's clock, not the ledger's: the receiver compares it with its own."""

    async def send(self, one: Notification) -> str:
        """Make one attempt; return the status of the answer, or a word of NoAnswer."""
        with trio.move_on_after(self.seconds):
            try:
                return await self._call(one)
            except (httpx.ConnectError, httpx.UnsupportedProtocol):
                return NoAnswer.UNREACHABLE
            except httpx.TimeoutException:
                return NoAnswer.TIME_OUT
            except httpx.TransportError:
                return NoAnswer.BROKEN
            except Exception as error:  # noqa: BLE001 - a library may fail in any way on an answer
                log.warning("attempt failed", error=type(error).__name__)
                return NoAnswer.FAILED
        return NoAnswer.TIME_OUT

    async def _call(self, one: Notification) -> str:
        body = body_of(one)
        request = httpx.Request("POST", self.url, headers=self._headers(one, body), content=body)
        response = await self.transport.handle_async_request(request)
        try:
            await _drop_body(response)
        finally:
            await response.aclose()
        return str(response.status_code)

    def _headers(self, one: Notification, body: bytes) -> dict[str, str]:
        timestamp = int(self.clock())
        headers = {
            "content-type": "application/json",
            "user-agent": "trio-cafe",
            "webhook-id": one.event_id,
            "webhook-timestamp": str(timestamp),
        }
        if self.key is not None:
            signature = signature_of(self.key, one.event_id, timestamp, body)
            headers["webhook-signature"] = signature
        if self.url.userinfo:
            user = f"{self.url.username}:{self.url.password}".encode()
            headers["authorization"] = f"Basic {b64encode(user).decode()}"
        return headers


async def _drop_body(response: httpx.Response) -> None:
    """Read the body to its end, or up to MOST_BODY."""
    read = 0
    # Cancelled, without `break`: so all nested generators of the library end.
    with trio.CancelScope() as scope:
        async for chunk in response.aiter_raw():
            read += len(chunk)
            if read > MOST_BODY:
                scope.cancel()


@asynccontextmanager
async def open_webhook(
    url: str, secret: str | None, *, seconds: float = SECONDS
) -> AsyncGenerator[Webhook]:
    """Open the Webhook of a URL; close its connections at the end."""
    limits = httpx.Limits(
        max_connections=None,  # the sending has its own bound
        max_keepalive_connections=MOST_IDLE,
        keepalive_expiry=IDLE_SECONDS,
    )
    key = None if secret is None else key_of(secret)
    async with httpx.AsyncHTTPTransport(limits=limits, trust_env=False) as transport:
        yield Webhook(httpx.URL(url), key, transport, seconds)
