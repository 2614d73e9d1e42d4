"""Problem bodies (RFC 9457): the one shape of every response with a status of 400 or more.

Rule: all of them are made here, and none reveals anything about the inside of the server.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from http import HTTPStatus
from random import getrandbits
from typing import Any, Final

import orjson
from starlette.responses import Response

from cafe.http.refusals import CafeRefusal

MEDIA_TYPE = "application/problem+json"

NO_STORE: Final = (b"cache-control", b"no-store")
"""For responses that no cache may store: they are current only now, and for one client only."""

# RFC 9457, 4.2.1: the status is the type. A client acts on further members (`limit`, `reason`,
# `order_status`), which are documented in OpenAPI.
PLAIN = "about:blank"


def problem_body(
    status: int, *, title: str | None = None, detail: str = "", instance: str = "", **members: Any
) -> bytes:
    """Return the JSON of a problem; `title` and `detail` default to the status's phrase."""
    body = {
        "type": PLAIN,
        "title": title or phrase(status),
        "status": status,
        "detail": detail or phrase(status),
        "instance": instance,
        **members,
    }
    return orjson.dumps(body)


def problem_response(
    scope: MutableMapping[str, Any],
    status: int,
    *,
    title: str | None = None,
    detail: str = "",
    headers: Sequence[tuple[bytes, bytes]] = (),
    **members: Any,
) -> Response:
    """Return the response, which is an ASGI application to call with `(scope, receive, send)`.

    Its `instance` has the request's id, by which its log line is found.
    """
    body = problem_body(status, title=title, detail=detail, instance=instance_of(scope), **members)
    # Plain, because the log shows it: an HTTPStatus looks like `<HTTPStatus.GONE: 410>` there.
    response = Response(body, int(status), media_type=MEDIA_TYPE)
    response.raw_headers += (NO_STORE, *headers)
    return response


def refusal_response(scope: MutableMapping[str, Any], refusal: CafeRefusal) -> Response:
    """Return the problem of a refusal."""
    return problem_response(
        scope,
        refusal.status,
        detail=str(refusal),
        headers=refusal.headers(),
        **refusal.problem_members(),
    )


def request_id_of(scope: MutableMapping[str, Any]) -> str:
    """Return the request's id; a request without one gets a new one."""
    state: dict[str, Any] = scope.setdefault("state", {})
    request_id: str | None = state.get("request_id")
    if request_id is None:
        request_id = f"{getrandbits(64):016x}"
        state["request_id"] = request_id
    return request_id


def instance_of(scope: MutableMapping[str, Any]) -> str:
    """Return the URI of this occurrence of a problem, which has the request's id."""
    return f"urn:request:{request_id_of(scope)}"


def phrase(status: int) -> str:
    """Return the phrase of a status, as this version of Python spells it."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown status"
