"""Which shop a request is for, by its path or its host name."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from cafe.http.by_shop import ByShop


async def served(path: str, *hosts: bytes) -> str:
    """Return which of the apps is called: that of `north`, of `south`, or of neither."""
    called: list[str] = []

    def app(name: str) -> ASGIApp:
        async def call(_scope: Scope, _receive: Receive, _send: Send) -> None:
            called.append(name)

        return call

    apps = {"north": app("north"), "south": app("south")}
    by_shop = ByShop(apps, {"south.example": "south"}, app("neither"))
    nothing: Any = None
    headers = [(b"accept", b"*/*"), *((b"host", host) for host in hosts)]
    await by_shop({"type": "http", "path": path, "headers": headers}, nothing, nothing)
    (name,) = called
    return name


@pytest.mark.parametrize("path", ["/shops/north", "/shops/north/", "/shops/north/order/"])
async def test_a_shops_path_is_its_own_at_every_host(path: str) -> None:
    assert await served(path, b"cafe.example") == "north"
    assert await served(path, b"south.example") == "north"
    assert await served(path) == "north"


@pytest.mark.parametrize(
    "host", [b"south.example", b"south.example:8080", b"South.Example", b"south.example.:80"]
)
async def test_a_host_name_is_its_shops_in_any_spelling(host: bytes) -> None:
    assert await served("/order/", host) == "south"


@pytest.mark.parametrize(
    "host", [b"cafe.example", b"[::1]:8080", b"south.example:port", b"a@south.example", b""]
)
async def test_what_is_no_shops_is_for_neither(host: bytes) -> None:
    assert await served("/order/", host) == "neither"


@pytest.mark.parametrize(
    "path", ["/", "/shops", "/shops/", "/shops/west/order/", "/shops/northern"]
)
async def test_a_path_of_no_shop_is_for_neither(path: str) -> None:
    assert await served(path) == "neither"
