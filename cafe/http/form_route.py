"""A route whose body is a form, parsed as strictly as JSON (`cafe.http.json_body`).

Rule: a form is unambiguous. It is UTF-8, percent-encoded or not, and no field is sent twice (RFC
6749, 3.2): another parser might use the other value. FastAPI by itself uses the last one, decodes
bytes that are not UTF-8 to replacement characters, and bytes that are not percent-encoded as
Latin-1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Message

from cafe.http.parameters import repeated

FORM: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 100
UNREADABLE_FORM: Final = {
    "type": "form_encoding",
    "loc": ("body",),
    "msg": f"A form is UTF-8, percent-encoded, with at most {MOST_FIELDS} fields",
}
NO_FORM: Final = {
    "type": "form_type",
    "loc": ("header", "content-type"),
    "msg": f"Send a form, with Content-Type: {FORM}",
}


class FormRoute(APIRoute):
    """FastAPI's route with a form that is checked first. For a router's `route_class`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests; FastAPI calls this when the route is declared."""
        respond = super().get_route_handler()

        async def respond_to_checked(request: Request) -> Response:
            if not is_form(request.headers.getlist("content-type")):
                raise RequestValidationError([NO_FORM])
            form = urlencode(fields_of(await request.body())).encode()

            async def receive() -> Message:
                return {"type": "http.request", "body": form, "more_body": False}

            return await respond(Request(request.scope, receive))

        return respond_to_checked


def is_form(content_types: Sequence[str]) -> bool:
    """Return whether there is one Content-Type, and it is that of a form."""
    return [one.partition(";")[0].strip().lower() for one in content_types] == [FORM]


def fields_of(raw: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form; raises RequestValidationError."""
    try:
        fields = parse_qsl(
            raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:  # UnicodeDecodeError, too
        raise RequestValidationError([UNREADABLE_FORM]) from None
    times = Counter(name for name, _ in fields)
    twice = [repeated("body", name) for name, count in times.items() if count > 1]
    if twice:
        raise RequestValidationError(twice)
    return fields
