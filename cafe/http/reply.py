"""Ready-made answers: JSON that FastAPI need not look at again.

Rule: a route that gives a `Response` is documented by its `response_model` all the same, and costs
a quarter less than one that gives a model. Busy routes give their members as a dictionary, which
costs half of a model; a test holds it against the model that documents it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cafe.http.problem import NO_STORE

HUNG_UP = Response(status_code=499)
"""Nobody is there to read it; the log shows the status that nginx uses for a client that left."""

JSON: Final = (b"content-type", b"application/json")


class JsonReply(Response):
    """JSON that is there already, as a response: nothing is rendered or looked up."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str] | None) -> None:
        """Reply with this; names of headers in lower case, names and values in Latin-1."""
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), JSON, NO_STORE]
        if headers:
            for name, value in headers.items():
                self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        await send({"type": "http.response.body", "body": self.body})


def unkept(response: Response) -> Response:
    """Give the response with the word that no cache may keep it, as all answers here have it."""
    response.raw_headers.append(NO_STORE)
    return response


def answer(
    body: BaseModel | dict[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Give `body` as a JSON response."""
    if isinstance(body, dict):
        return JsonReply(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, headers)
    return JsonReply(body.__pydantic_serializer__.to_json(body), status, headers)


NOTHING: Final = unkept(Response(status_code=204))
"""There is nothing to tell."""
