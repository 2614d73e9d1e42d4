"""Plain routes: declared, documented and refused as FastAPI does, and called without it.

Each request of the tables goes to two routes of one endpoint, a plain one and FastAPI's own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import unquote

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
)
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer, SecurityScopes
from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Message, Scope

from cafe.http.app import create_app
from cafe.http.plain_routes import PlainRoute, PlainRoutes
from cafe.http.refusals import CafeRefusal

GONE: Message = {"type": "http.disconnect"}
JSON = (b"content-type", b"application/json")
TOO_SMALL = "The mill is too small."


class Beans(BaseModel):
    grams: int = Field(ge=1)
    kind: str | None = None


class Mill(BaseModel):
    """A model of several parameters."""

    size: int = 3


async def shop_of(request: Request) -> str:
    return str(request.url.hostname)


def milled_for(
    shop: Annotated[str, Depends(shop_of)],
    again: Annotated[str, Depends(shop_of)],
    customer: Annotated[int | None, Header()] = None,
) -> str:
    return f"{shop} {again} {customer}"


async def grind(
    request: Request,
    beans: Annotated[Beans, Body()],
    *,
    fineness: Annotated[float, Query(ge=0, le=10)] = 5,
    tags: Annotated[list[str], Query()] = [],  # noqa: B006 - what is tested is that it is not shared
    x_mill: Annotated[str | None, Header(max_length=5)] = None,
    sugar: Annotated[int, Cookie()] = 0,
) -> Response:
    """Grind beans."""
    tags.append(request.method)
    if beans.grams > 99:
        raise CafeRefusal(TOO_SMALL)
    if beans.grams == 99:
        raise HTTPException(418, "Short and stout.", headers={"X-Teapot": "yes"})
    said = [beans.model_dump(), fineness, tags, x_mill, sugar]
    return Response(json.dumps(said), media_type="application/json")


async def taste(wish: Annotated[Beans | None, Body()] = None) -> Response:
    return Response("nothing" if wish is None else str(wish.grams))


async def look(
    mill: Annotated[Mill, Query()],
    milled: Annotated[str, Depends(milled_for)],
    x_size: Annotated[int, Header()],
) -> Response:
    return Response(f"{mill.size} {milled} {x_size}")


async def bug() -> Response:
    raise LookupError("beans")


async def stir(times: int = 1) -> Response:
    return Response(f"stirred {times} times")


def routes(route_class: type[APIRoute]) -> APIRouter:
    """Return the same routes of one class."""
    router = APIRouter(route_class=route_class)
    router.post("/grind/", response_model=Beans)(grind)
    router.put("/taste/")(taste)
    router.get("/mill")(look)
    router.get("/stir", dependencies=[Depends(shop_of), Depends(milled_for)])(stir)
    router.get("/bug")(bug)
    return router


def app_of(router: APIRouter) -> FastAPI:
    return create_app([router], title="t", description="d", version="1", prefix="/api")


OURS = PlainRoutes(app_of(routes(PlainRoute)))
FASTAPIS = PlainRoutes(app_of(routes(APIRoute)))


@dataclass
class Asked:
    """What a request got."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    scope: Scope
    bug: bool
    """Whether the exception was also raised, for the log."""


async def ask(
    app: PlainRoutes, *messages: Message | Exception, method: str = "POST", **members: Any
) -> Asked:
    """Send a request with a body of these pieces, one of which may be an exception."""
    coming = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        message = coming.pop(0) if coming else GONE
        if isinstance(message, Exception):
            raise message
        return message

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": method,
        "path": "/grind/",
        "query_string": b"",
        "headers": [JSON],
        "state": {"request_id": "1"},
        **members,
    }
    bug = False
    try:
        await app(scope, receive, send)
    except LookupError:
        bug = True
    body = b"".join(one.get("body", b"") for one in sent)
    return Asked(sent[0]["status"], dict(sent[0]["headers"]), body, scope, bug)


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def ask_both(
    *messages: Message | Exception,
    apps: tuple[PlainRoutes, PlainRoutes] = (OURS, FASTAPIS),
    **members: Any,
) -> Asked:
    """Return the response of a plain route, after a check that FastAPI's is the same."""
    asked, again = [await ask(app, *messages, **members) for app in apps]
    assert replace(asked, scope={}) == replace(again, scope={})
    return asked


