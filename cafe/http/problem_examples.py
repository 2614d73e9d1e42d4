"""The examples of problems in OpenAPI: for each status an answer of the shop.

Rule: an example is made of the refusal itself if a route names one. The others are here, and a test
compares them with real answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from cafe.http.authentication import Forbidden, Role, Unauthenticated
from cafe.http.problem import problem_body
from cafe.http.refusals import CafeRefusal

INSTANCE: Final = "urn:request:1f0c2a9be6d34d07"

REFUSED: Final[Mapping[int, CafeRefusal]] = {
    one.status: one
    for one in (Unauthenticated(), Forbidden(Role.BARISTA, frozenset({Role.MANAGER})))
}
BROKEN_JSON: Final = {"loc": ["body", 15], "type": "json_invalid", "message": "JSON decode error"}
TOO_LARGE: Final = {
    "loc": ["query", "limit"],
    "type": "less_than_equal",
    "message": "Input should be less than or equal to 500",
}
USUAL: Final[Mapping[int, Mapping[str, Any]]] = {
    400: {"detail": "body.15: JSON decode error", "errors": [BROKEN_JSON]},
    408: {"detail": "The body took longer than 10 s."},
    413: {"detail": "A body may have 65536 bytes."},
    414: {"detail": "A target may have 8192 bytes."},
    422: {
        "detail": "query.limit: Input should be less than or equal to 500",
        "errors": [TOO_LARGE],
    },
    429: {
        "detail": "Your address may make 600 requests in 10 s and has made them.",
        "limit": "requests",
    },
    500: {"detail": "Something went wrong here; it has been logged."},
    503: {
        "detail": "The shop's database is not available at the moment; try again soon.",
        "reason": "ledger",
    },
}
"""The usual members of a problem of this status, beside those that all have."""

UNSAID: Final[Mapping[int, str]] = {
    404: "There is nothing with this id.",
    409: "This cannot be done as things stand.",
}
"""The details for routes that name neither a refusal nor a reason."""


def problem_example(
    status: int, refusal: CafeRefusal | None = None, because: str = ""
) -> dict[str, Any]:
    """Return the problem of `refusal`, else the usual one of this status.

    If a status has no usual one, `because` is its detail, unless it is about members.
    """
    refusal = refusal or REFUSED.get(status)
    if refusal is not None:
        return problem(status, str(refusal), **refusal.problem_members())
    if status in USUAL:
        return problem(status, **USUAL[status])
    return problem(status, UNSAID.get(status, "") if not because or "`" in because else because)


def problem(status: int, detail: str, **members: Any) -> dict[str, Any]:
    """Return the JSON values of a problem."""
    body = problem_body(status, detail=detail, instance=INSTANCE, **members)
    shown: dict[str, Any] = orjson.loads(body)
    return shown
