"""Problem bodies (RFC 9457): the one shape in which this shop says no or says sorry.

Rule: whatever goes out with a status of 400 or more is made here, and says nothing of our insides.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping, Sequence
from http import HTTPStatus
from random import getrandbits
from typing import Any, Final

from starlette.responses import Response

from cafe.http.refusals import CafeRefusal

MEDIA_TYPE = "application/problem+json"

NO_STORE: Final = (b"cache-control", b"no-store")
"""On every answer of ours: what it says of orders and people is true now, and nobody else's."""

# RFC 9457, 4.2.1: the status says it all. What a client acts on stands in members (`limit`,
# `reason`, `order_status`), which are documented in OpenAPI.
PLAIN = "about:blank"

# Made once: `json.dumps` would make one for each body, which takes as long as the body.
ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def problem_body(
    status: int, *, title: str | None = None, detail: str = "", instance: str = "", **members: Any
) -> bytes:
    """Give the JSON body of a problem; `title` defaults to the status's own phrase."""
    body = {
        "type": PLAIN,
        "title": title or phrase(status),
        "status": status,
        "detail": detail or phrase(status),
        "instance": instance,
        **members,
    }
    return ENCODER.encode(body).encode()


def problem_response(
    scope: MutableMapping[str, Any],
    status: int,
    *,
    title: str | None = None,
    detail: str = "",
    headers: Sequence[tuple[bytes, bytes]] = (),
    **members: Any,
) -> Response:
    """Give a response, which is itself an ASGI application to call with `(scope, receive, send)`.

    `instance` names this very request by its id, so that a complaint finds its log line.
    """
    body = problem_body(status, title=title, detail=detail, instance=instance_of(scope), **members)
    response = Response(body, status, media_type=MEDIA_TYPE)
    response.raw_headers += (NO_STORE, *headers)
    return response


def refusal_response(scope: MutableMapping[str, Any], refusal: CafeRefusal) -> Response:
    """Turn a refusal into a problem."""
    return problem_response(
        scope,
        refusal.status,
        detail=str(refusal),
        headers=refusal.headers(),
        **refusal.members(),
    )


def request_id_of(scope: MutableMapping[str, Any]) -> str:
    """Give the request's id; a request that has none yet gets one here."""
    state: dict[str, Any] = scope.setdefault("state", {})
    request_id: str | None = state.get("request_id")
    if request_id is None:
        request_id = f"{getrandbits(64):016x}"
        state["request_id"] = request_id
    return request_id


def instance_of(scope: MutableMapping[str, Any]) -> str:
    """Give the URI of this occurrence of a problem, which names the request by its id."""
    return f"urn:request:{request_id_of(scope)}"


def phrase(status: int) -> str:
    """Give the status's own phrase, as in RFC 9110."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown status"