BODIES: list[tuple[bytes, int, Any]] = [
    (b'{"grams":18}', 200, None),
    (b'{"grams":"18"}', 200, None),
    (b' {"grams" : 18.0, "kind": null} ', 200, None),
    (b'{"grams":18,"more":1}', 200, None),
    (b'{"grams":18,"kind":"\\ud83d\\ude00"}', 200, None),
    (b'{"grams":1000000000000000000000000000000}', 400, None),
    (b'{"grams":100}', 400, None),
    (b'{"grams":99}', 418, None),
    (b"", 422, [["body"], "missing"]),
    (b"{}", 422, [["body", "grams"], "missing"]),
    (b"null", 422, [["body"], "model_attributes_type"]),
    (b"[]", 422, [["body"], "model_attributes_type"]),
    (b"18", 422, [["body"], "model_attributes_type"]),
    (b'{"grams":0}', 422, [["body", "grams"], "greater_than_equal"]),
    (b'{"grams":18.5}', 422, [["body", "grams"], "int_from_float"]),
    (b"{", 400, [["body", 1], "json_invalid"]),
    (b'{"grams":18}}', 400, [["body", 12], "json_invalid"]),
    (b'{"grams":018}', 400, [["body", 10], "json_invalid"]),
    (b'{"kind":"\t"}', 400, [["body", 9], "json_invalid"]),
]


@pytest.mark.schedules(1)
@pytest.mark.parametrize(("body", "status", "error"), BODIES)
async def test_a_body_is_accepted_or_refused_as_by_fastapi(
    body: bytes, status: int, error: Any
) -> None:
    asked = await ask_both(piece(body))
    assert asked.status == status
    if error is not None:
        (wrong,) = json.loads(asked.body)["errors"]
        assert [wrong["loc"], wrong["type"]] == error


STRICTER: list[tuple[bytes, int, int, list[Any]]] = [
    # Where a plain route is stricter than FastAPI: the status of FastAPI's, ours, and our error.
    (b'{"grams":1,"grams":2}', 200, 422, [["body"], "duplicate_member"]),
    (b'{"grams":18,"kind":"\\ud800"}', 200, 422, [["body"], "lone_surrogate"]),
    (b'{"grams":1e999}', 422, 422, [["body"], "finite_number"]),
    (b'{"grams":%s}' % (b"1" * 5_000), 400, 422, [["body"], "finite_number"]),
    (b"[" * 5_000, 400, 422, [["body"], "too_deep"]),
    (b"[" * 300 + b"]" * 300, 422, 422, [["body"], "too_deep"]),
    (b'{"grams":NaN}', 422, 400, [["body"], "json_invalid"]),
    (b'{"grams":-Infinity}', 422, 400, [["body"], "json_invalid"]),
    (b'{"kind":"\xff"}', 400, 400, [["body", 9], "json_invalid"]),
    (b'\xef\xbb\xbf{"grams":18}', 200, 400, [["body", 0], "json_invalid"]),
    ('{"grams":18}'.encode("utf-16"), 200, 400, [["body", 0], "json_invalid"]),
]


@pytest.mark.schedules(1)
@pytest.mark.parametrize(("body", "theirs", "ours", "error"), STRICTER)
async def test_a_plain_route_refuses_json_that_two_readers_could_understand_differently(
    body: bytes, theirs: int, ours: int, error: list[Any]
) -> None:
    asked = await ask(OURS, piece(body))
    assert ((await ask(FASTAPIS, piece(body))).status, asked.status) == (theirs, ours)
    (wrong,) = json.loads(asked.body)["errors"]
    assert [wrong["loc"], wrong["type"]] == error


async def count(
    times: Annotated[int, Query(le=2**53)] = 1,
    more: Annotated[list[int] | None, Query()] = None,
    share: float | None = None,
) -> Response:
    return Response(f"{times} {more} {share}")


