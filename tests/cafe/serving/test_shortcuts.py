"""Shortcuts: the plainest requests do not pass FastAPI, and nobody can tell but by the clock."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Scope

from cafe.refusals import CafeRefusal
from cafe.serving.app import create_app
from cafe.serving.shortcuts import Shortcuts, ShortRoute, add_shortcut

STATE = {"request_id": "1"}
GONE: Message = {"type": "http.disconnect"}


class Beans(BaseModel):
    grams: int


@dataclass
class Kitchen:
    """An app with one route, and a shortcut to it for whole grams; notes which way was taken."""

    taken: list[str] = field(default_factory=list[str])

    def app(self) -> Shortcuts:
        router = APIRouter(route_class=ShortRoute)

        @router.post("/grind/")
        async def grind(beans: Beans) -> Response:
            if beans.grams > 99:
                raise CafeRefusal("The mill is too small.")
            return Response(f"ground {beans.grams} g")

        @router.get("/mill")
        async def mill() -> Response:
            return Response("here")

        def grind_plainly(_request: Request, body: bytes) -> Awaitable[Response] | None:
            self.taken.append("short")
            return grind(Beans(grams=int(body[9:-1]))) if body.startswith(b'{"grams":') else None

        add_shortcut(router, grind, grind_plainly)
        api = create_app([router], title="t", description="d", version="1", prefix="/api")
        return Shortcuts(api)


@dataclass
class Asked:
    """What became of one request."""

    status: int
    body: bytes
    scope: Scope


async def ask(
    app: Shortcuts, *messages: Message | Exception, method: str = "POST", **members: Any
) -> Asked:
    """Ask with a body that arrives in these pieces, or fails to."""
    coming = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        message = coming.pop(0) if coming else GONE
        if isinstance(message, Exception):
            raise message
        return message

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": "/grind/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        **members,
    }
    await app(scope, receive, send)
    return Asked(sent[0]["status"], b"".join(one.get("body", b"") for one in sent), scope)


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_plain_request_takes_the_shortcut_and_the_log_knows_the_route() -> None:
    kitchen = Kitchen()
    asked = await ask(kitchen.app(), piece(b'{"grams":', more=True), piece(b"18}"))
    assert (asked.status, asked.body) == (200, b"ground 18 g")
    assert asked.scope["route"].path == "/grind/"
    assert kitchen.taken == ["short"]


@pytest.mark.parametrize("path", ["/grind", "/api/grind/", "/api/grind"])
async def test_so_it_does_without_the_slash_and_under_the_prefix(path: str) -> None:
    kitchen = Kitchen()
    root_path = "/api" if path.startswith("/api") else ""
    asked = await ask(kitchen.app(), piece(b'{"grams":18}'), path=path, root_path=root_path)
    assert (asked.status, kitchen.taken) == (200, ["short"])


async def test_what_is_not_so_plain_goes_on_to_fastapi_with_its_body() -> None:
    kitchen = Kitchen()
    asked = await ask(kitchen.app(), piece(b'{ "grams"', more=True), piece(b': "18"}'))
    assert (asked.status, asked.body) == (200, b"ground 18 g")
    asked = await ask(kitchen.app(), piece(b'{ "grams": true'))
    assert asked.status == 400


async def test_a_query_another_method_and_another_path_are_not_even_looked_at() -> None:
    kitchen = Kitchen()
    body = piece(b'{"grams":18}')
    assert (await ask(kitchen.app(), body, query_string=b"sort=robusta")).status == 200
    assert (await ask(kitchen.app(), body, method="PUT")).status == 405
    assert (await ask(kitchen.app(), body, path="/roast/")).status == 404
    assert (await ask(kitchen.app(), body, path="/mill", method="GET")).body == b"here"
    assert kitchen.taken == []


async def test_a_refusal_is_the_same_problem_on_both_ways() -> None:
    answers = [
        await ask(
            Kitchen().app(), piece(b'{"grams":100}'), query_string=query, state={"request_id": "1"}
        )
        for query in (b"", b"a=b")
    ]
    assert answers[0].status == answers[1].status == 400
    assert json.loads(answers[0].body) == json.loads(answers[1].body)


async def test_a_body_that_the_connection_refuses_is_a_problem_too() -> None:
    asked = await ask(Kitchen().app(), HTTPException(413, "Too much."))
    assert (asked.status, json.loads(asked.body)["detail"]) == (413, "Too much.")


async def test_whoever_leaves_in_his_body_is_told_nothing() -> None:
    kitchen = Kitchen()
    assert (await ask(kitchen.app(), piece(b'{"grams":', more=True), GONE)).status == 499
    assert kitchen.taken == []


async def test_a_bug_is_left_to_the_log() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await ask(Kitchen().app(), piece(b'{"grams":many}'))
