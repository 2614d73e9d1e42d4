"""Responses: JSON that FastAPI need not render again, and which media type a client prefers.

Rule: every JSON response of `answer` tells caches not to store it.

A route that returns a `Response` is still documented by its `response_model`, and costs a quarter
less than one that returns a model. Busy routes pass a dictionary to `answer`, which costs half as
much as a model; a test compares it with the model that documents it.

Content negotiation (RFC 9110, section 12.5.1) is implemented as far as two media types need it; a
client without a preference gets the default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cafe.http.problem import NO_STORE

DISCONNECTED = Response(status_code=499)
"""For the log: nginx's status for a client that disconnected. No one reads the response."""

JSON: Final = (b"content-type", b"application/json")

_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


@dataclass(eq=False)
class JsonReply(Response):
    """A response whose body is JSON already: nothing is rendered or looked up."""

    status_code: int
    body: bytes
    raw_headers: list[tuple[bytes, bytes]]
    background: None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the response."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        await send({"type": "http.response.body", "body": self.body})


def answer(
    body: BaseModel | dict[str, Any] | list[Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return `body` as a JSON response; names and values of `headers` are Latin-1."""
    if isinstance(body, dict | list):
        json = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    else:
        json = body.__pydantic_serializer__.to_json(body)
    fields = [(b"content-length", b"%d" % len(json)), JSON, NO_STORE]
    if headers:
        for name, value in headers.items():
            fields.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    return JsonReply(status, json, fields)


def utc_time(at: float | None) -> datetime | None:
    """Return seconds since the Unix epoch as a time for `answer`; None for None."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


def unkept(response: Response) -> Response:
    """Return the response with `Cache-Control: no-store`, as `answer` makes them."""
    response.raw_headers.append(NO_STORE)
    return response


NOTHING: Final = unkept(Response(status_code=204))
"""A response without content."""


def prefers(accept: str, media_type: str, over: str) -> bool:
    """Return whether an Accept field ranks `media_type` above `over`, the default."""
    return quality(accept, media_type) > quality(accept, over)


def quality(accept: str, media_type: str) -> float:
    """Return the weight of a media type, from 0 (not accepted) to 1, by its most specific range.

    Parameters of the media type itself are ignored; a range with a malformed weight has weight 0.
    """
    given = weights(accept)
    for media_range in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if media_range in given:
            return given[media_range]
    return 0.0


def weights(field: str) -> dict[str, float]:
    """Return the elements of an Accept or Accept-Language field, in lower case, with weights."""
    return dict(map(_weighed, field.lower().split(",")))


def _weighed(part: str) -> tuple[str, float]:
    """Return the media range and the weight of an element such as "text/*;q=0.5"."""
    media_range, *parameters = (one.strip() for one in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            found = _WEIGHT.fullmatch(parameter)
            return media_range, 0.0 if found is None else float(found[1])
    return media_range, 1.0
