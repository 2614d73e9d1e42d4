"""The app factory: slashes, problems for every error, and no exception in a response."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Generator
from http import HTTPStatus

import httpx
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict

from cafe.http.app import create_app, problems
from cafe.http.refusals import CafeRefusal
from tests.cafe.http.layers import with_outer_layer

SECRET = "the-recipe"


class NoMilk(CafeRefusal):
    status = 409
    members = ("left",)
    left = 0
    retry_after = 2.5


class Beans(BaseModel):
    grams: int


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/bug/{cup}/")
    async def bug(cup: str) -> Response:
        raise RuntimeError(f"{SECRET} for {cup}")

    @router.get("/milk/", responses=problems(409, because="There is none."))
    async def milk() -> Response:
        raise NoMilk("There is no milk.")

    @router.post("/milk/")
    async def pour(beans: Beans) -> Response:
        return Response(str(beans.grams))

    @router.get("/teapot")
    async def teapot() -> Response:
        raise HTTPException(418, headers={"X-Teapot": "yes"})

    @router.get("/gone", include_in_schema=False)
    async def gone() -> Response:
        raise HTTPException(HTTPStatus.GONE)

    @router.post("/take/")
    @router.get("/take/")
    async def take() -> Response:
        return Response("milk")

    return router


@pytest.fixture
def app() -> FastAPI:
    return create_app([routes()], title="t", description="d", version="1", prefix="/api")


def visitor(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://cafe")


@pytest.fixture
async def client(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    async with visitor(with_outer_layer(app)) as visiting:
        yield visiting


@pytest.fixture
def lines() -> Generator[list[EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


async def test_an_exception_is_a_500_without_internals_and_logged_with_its_request_id(
    client: httpx.AsyncClient, lines: list[EventDict]
) -> None:
    response = await client.get("/bug/blue", headers={"X-Request-ID": "r17"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == "r17"
    assert response.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong here; it has been logged.",
        "instance": "urn:request:r17",
    }
    bug, request = lines
    assert (bug["event"], bug["request_id"], bug["exc_info"]) == ("bug", "r17", True)
    assert bug["route"] == request["route"] == "/bug/{cup}"
    assert (request["event"], request["status"]) == ("request", 500)


async def test_an_exception_outside_of_the_app_is_a_500_too(lines: list[EventDict]) -> None:
    async def layer(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError(SECRET)

    async with visitor(with_outer_layer(layer)) as client:
        response = await client.get("/")
    assert response.status_code == 500
    assert response.json()["instance"] == f"urn:request:{response.headers['x-request-id']}"
    assert SECRET not in response.text
    assert [line["event"] for line in lines] == ["bug", "request"]


async def test_a_refusal_is_a_problem_with_its_members(client: httpx.AsyncClient) -> None:
    response = await client.get("/milk/")
    body = response.json()
    assert (response.status_code, body["detail"], body["left"]) == (409, "There is no milk.", 0)
    assert response.headers["retry-after"] == "3"


async def test_a_405_has_all_methods_of_the_path(client: httpx.AsyncClient) -> None:
    for path in ("/milk/", "/milk", "/api/milk"):
        response = await client.put(path)
        assert response.status_code == 405
        assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_head_is_answered_where_get_is_unless_get_does_what_post_does(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    for path in ("/teapot", "/milk/", "/milk", "/api/milk", "/docs", "/openapi.json"):
        get, head = await client.get(path), await client.head(path)
        assert (path, head.status_code) == (path, get.status_code)
        fields = [dict(one.headers) for one in (get, head)]
        for headers in fields:
            headers.pop("x-request-id")
        assert fields[0] == fields[1]
        assert int(fields[0]["content-length"]) > 0
    refused = await client.head("/take")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, OPTIONS, POST")
    assert [list(item) for item in app.openapi()["paths"].values()] == [
        ["get"],
        ["get", "post"],
        ["get"],
        ["get", "post"],
    ]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("*", "GET, HEAD, OPTIONS, POST"),
        ("/", "GET, HEAD, OPTIONS, POST"),
        ("/api", "GET, HEAD, OPTIONS, POST"),
        ("/api/", "GET, HEAD, OPTIONS, POST"),
        ("/milk/", "GET, HEAD, OPTIONS, POST"),
        ("/api/milk", "GET, HEAD, OPTIONS, POST"),
        ("/take", "GET, OPTIONS, POST"),
        ("/bug/blue/", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_returns_the_methods_of_a_path_or_of_the_app(
    app: FastAPI, path: str, allowed: str
) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Scope = {"type": "http", "method": "OPTIONS", "path": path, "query_string": b""}
    await with_outer_layer(app)(
        {**scope, "headers": [], "client": ("192.0.2.1", 4711)}, receive, send
    )
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"allow"]) == (204, allowed.encode())


async def test_options_of_an_unknown_path_is_a_404(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/api/nothing", "/apis/", "/milk/x"):
        assert (await client.options(path)).status_code == 404


async def test_options_of_a_file_of_the_docs_returns_its_methods(client: httpx.AsyncClient) -> None:
    (link, *_) = re.findall(r'(?:href|src)="([^"]+)"', (await client.get("/docs")).text)
    assert (await client.get(link)).status_code == 200
    for method, status in (("OPTIONS", 204), ("POST", 405)):
        response = await client.request(method, link)
        assert (response.status_code, response.headers["allow"]) == (status, "GET, HEAD, OPTIONS")


async def test_an_http_error_keeps_its_headers(client: httpx.AsyncClient) -> None:
    response = await client.get("/teapot")
    assert (response.status_code, response.headers["x-teapot"]) == (418, "yes")
    assert response.json()["title"] == "I'm a Teapot"


async def test_invalid_input_gets_the_places_of_its_errors(client: httpx.AsyncClient) -> None:
    response = await client.post("/milk", json={"grams": "many"})
    body = response.json()
    assert response.status_code == 422
    assert body["errors"][0]["loc"] == ["body", "grams"]
    assert body["detail"].startswith("body.grams: ")
    assert "many" not in response.text


async def test_a_body_of_another_type_gets_the_type_to_send(client: httpx.AsyncClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    response = await client.post("/milk/", content=b'{"grams": 18}', headers=form)
    assert response.status_code == 422
    assert "Content-Type: application/json" in response.json()["detail"]


async def test_an_unknown_path_points_to_the_docs(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 404
    assert "/docs" in response.json()["detail"]


async def test_a_path_that_ends_with_a_line_feed_is_another_path(client: httpx.AsyncClient) -> None:
    for path in (
        "/milk%0a",
        "/milk/%0a",
        "/teapot%0A",
        "/docs%0a",
        "/openapi.json%0a",
        "/api/take%0a",
    ):
        assert (await client.get(path)).status_code == 404


async def test_malformed_json_is_a_400(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/milk", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["status"]) == (400, 400)


async def test_each_status_is_logged_as_a_plain_number(
    client: httpx.AsyncClient, lines: list[EventDict]
) -> None:
    for body in (b"{", b"{}"):
        await client.post("/milk", content=body, headers={"Content-Type": "application/json"})
    await client.get("/gone")
    assert [repr(line["status"]) for line in lines] == ["400", "422", "410"]


async def test_a_path_exists_with_and_without_its_last_slash_and_nothing_is_redirected(
    client: httpx.AsyncClient, lines: list[EventDict]
) -> None:
    for path in ("/milk/", "/milk"):
        for prefix in ("", "/api"):
            assert (await client.post(prefix + path, json={"grams": 9})).text == "9"
    assert {line["route"] for line in lines} == {"/milk"}
    lines.clear()
    for path in ("/teapot/", "/teapot", "/api/teapot/", "/api/teapot"):
        assert (await client.get(path)).status_code == 418
    assert {line["route"] for line in lines} == {"/teapot"}
    for path in ("/docs/", "/openapi.json/", "/api/docs/"):
        assert (await client.get(path)).status_code == 200
    for path in ("/milk//", "/teapot//", "//milk"):
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/guarded", "/guarded/"])
async def test_a_path_without_its_last_slash_has_all_that_its_route_declares(path: str) -> None:
    async def locked(key: str = "") -> None:
        if key != SECRET:
            raise NoMilk("The milk is locked away.")

    router = APIRouter(prefix="/guarded")

    @router.get("/", dependencies=[Depends(locked)], status_code=203, response_model=Beans)
    async def guarded() -> dict[str, object]:
        return {"grams": 9, "recipe": SECRET}

    app = create_app([router], title="t", description="d", version="1", prefix="/api")
    async with visitor(with_outer_layer(app)) as client:
        assert (await client.get(path)).status_code == 409
        served = await client.get(path, params={"key": SECRET})
    assert (served.status_code, served.json()) == (203, {"grams": 9})


def test_openapi_documents_each_path_once_and_our_problems_only(app: FastAPI) -> None:
    schema = app.openapi()
    assert list(schema["paths"]) == ["/bug/{cup}/", "/milk/", "/teapot", "/take/"]
    answers = schema["paths"]["/milk/"]["get"]["responses"]
    assert list(answers) == ["200", "409", "414", "422", "500"]
    assert answers["409"]["description"] == "There is none."
    assert list(problems(429)[429]["headers"]) == ["Retry-After", "RateLimit-Policy", "RateLimit"]
    assert set(schema["components"]["schemas"]) == {"Beans", "ProblemOut"}
    assert schema["servers"][0] == {"url": "/api"}


async def test_openapi_is_made_once_it_is_asked_for_and_head_is_answered_as_before(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    assert app.openapi_schema is None
    assert (await client.head("/milk/")).status_code == (await client.get("/milk/")).status_code
    made = app.openapi()
    assert app.openapi() is made
    assert not [path for path, operations in made["paths"].items() if "head" in operations]
    assert (await client.head("/milk/")).status_code == (await client.get("/milk/")).status_code
