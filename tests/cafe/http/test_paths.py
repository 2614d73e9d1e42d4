"""Every path exists bare and under its app's prefix, with and without its last slash."""

from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

from cafe.http.paths import Prefix, bare_path

PREFIX = "/api/v1/client"


async def root_path_and_bare_path(scope: Scope) -> tuple[str, str]:
    """Give what an app behind the prefix sees."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        """Answer nothing."""

    async def receive() -> Message:
        raise AssertionError

    async def send(_message: Message) -> None:
        raise AssertionError

    await Prefix(app, PREFIX)(scope, receive, send)
    return scope.get("root_path", ""), bare_path(scope)


@pytest.mark.parametrize(
    ("path", "root_path", "bare"),
    [
        ("/order", "", "/order"),
        ("/", "", "/"),
        ("*", "", "*"),
        (f"{PREFIX}/order", PREFIX, "/order"),
        (f"{PREFIX}/", PREFIX, "/"),
        (PREFIX, PREFIX, "/"),
        (f"{PREFIX}s/order", "", f"{PREFIX}s/order"),
        (f"/x{PREFIX}/order", "", f"/x{PREFIX}/order"),
        (f"{PREFIX}{PREFIX}/order", PREFIX, f"{PREFIX}/order"),
    ],
)
async def test_the_prefix_is_taken_off_once(path: str, root_path: str, bare: str) -> None:
    scope = {"type": "http", "path": path}
    assert await root_path_and_bare_path(scope) == (root_path, bare)


@pytest.mark.parametrize("prefix", ["", PREFIX])
@pytest.mark.parametrize(
    ("path", "bare"),
    [
        ("/order/", "/order"),
        ("/order/x/", "/order/x"),
        ("/order//", "/order//"),
        ("//", "//"),
        ("/order///", "/order///"),
    ],
)
async def test_so_is_one_last_slash_but_of_two_none(prefix: str, path: str, bare: str) -> None:
    scope = {"type": "http", "path": prefix + path}
    assert await root_path_and_bare_path(scope) == (prefix, bare)


async def test_what_is_no_request_has_no_prefix() -> None:
    scope: Scope = {"type": "lifespan", "path": PREFIX}
    assert await root_path_and_bare_path(scope) == ("", PREFIX)
