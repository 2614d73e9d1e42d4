"""Pages of listed origins may read the responses of an app, those of others may not."""

from __future__ import annotations

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cafe.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS, Cors

OURS = b"https://shop.example"
PREFLIGHT = (b"access-control-request-method", b"POST")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the app does: OPTIONS with the methods of the path, and a limit with 429."""
    if scope["method"] == "OPTIONS":
        response = Response(status_code=204, headers={"Allow": "OPTIONS, POST"})
    else:
        response = Response(status_code=429, headers={"Vary": "accept"})
    await response(scope, receive, send)


async def ask(
    *fields: tuple[bytes, bytes], method: str = "POST", around: ASGIApp = app
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Return the status and the header fields about origins of the response."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": "/order/", "headers": list(fields)}
    await Cors(around, {OURS.decode(), "http://[::1]:3000"})(scope, receive, send)
    about = [
        (name, value)
        for name, value in sent[0]["headers"]
        if name.startswith(b"access-control-") or name == b"vary"
    ]
    return sent[0]["status"], about


async def test_a_page_of_a_listed_origin_may_read_every_response() -> None:
    status, fields = await ask((b"origin", OURS))
    assert (status, fields) == (
        429,
        [
            (b"vary", b"accept"),
            (b"vary", b"origin"),
            (b"access-control-expose-headers", EXPOSED_HEADERS),
            (b"access-control-allow-origin", OURS),
        ],
    )


async def test_a_preflight_is_answered_with_the_methods_of_the_path() -> None:
    status, fields = await ask((b"origin", OURS), PREFLIGHT, method="OPTIONS")
    assert (status, fields) == (
        204,
        [
            (b"vary", b"origin"),
            (b"access-control-allow-methods", b"OPTIONS, POST"),
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
            (b"access-control-allow-origin", OURS),
        ],
    )


@pytest.mark.parametrize(
    "origin",
    [
        b"https://other.example",
        b"https://shop.example.other.example",
        b"http://shop.example",
        b"https://shop.example:8443",
        b"https://shop.example/",
        b"HTTPS://SHOP.EXAMPLE",
        b"http://[::1]",
        b"null",
        b"*",
        b"",
    ],
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
async def test_a_page_of_another_origin_may_not(origin: bytes, method: str) -> None:
    _, fields = await ask((b"origin", origin), PREFLIGHT, method=method)
    assert fields[-1:] == [(b"vary", b"origin")]
    assert not any(name.startswith(b"access-control-") for name, _ in fields)


async def test_a_request_with_two_origins_or_none_is_of_no_listed_one() -> None:
    for origins in ([], [(b"origin", OURS)] * 2):
        assert (await ask(*origins, PREFLIGHT, method="OPTIONS"))[1] == [(b"vary", b"origin")]


async def test_what_is_no_preflight_gets_no_answer_to_one() -> None:
    _, fields = await ask((b"origin", OURS), method="OPTIONS")
    assert b"access-control-allow-methods" not in dict(fields)
    _, fields = await ask((b"origin", OURS), PREFLIGHT)
    assert b"access-control-allow-methods" not in dict(fields)


async def test_a_preflight_of_an_unknown_path_names_no_method() -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(status_code=404)(scope, receive, send)

    status, fields = await ask((b"origin", OURS), PREFLIGHT, method="OPTIONS", around=nothing)
    assert (status, dict(fields)[b"access-control-allow-methods"]) == (404, b"")


async def test_what_is_no_request_is_passed_on() -> None:
    passed: list[Scope] = []

    async def lifespan(scope: Scope, _receive: Receive, _send: Send) -> None:
        passed.append(scope)

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await Cors(lifespan, {OURS.decode()})({"type": "lifespan"}, receive, send)
    assert passed == [{"type": "lifespan"}]
