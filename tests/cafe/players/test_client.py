"""Requests to a shop that is open, not open yet, closing, or not the café."""

from __future__ import annotations

import httpx
import pytest
import trio
import trio.testing

from cafe.players.client import (
    UnexpectedAnswerError,
    UnreachableError,
    open_client,
    request_with_retries,
    wait_until_open,
)
from tests.cafe.players.fake_shop import FakeShop

URL = "http://shop.test"
_NOT_FOUND = httpx.Response(404)


async def test_a_shop_that_opens_later_is_retried_after_growing_pauses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.refuses_connections = 6
    begin = autojump_clock.current_time()
    async with open_client(URL, transport=shop.transport) as client:
        await wait_until_open(client, retry_for=30)
    times = [when - begin for when, _ in shop.requests]
    assert times == pytest.approx([0, 0.25, 0.75, 1.75, 3.75, 7.75, 11.75])


async def test_an_unreachable_shop_is_given_up_after_the_time_for_retries(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.refuses_connections = 1000
    begin = autojump_clock.current_time()
    async with open_client(URL, transport=shop.transport) as client:
        with pytest.raises(UnreachableError, match=r"shop\.test cannot be reached") as caught:
            await wait_until_open(client, retry_for=10)
    assert autojump_clock.current_time() - begin <= 10
    assert caught.value.exit_code == 1
    assert "All connection attempts failed" in caught.value.reason


async def test_without_time_for_retries_there_is_one_try(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.refuses_connections = 1000
    async with open_client(URL, transport=shop.transport) as client:
        with pytest.raises(UnreachableError):
            await wait_until_open(client, retry_for=0)
    assert len(shop.requests) == 1


async def test_a_closing_shop_is_retried_after_its_retry_after(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.closing = 1
    reasons: list[str] = []
    begin = autojump_clock.current_time()
    async with open_client(URL, transport=shop.transport) as client:
        await request_with_retries(client, "GET", "/livez", retry_for=10, on_retry=reasons.append)
    assert autojump_clock.current_time() - begin == pytest.approx(3)
    assert reasons == ["it answered 503"]


async def test_another_server_is_an_error() -> None:
    other = httpx.MockTransport(lambda _: httpx.Response(404))
    async with open_client(URL, transport=lambda _: other) as client:
        with pytest.raises(UnexpectedAnswerError, match="gave 404: this is not the café"):
            await wait_until_open(client, retry_for=0)


async def test_a_shop_whose_proxy_keeps_the_health_routes_to_itself_is_known_by_its_menu() -> None:
    menu = httpx.Response(200, json={"products": []})
    proxy = httpx.MockTransport(lambda asked: menu if asked.url.path == "/menu" else _NOT_FOUND)
    async with open_client(URL, transport=lambda _: proxy) as client:
        await wait_until_open(client, retry_for=0)


async def test_another_server_that_has_a_menu_is_an_error() -> None:
    menu = httpx.Response(200, text="Fish")
    other = httpx.MockTransport(lambda asked: menu if asked.url.path == "/menu" else _NOT_FOUND)
    async with open_client(URL, transport=lambda _: other) as client:
        with pytest.raises(UnexpectedAnswerError, match="its body is not what the café sends"):
            await wait_until_open(client, retry_for=0)


async def test_a_client_has_a_time_out_for_connecting_and_none_for_the_response(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_client(URL, transport=FakeShop(autojump_clock).transport) as client:
        assert client.timeout == httpx.Timeout(None, connect=30)


async def test_a_prefix_in_the_address_is_kept(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    async with open_client(f"{URL}/api/v1/client", transport=shop.transport) as client:
        await client.get("/livez")
    assert [path for _, path in shop.requests] == ["/api/v1/client/livez"]
