"""APIs of other systems: which app answers, and what of a body is ignored."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.app import create_app
from cafe.http.other_apis import ByPrefix, LooseRoute, loosen
from cafe.http.plain_routes import PlainRoute, PlainRoutes
from cafe.http.reply import answer
from cafe.http.schema import Schema


class LineIn(Schema):
    name: Annotated[str, Field(max_length=9)]


class BasketIn(Schema):
    lines: Annotated[list[LineIn], Field(max_length=9)]


def app_of(route_class: type[PlainRoute]) -> ASGIApp:
    """Return an app with a route that answers with its body as it was read."""
    router = APIRouter(route_class=route_class)

    @router.post("/baskets")
    async def basket(wish: BasketIn) -> Response:
        return answer(wish)

    app = create_app([router], title="Theirs", description="", version="1", prefix="/theirs")
    if route_class is LooseRoute:
        loosen(app)
    return PlainRoutes(app)


async def post(app: ASGIApp, path: str, body: Any) -> httpx.Response:
    """Return the response to a body of JSON."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as client:
        return await client.post(path, json=body)


async def test_a_loose_route_ignores_members_that_it_does_not_know_at_any_depth() -> None:
    body = {"lines": [{"name": "Latte", "sku": 7}], "channel": "web"}
    loose, strict = app_of(LooseRoute), app_of(PlainRoute)
    read = await post(loose, "/baskets", body)
    assert (read.status_code, read.json()) == (200, {"lines": [{"name": "Latte"}]})
    assert (await post(strict, "/baskets", body)).status_code == 422


async def test_what_is_wrong_with_a_known_member_is_told_as_a_plain_route_tells_it() -> None:
    loose, strict = app_of(LooseRoute), app_of(PlainRoute)
    bad: list[Any] = [{"lines": [{"name": 7}]}, {"lines": [{}]}, {}, [], {"lines": "x"}]
    for wrong in bad:
        answered, expected = (
            await post(loose, "/baskets", wrong),
            await post(strict, "/baskets", wrong),
        )
        assert answered.status_code == expected.status_code == 422
        assert answered.json()["errors"] == expected.json()["errors"]


async def test_the_openapi_of_a_loose_app_does_not_forbid_other_members() -> None:
    async def schema_of(app: ASGIApp) -> dict[str, Any]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://cafe") as client:
            schemas: dict[str, Any] = (await client.get("/openapi.json")).json()["components"]
            return schemas["schemas"]["LineIn"]  # type: ignore[no-any-return] # it is JSON

    assert "additionalProperties" not in await schema_of(app_of(LooseRoute))
    assert (await schema_of(app_of(PlainRoute)))["additionalProperties"] is False


async def test_the_prefix_that_was_used_says_which_app_answers() -> None:
    seen: list[str] = []

    def named(name: str) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope.get("api_prefix", ""))
            await PlainTextResponse(name)(scope, receive, send)

        return app

    app = ByPrefix(named("ours"), {"/compat/theirs": named("theirs")})

    def at(prefix: str) -> ASGIApp:
        async def prefixed(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "root_path": prefix}, receive, send)

        return prefixed

    answers = [
        (await post(at(prefix), "/x", {})).text
        for prefix in ("", "/api/v1", "/compat/theirs", "/compat/other")
    ]
    assert answers == ["ours", "ours", "theirs", "ours"]
    assert seen == ["", "", "/compat/theirs", ""]
