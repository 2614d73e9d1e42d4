"""The baristas' door key."""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from cafe.http.paths import Prefix
from cafe.http.token import TokenGuard

TOKEN = "open sesame, é"
REFUSED: list[str] = []
"""Paths that were refused."""


async def note(scope: Scope) -> None:
    REFUSED.append(scope["path"])


GUARD = Prefix(TokenGuard(Response(b"inside"), TOKEN, frozenset({"/livez"}), note), "/api")


async def status_of(path: str, *authorizations: bytes) -> int:
    headers = [(b"Authorization", one) for one in authorizations]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(GUARD), base_url="http://cafe"
    ) as client:
        response = await client.get(path, headers=headers)
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == 'Bearer realm="worker"'
        assert "sesame" not in response.text
    return response.status_code


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER   "])
async def test_whoever_has_the_token_may_pass(scheme: bytes) -> None:
    assert await status_of("/start/", scheme + TOKEN.encode()) == 200


@pytest.mark.parametrize(
    "given",
    [
        (),
        (b"",),
        (b"Bearer",),
        (b"Bearer ",),
        (b"Bearer wrong",),
        (TOKEN.encode(),),
        (b"Basic " + TOKEN.encode(),),
        (b"Bearer " + TOKEN.encode() + b"!",),
        (b"Bearer wrong", b"Bearer " + TOKEN.encode()),
        (b"Bearer " + TOKEN.encode(), b"Bearer " + TOKEN.encode()),
    ],
)
async def test_nobody_else_may(given: tuple[bytes, ...]) -> None:
    assert await status_of("/start/", *given) == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [("/livez", 200), ("/api/livez", 200), ("/livez/", 200), ("/start/livez", 401)],
)
async def test_only_health_needs_none(path: str, status: int) -> None:
    assert await status_of(path) == status


async def test_each_refusal_is_told_and_nothing_else_is() -> None:
    REFUSED.clear()
    for given in (b"Bearer wrong", b"Bearer " + TOKEN.encode(), b"Bearer wrong"):
        await status_of("/start/", given)
        await status_of("/livez", given)
    assert REFUSED == ["/start", "/start"]


async def test_what_is_no_request_may_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(_message: Message) -> None:
        raise AssertionError

    await TokenGuard(app, TOKEN, frozenset(), note)({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
