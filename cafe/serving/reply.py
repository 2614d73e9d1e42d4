"""Ready-made answers: pydantic makes the JSON, FastAPI need not look at it again.

Rule: a route that gives a `Response` is documented by its `response_model` all the same, and costs
a quarter less than one that gives a model.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response

HUNG_UP = Response(status_code=499)
"""Nobody is there to read it; the log shows the status that nginx uses for a client that left."""


def answer(
    body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Give `body` as a JSON response."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")