async def count_cups(cups: int, mill: Annotated[Mill, Query()]) -> Response:
    return Response(f"{cups} {mill.size}")


COUNTING = APIRouter(route_class=PlainRoute)
COUNTING.get("/count")(count)
COUNTING.get("/count/{cups}")(count_cups)
COUNTS = PlainRoutes(app_of(COUNTING))

ODD = ["1_000", "%205", "5%20", "%2B5", "", "05", "0x5", "%D9%A3", "5%0A", "1.", "-", "t"]


async def counted(path: str, query: str = "") -> Asked:
    members: dict[str, Any] = {"path": path, "query_string": query.encode()}
    return await ask(COUNTS, piece(b""), method="GET", **members)


def wrong_in(asked: Asked) -> list[Any]:
    assert asked.status == 422
    return [[one["loc"], one["type"]] for one in json.loads(asked.body)["errors"]]


@pytest.mark.schedules(1)
@pytest.mark.parametrize("text", [*ODD, "1e1", "2.0"])
async def test_an_integer_has_plain_digits(text: str) -> None:
    for query, name in ((f"times={text}", "times"), (f"more=1&more={text}", "more")):
        ((place, kind),) = wrong_in(await counted("/count", query))
        assert (place[:2], kind) == (["query", name], "int_parsing")
    assert wrong_in(await counted("/count/1", f"size={text}")) == [
        [["query", "size"], "int_parsing"]
    ]
    path = f"/count/{unquote(text) or ' '}"
    assert wrong_in(await counted(path)) == [[["path", "cups"], "int_parsing"]]


@pytest.mark.schedules(1)
@pytest.mark.parametrize("text", [*ODD, "nan", "inf", "-Infinity", ".5", "1_0.5", "1e9_9"])
async def test_a_number_is_written_as_in_json(text: str) -> None:
    asked = await counted("/count", f"share={text}")
    assert wrong_in(asked) == [[["query", "share"], "float_parsing"]]


@pytest.mark.schedules(1)
async def test_numbers_are_read_as_they_were_written() -> None:
    for text in ("0", "-7", "9007199254740991"):
        asked = await counted("/count", f"times={text}&more={text}&more=2&share={text}")
        assert asked.body.decode() == f"{text} [{text}, 2] {float(text)}"
    for text in ("0.25", "2.5e-05", "1E%2B20", "0.00012345678901234567"):
        asked = await counted("/count", f"share={text}")
        assert asked.body.decode() == f"1 None {float(unquote(text))}"
    assert (await counted("/count/12", "size=5")).body == b"12 5"
    assert wrong_in(await counted("/count", "times=9999999999999999")) == [
        [["query", "times"], "less_than_equal"]
    ]


@pytest.mark.schedules(1)
@pytest.mark.parametrize("query", [b"x=%ff", b"%ff=1", b"fineness=2&x=%ed%a0%80", b"x=\xe9"])
async def test_a_query_that_is_not_utf_8_is_refused(query: bytes) -> None:
    asked = await ask(OURS, piece(b'{"grams":18}'), query_string=query)
    assert asked.status == 422
    assert [one["loc"] for one in json.loads(asked.body)["errors"]] == [["query"]]


@pytest.mark.schedules(1)
@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"application/json; charset=utf-8", 200),
        (b"Application/JSON", 200),
        (b"application/problem+json", 200),
        (b"application/jsonx", 422),
        (b"text/json", 422),
        (b"text/plain", 422),
        (b"application", 422),
        (b"", 422),
        (None, 422),
    ],
)
async def test_only_json_is_read_as_json(content_type: bytes | None, status: int) -> None:
    headers = [] if content_type is None else [(b"content-type", content_type)]
    asked = await ask_both(piece(b'{"grams":18}'), headers=headers)
    assert asked.status == status


