"""The payment provider, over HTTP: one try to charge, or to refund, and the tasks that make them.

Rule: a try always ends with an `Answer`, in bounded time and memory; it raises nothing but a
cancellation. What the answer means for the payment is not decided here. This module is imported
only where there is a provider: httpx takes memory and time.

All tries to charge a payment have one `Idempotency-Key`, which is made of its id, and so have all
to refund it: each may be repeated. Redirects are not followed: a charge goes only to the URL of the
settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

import httpx
import structlog
import trio
from prometheus_client import Histogram

from actors import Ref
from cafe.payments.calls import PARALLEL, Ask, charging, refunding, work_lane
from cafe.payments.cashier import Cashier
from cafe.payments.messages import Lane
from cafe.payments.payment import MOST_ANSWER, Answer, Payment, Verdict

CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 10.0
"""The time-out of each read and write; twice as much for a whole try, plus CONNECT_SECONDS."""
MOST_REF: Final = 255

LATER: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,  # a try with the same key is still running
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
# Nothing of the request was sent.
UNREACHED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

log: structlog.stdlib.BoundLogger = structlog.get_logger("payment")


def charge_key(payment: Payment) -> str:
    """Return the key of all tries to charge a payment."""
    return f"charge-{payment.payment_id}"


def refund_key(payment: Payment) -> str:
    """Return the key of all tries to refund a payment."""
    return f"refund-{payment.payment_id}"


async def charge_payments(cashier: Ref[Cashier], url: str, seconds: Histogram) -> None:
    """Charge payments; never returns."""
    async with open_client(PARALLEL) as client:
        ask: Ask = partial(charge, client, url)
        await work_lane(cashier, Lane.CHARGE, charging(ask, seconds))


async def refund_payments(cashier: Ref[Cashier], url: str, seconds: Histogram) -> None:
    """Refund payments; never returns."""
    async with open_client(PARALLEL) as client:
        ask: Ask = partial(refund, client, url)
        await work_lane(cashier, Lane.REFUND, refunding(ask, seconds))


@asynccontextmanager
async def open_client(parallel: int) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client for `parallel` concurrent calls; certificates are verified.

    Proxies that the environment names are not used.
    """
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    limits = httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel)
    async with httpx.AsyncClient(
        verify=httpx.create_ssl_context(), timeout=timeout, limits=limits, trust_env=False
    ) as client:
        yield client


async def charge(client: httpx.AsyncClient, url: str, payment: Payment) -> Answer:
    """Try to charge a payment."""
    return await post(client, url, charge_key(payment), {"value": payment.total_cents})


async def refund(client: httpx.AsyncClient, url: str, payment: Payment) -> Answer:
    """Try to refund a payment."""
    of_charge = {"charge_id": payment.charge_ref, "charge_key": charge_key(payment)}
    return await post(client, url, refund_key(payment), {"value": payment.total_cents, **of_charge})


async def post(client: httpx.AsyncClient, url: str, key: str, members: Mapping[str, Any]) -> Answer:
    """Send JSON once, and return the outcome."""
    answer = Answer(Verdict.BROKEN)
    try:
        with trio.move_on_after(CONNECT_SECONDS + 2 * ANSWER_SECONDS):
            # Not compressed: a few bytes could become many.
            fields = {"Idempotency-Key": key, "Accept-Encoding": "identity"}
            request = client.build_request("POST", url, json=members, headers=fields)
            response = await client.send(request, stream=True)
            try:
                answer = answer_of(response, await read_beginning(response))
            finally:
                await response.aclose()
    except UNREACHED:
        return Answer(Verdict.UNREACHED)
    except httpx.HTTPError:
        pass  # the outcome is unknown, unless the answer was read
    except Exception as error:  # noqa: BLE001 - a library's bug must not end the shop
        log.error("provider call failed", error=type(error).__name__)  # noqa: TRY400 - as it says
    return answer


async def read_beginning(response: httpx.Response) -> bytes:
    """Return at most MOST_ANSWER bytes of a body; fewer if the rest is lost or late."""
    read = b""
    with trio.move_on_after(ANSWER_SECONDS) as scope, suppress(httpx.HTTPError):
        async for piece in response.aiter_raw():
            read += piece[:MOST_ANSWER]
            if len(read) >= MOST_ANSWER:
                # Not `break`: httpx would leave its iterators to the garbage collector.
                scope.cancel()
    return read[:MOST_ANSWER]


def answer_of(response: httpx.Response, body: bytes) -> Answer:
    """Return the outcome that a response means."""
    text = _UNFIT.sub("�", body.decode("utf-8", errors="replace"))[:MOST_ANSWER]
    pause = response.headers.get("Retry-After", "")
    return Answer(
        verdict_of(response.status_code),
        response.status_code,
        ref_of(text),
        text,
        float(pause) if _SECONDS.fullmatch(pause) else None,
    )


def verdict_of(status: int) -> Verdict:
    """Return what an HTTP status says of a charge or a refund."""
    if httpx.codes.is_success(status):
        return Verdict.ACCEPTED
    if httpx.codes.is_server_error(status):
        return Verdict.BROKEN
    is_no = httpx.codes.is_client_error(status) and status not in LATER
    # A redirect is a wrong setting: the outcome is unknown.
    return Verdict.REFUSED if is_no else Verdict.LATER


def ref_of(text: str) -> str | None:
    """Return the provider's id in the JSON of an answer, if it has one."""
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    members = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    ref = members.get("id")
    is_id = isinstance(ref, str | int) and not isinstance(ref, bool)
    return str(ref)[:MOST_REF] if is_id else None
