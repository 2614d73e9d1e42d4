"""The stand-ins for providers in a process of their own: what they print, and what they survive."""

from __future__ import annotations

import socket

import pytest

from tests.system.paying import open_providers

pytestmark = pytest.mark.once


@pytest.mark.parametrize("path", ["charges", "notifications"])
def test_a_shop_that_is_killed_while_it_asks_is_no_bug_of_theirs(
    path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_providers() as providers:
        host, _, port = providers.url.removeprefix("http://").partition(":")
        for _ in range(3):
            with socket.create_connection((host, int(port))) as shop:
                shop.sendall(f"POST /{path} HTTP/1.1\r\nHost: x\r\n".encode())
                shop.sendall(b"Idempotency-Key: k\r\nContent-Length: 10\r\n\r\n{")
            assert providers.done(path) == []
    assert capfd.readouterr().err == ""