LARGE = (b"x-mill", b"large")
ONCE: list[tuple[dict[str, Any], list[list[str]]]] = [
    ({"headers": [JSON, JSON]}, [["header", "content-type"]]),
    ({"headers": [JSON, (b"content-type", b"text/plain")]}, [["header", "content-type"]]),
    ({"headers": [JSON, LARGE, LARGE]}, [["header", "x-mill"]]),
    ({"headers": [JSON, (b"x-mill", b""), LARGE]}, [["header", "x-mill"]]),
    ({"query_string": b"fineness=2&fineness=2"}, [["query", "fineness"]]),
    ({"query_string": b"fineness=2&tags=a&tags=b&fineness=3"}, [["query", "fineness"]]),
    ({"query_string": b"fineness=2&%66ineness=3"}, [["query", "fineness"]]),
    (
        {"query_string": b"fineness&fineness=1", "headers": [JSON, LARGE, JSON, LARGE]},
        [["header", "content-type"], ["query", "fineness"], ["header", "x-mill"]],
    ),
]


@pytest.mark.schedules(1)
@pytest.mark.parametrize(("members", "wrong"), ONCE)
async def test_a_parameter_that_may_be_sent_once_is_refused_if_sent_twice(
    members: dict[str, Any], wrong: list[list[str]]
) -> None:
    asked = await ask(OURS, piece(b'{"grams":18}'), **members)
    assert asked.status == 422
    errors = json.loads(asked.body)["errors"]
    assert [error["loc"] for error in errors if error["type"] == "repeated"] == wrong


@pytest.mark.schedules(1)
async def test_unknown_parameters_may_be_sent_any_number_of_times() -> None:
    other = (b"x-other", b"1")
    headers = [JSON, other, other]
    query = b"sort=1&sort=2"
    assert (
        await ask_both(piece(b'{"grams":18}'), headers=headers, query_string=query)
    ).status == 200
    twice = [JSON, JSON]  # of no body
    members: dict[str, Any] = {"path": "/stir", "server": ("cafe", 80), "scheme": "http"}
    members["method"] = "GET"
    assert (await ask_both(headers=[(b"host", b"cafe"), *twice], **members)).status == 200


@pytest.mark.schedules(1)
async def test_members_of_a_model_and_arguments_of_a_dependency_may_be_sent_once_too() -> None:
    headers = [(b"host", b"cafe"), (b"customer", b"17"), (b"customer", b"17"), (b"x-size", b"4")]
    members: dict[str, Any] = {"path": "/mill", "server": ("cafe", 80), "scheme": "http"}
    members["method"] = "GET"
    asked = await ask(OURS, headers=headers, query_string=b"size=5&size=5", **members)
    assert asked.status == 422
    assert [error["loc"] for error in json.loads(asked.body)["errors"]] == [
        ["header", "customer"],
        ["query", "size"],
    ]


@pytest.mark.schedules(1)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        (b"fineness=2.5", 200),
        (b"fineness=2&tags=a&tags=b", 200),
        (b"sort=robusta&=", 200),
        (b"fineness", 422),
        (b"fineness=", 422),
        (b"fineness=fine", 422),
        (b"fineness=11", 422),
    ],
)
async def test_a_query_is_accepted_or_refused_as_by_fastapi(query: bytes, status: int) -> None:
    assert (await ask_both(piece(b'{"grams":18}'), query_string=query)).status == status


@pytest.mark.schedules(1)
@pytest.mark.parametrize(
    ("header", "status"),
    [
        ((b"x-mill", b"small"), 200),
        ((b"x-mill", b"larger"), 422),
        ((b"x_mill", b"larger"), 200),
        ((b"cookie", b"sugar=2; milk=no"), 200),
        ((b"cookie", b"sugar=much"), 422),
    ],
)
async def test_headers_and_cookies_are_accepted_or_refused_as_by_fastapi(
    header: tuple[bytes, bytes], status: int
) -> None:
    asked = await ask_both(piece(b'{"grams":18}'), headers=[JSON, header])
    assert asked.status == status


@pytest.mark.schedules(1)
async def test_all_errors_are_returned_at_once() -> None:
    headers = [JSON, (b"x-mill", b"larger"), (b"cookie", b"sugar=much")]
    asked = await ask_both(piece(b"{}"), headers=headers, query_string=b"fineness=11")
    locations = [error["loc"] for error in json.loads(asked.body)["errors"]]
    assert sorted(locations) == [
        ["body", "grams"],
        ["cookie", "sugar"],
        ["header", "x-mill"],
        ["query", "fineness"],
    ]


