"""Plain routes with parameters in their path: found and answered as FastAPI does."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
import trio
from fastapi import APIRouter, Body, Depends, Path, Query, Request
from fastapi.routing import APIRoute
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from cafe.http.plain_routes import PlainRoute, PlainRoutes
from tests.cafe.http.test_plain_routes import Beans, app_of, ask, ask_both, piece
from tests.chance import examples


def table_of(table: str) -> str:
    return table.upper()


async def cup(number: int) -> Response:
    return Response(f"cup {number}")


async def drink(name: str, request: Request) -> Response:
    return Response(ascii([name, request.path_params]))


async def serve(
    table: Annotated[str, Path(max_length=3)],
    wish: Annotated[Beans | None, Body()] = None,
    size: Annotated[str, Query(max_length=5)] = "small",
) -> Response:
    return Response(f"{table} {wish} {size}")


async def sit(request: Request, table: Annotated[str, Depends(table_of)]) -> Response:
    return Response(f"{table} {request.url.path}")


async def paint(color: str, number: int) -> Response:
    return Response(f"{color} {number}")


async def wrong(number: str) -> Response:
    return Response(number)


def routes(route_class: type[APIRoute]) -> APIRouter:
    """Return the same routes of one class."""
    router = APIRouter(route_class=route_class)
    router.get("/cup/{number}")(cup)
    router.delete("/cup/{name}")(drink)
    router.post("/table/{table}/")(serve)
    router.get("/table/{table}/{seat}")(sit)
    router.get("/{color}/cup/{number:int}")(paint)
    router.get("/wrong/{number:int}")(wrong)
    return router


PLAIN = PlainRoutes(app_of(routes(PlainRoute)))
APPS = PLAIN, PlainRoutes(app_of(routes(APIRoute)))


@pytest.mark.schedules(1)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/cup/7", 200),
        ("GET", "/api/cup/7", 200),
        ("GET", "/cup/seven", 422),
        ("GET", "/cup/", 404),
        ("GET", "/cup", 404),
        ("GET", "/cup/7/", 404),
        ("GET", "/cup/7/8", 404),
        ("GET", "//cup/7", 404),
        ("GET", "/apicup/7", 404),
        ("DELETE", "/cup/seven", 200),
        ("DELETE", "/cup/ seven and \u2615?", 200),
        ("DELETE", "/cup/\ud800\0\n", 200),
        ("DELETE", "/cup/%2F", 200),
        ("HEAD", "/cup/7", 200),
        ("PUT", "/cup/7", 405),
        ("POST", "/table/3/", 200),
        ("POST", "/table/3", 200),
        ("POST", "/table/3/\n", 405),
        ("POST", "/api/table/3/", 200),
        ("POST", "/table/3333", 422),
        ("POST", "/table//", 404),
        ("GET", "/table/3", 405),
        ("GET", "/table/three/left", 200),
        ("GET", "/red/cup/7", 200),
        ("GET", "/red/cup/07", 200),
        ("GET", "/red/cup/seven", 404),
        ("GET", "/wrong/7", 422),
    ],
)
async def test_a_path_with_parameters_is_accepted_or_refused_as_by_fastapi(
    method: str, path: str, status: int
) -> None:
    root_path = "/api" if path.startswith("/api/") else ""
    asked = await ask_both(
        piece(b""),
        apps=APPS,
        method=method,
        path=path,
        root_path=root_path,
        query_string=b"size=large",
        headers=[],
        server=("cafe", 80),
        scheme="http",
    )
    assert asked.status == status
    is_left_to_fastapi = "router" in asked.scope
    assert is_left_to_fastapi is (status in {404, 405})


@pytest.mark.schedules(1)
async def test_all_errors_are_returned_of_a_path_with_parameters_too() -> None:
    asked = await ask_both(
        piece(b'{"grams":0}'), apps=APPS, path="/table/3333/", query_string=b"size=larger"
    )
    assert sorted(error["loc"] for error in json.loads(asked.body)["errors"]) == [
        ["body", "grams"],
        ["path", "table"],
        ["query", "size"],
    ]


@pytest.mark.schedules(1)
async def test_another_method_of_such_a_path_gets_the_allowed_ones() -> None:
    asked = await ask_both(apps=APPS, method="PUT", path="/cup/7")
    assert asked.headers[b"allow"] == b"DELETE, GET, HEAD, OPTIONS"


@pytest.mark.schedules(1)
async def test_the_route_is_in_the_scope_for_the_log() -> None:
    for path in ("/table/3/", "/table/3"):
        asked = await ask(PLAIN, piece(b""), path=path)
        assert asked.scope["route"].path.rstrip("/") == "/table/{table}"


def test_openapi_is_the_same() -> None:
    assert app_of(routes(PlainRoute)).openapi() == app_of(routes(APIRoute)).openapi()


def in_turn(declared: list[tuple[str, str, type[APIRoute]]]) -> PlainRoutes:
    """Return an app with these routes, each of which says its own path."""
    router = APIRouter()

    def declare(method: str, path: str, route_class: type[APIRoute]) -> None:
        async def say(request: Request) -> Response:
            return Response(f"{method} {path} {request.path_params}")

        router.add_api_route(
            path, say, methods=[method], include_in_schema=False, route_class_override=route_class
        )

    for one in declared:
        declare(*one)
    return PlainRoutes(app_of(router))


METHODS = ("GET", "PUT")
PATTERNS = ("/a/b", "/a/{x}", "/{x}/b", "/{x:path}", "/a/{x}/", "/{x}/{y}")
ASKED = ("/a/b", "/a/c", "/c/b", "/a/c/", "/a/b/", "/a/b\n", "/a", "/a/b/c")
DECLARED = st.tuples(
    st.sampled_from(METHODS), st.sampled_from(PATTERNS), st.sampled_from([PlainRoute, APIRoute])
)


@given(st.lists(DECLARED, min_size=1, max_size=5))
@settings(max_examples=examples(60), deadline=None)
def test_of_several_routes_for_one_request_the_first_is_called(
    declared: list[tuple[str, str, type[APIRoute]]],
) -> None:
    apps = in_turn(declared), in_turn([(method, path, APIRoute) for method, path, _ in declared])

    async def ask_all() -> None:
        for path in ASKED:
            for method in METHODS:
                await ask_both(apps=apps, method=method, path=path)

    trio.run(ask_all)