@pytest.mark.schedules(1)
@pytest.mark.parametrize(
    ("headers", "messages", "body"),
    [
        ([], [piece(b"")], b"nothing"),
        ([(b"content-length", b"0")], [], b"nothing"),
        ([JSON], [piece(b"null")], b"nothing"),
        ([JSON], [piece(b'{"gr', more=True), piece(b'ams":18}')], b"18"),
    ],
)
async def test_a_body_may_be_left_out_where_it_has_a_default(
    headers: list[tuple[bytes, bytes]], messages: list[Message], body: bytes
) -> None:
    messages = messages or [piece(b"")]
    asked = await ask_both(*messages, method="PUT", path="/taste/", headers=headers)
    assert (asked.status, asked.body) == (200, body)


@pytest.mark.schedules(1)
async def test_dependencies_are_called_once_a_request_with_parameters_of_their_own() -> None:
    headers = [(b"host", b"cafe"), (b"customer", b"17"), (b"x-size", b"4")]
    members: dict[str, Any] = {
        "method": "GET",
        "path": "/mill",
        "server": ("cafe", 80),
        "scheme": "http",
    }
    asked = await ask_both(headers=headers, query_string=b"size=5", **members)
    assert (asked.status, asked.body) == (200, b"5 cafe cafe 17 4")
    headers = [(b"host", b"cafe"), (b"customer", b"x")]
    asked = await ask_both(headers=headers, query_string=b"size=x", **members)
    assert [error["loc"] for error in json.loads(asked.body)["errors"]] == [
        ["header", "customer"],
        ["query", "size"],
        ["header", "x-size"],
    ]


@pytest.mark.schedules(1)
async def test_a_query_may_be_left_out_and_a_dependency_s_result_too() -> None:
    members: dict[str, Any] = {
        "method": "GET",
        "path": "/stir",
        "server": ("cafe", 80),
        "scheme": "http",
    }
    for query, times in ((b"", 1), (b"times=3", 3)):
        asked = await ask_both(query_string=query, headers=[(b"host", b"cafe")], **members)
        assert asked.body == b"stirred %d times" % times
    assert (await ask_both(query_string=b"times=x", headers=[], **members)).status == 422


@pytest.mark.schedules(1)
async def test_what_is_no_request_is_passed_to_fastapi() -> None:
    coming: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await OURS({"type": "lifespan", "state": {}}, receive, send)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.schedules(1)
async def test_a_dependency_of_a_router_can_refuse() -> None:
    calls: list[str] = []

    async def closed(request: Request) -> None:
        calls.append(request.method)
        raise CafeRefusal("We are closed.")

    async def unreached() -> Response:
        raise AssertionError

    router = APIRouter(route_class=PlainRoute, dependencies=[Depends(closed)])
    router.get("/mill")(unreached)
    asked = await ask(PlainRoutes(app_of(router)), method="GET", path="/mill")
    assert (asked.status, calls) == (400, ["GET"])


@pytest.mark.schedules(1)
async def test_a_security_scheme_is_a_dependency_like_any_other() -> None:
    async def secret(key: Annotated[Any, Depends(HTTPBearer(auto_error=False))]) -> Response:
        return Response("no key" if key is None else key.credentials)

    router = APIRouter(route_class=PlainRoute)
    router.get("/secret")(secret)
    app = app_of(router)
    headers = [(b"authorization", b"Bearer sesame")]
    asked = await ask(PlainRoutes(app), method="GET", path="/secret", headers=headers)
    assert asked.body == b"sesame"
    assert app.openapi()["paths"]["/secret"]["get"]["security"] == [{"HTTPBearer": []}]


def test_openapi_is_the_same() -> None:
    assert app_of(routes(PlainRoute)).openapi() == app_of(routes(APIRoute)).openapi()


@pytest.mark.schedules(1)
@pytest.mark.parametrize("path", ["/grind", "/api/grind/", "/api/grind"])
async def test_a_route_is_found_without_its_slash_and_under_the_prefix(path: str) -> None:
    root_path = "/api" if path.startswith("/api") else ""
    asked = await ask_both(piece(b'{"grams":18}'), path=path, root_path=root_path)
    assert asked.status == 200
    assert asked.scope["route"].path.rstrip("/") == "/grind"


@pytest.mark.schedules(1)
async def test_head_is_answered_as_get_is() -> None:
    for path in ("/cup/7", "/stir", "/mill", "/stirred"):
        members: dict[str, Any] = {"path": path, "server": ("cafe", 80), "scheme": "http"}
        get = await ask_both(method="GET", headers=[(b"host", b"cafe")], **members)
        head = await ask_both(method="HEAD", headers=[(b"host", b"cafe")], **members)
        assert (get.status, get.headers) == (head.status, head.headers)


@pytest.mark.schedules(1)
async def test_another_method_and_another_path_are_refused_by_fastapi() -> None:
    asked = await ask_both(piece(b""), method="PUT")
    assert (asked.status, asked.headers[b"allow"]) == (405, b"OPTIONS, POST")
    assert (await ask_both(piece(b""), path="/roast/")).status == 404


@pytest.mark.schedules(1)
async def test_a_mutable_default_is_made_for_each_request() -> None:
    for _ in range(2):
        asked = await ask_both(piece(b'{"grams":18}'))
        assert json.loads(asked.body)[2] == ["POST"]


@pytest.mark.schedules(1)
async def test_a_body_that_the_connection_refuses_is_a_problem_too() -> None:
    asked = await ask_both(HTTPException(413, "Too much."))
    assert (asked.status, json.loads(asked.body)["detail"]) == (413, "Too much.")


@pytest.mark.schedules(1)
async def test_a_client_that_disconnects_within_its_body_gets_no_response() -> None:
    assert (await ask(OURS, piece(b'{"grams":', more=True), GONE)).status == 499


@pytest.mark.schedules(1)
async def test_an_exception_is_answered_and_raised_for_the_log() -> None:
    asked = await ask_both(method="GET", path="/bug")
    assert (asked.status, asked.bug) == (500, True)


async def lent() -> AsyncGenerator[str]:
    yield "a mill"


def in_a_thread() -> Response:
    return Response()


async def in_two_bodies(a: Annotated[Mill, Body()], b: Annotated[Mill, Body()]) -> Response:
    return Response(f"{a}{b}")


async def with_a_form(mill: Annotated[Mill, Form()]) -> Response:
    return Response(f"{mill.size}")


async def with_tasks(tasks: BackgroundTasks) -> Response:
    return Response(background=tasks)


async def with_a_response(response: Response) -> Response:
    return response


async def with_a_loan(mill: Annotated[str, Depends(lent)]) -> Response:
    return Response(mill)


async def read_mill(mill: Annotated[Mill, Body()]) -> int:
    return mill.size


async def with_a_body_elsewhere(size: Annotated[int, Depends(read_mill)]) -> Response:
    return Response(f"{size}")


async def scoped(scopes: SecurityScopes) -> str:
    return scopes.scope_str


async def with_scopes(scope: Annotated[str, Depends(scoped)]) -> Response:
    return Response(scope)


@pytest.mark.parametrize(
    "endpoint",
    [
        in_a_thread,
        in_two_bodies,
        with_tasks,
        with_a_response,
        with_a_loan,
        with_a_body_elsewhere,
        with_scopes,
    ],
)
def test_what_a_plain_route_does_not_support_is_refused_when_it_is_declared(
    endpoint: Callable[..., Awaitable[Response]],
) -> None:
    router = APIRouter(route_class=PlainRoute)
    with pytest.raises(TypeError, match="plain route"):
        router.post("/")(endpoint)


def test_a_form_is_refused_when_it_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    # FastAPI itself refuses one while python-multipart is not installed.
    monkeypatch.setattr("fastapi.dependencies.utils.ensure_multipart_is_installed", lambda: None)
    router = APIRouter(route_class=PlainRoute)
    with pytest.raises(TypeError, match="takes no forms"):
        router.post("/")(with_a_form)
