"""One barista: what it does with an order, and with a shop that fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

import pytest
import trio
import trio.testing

from cafe.players.baristas import Barista, Shift
from cafe.players.client import UnexpectedAnswerError, UnreachableError, open_client
from cafe.players.options import Span, seeded_random
from tests.cafe.players.fake_shop import FakeShop


@asynccontextmanager
async def employed(
    shop: FakeShop, shift: Shift, url: str = "http://shop.test"
) -> AsyncGenerator[Barista, None]:
    async with open_client(url, transport=shop.transport) as client:
        yield Barista("Bo", client, shift, seeded_random(1))


async def test_a_barista_takes_the_oldest_order_brews_it_and_declares_it_ready(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    orders = [shop.order(), shop.order()]
    begin = autojump_clock.current_time()
    async with employed(shop, Shift(Span(30, 60))) as barista:
        await barista.work(iter(range(2)))
    assert shop.finished == [order.order_id for order in orders]
    assert [order.barista for order in orders] == ["Bo", "Bo"]
    assert 60 <= autojump_clock.current_time() - begin <= 120
    assert (barista.brewed, barista.uncollected, barista.lost) == (2, 0, 0)


async def test_a_barista_waits_for_the_next_order_as_long_as_it_takes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    async with employed(shop, Shift(Span(1, 1))) as barista, trio.open_nursery() as nursery:
        nursery.start_soon(barista.work, iter(range(1)))
        await trio.sleep(1010)
        assert barista.doing == "waiting for an order"
        shop.order()
    assert barista.brewed == 1
    asked = [path for _, path in shop.requests].count("/start/")
    assert asked == 51  # each holds for 20 s


async def test_a_barista_shows_the_order_that_it_brews_and_its_customer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.order("Ada")
    async with employed(shop, Shift(Span(60, 60))) as barista, trio.open_nursery() as nursery:
        nursery.start_soon(barista.work, iter(range(1)))
        await trio.sleep(30)
        assert barista.doing == "brewing 1 for Ada"
        assert barista.brewing_seconds == 60
    assert barista.brewing_seconds == 0
    assert barista.doing == "gone home"


async def test_an_idle_barista_goes_home(autojump_clock: trio.testing.MockClock) -> None:
    shop = FakeShop(autojump_clock)
    shop.order()
    begin = autojump_clock.current_time()
    async with employed(shop, Shift(Span(1, 1), idle=45)) as barista:
        await barista.work(count())
    assert autojump_clock.current_time() - begin == pytest.approx(46, abs=1)
    assert barista.brewed == 1
    assert barista.error is None


async def test_a_cancelled_barista_releases_the_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    order = shop.order()
    async with employed(shop, Shift(Span(60, 60))) as barista:
        with trio.move_on_after(30):
            await barista.work(count())
    assert shop.released == [order.order_id]
    assert shop.finished == []


async def test_a_cancelled_barista_of_a_dead_shop_stops_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.order()
    async with employed(shop, Shift(Span(60, 60))) as barista:
        with trio.move_on_after(30) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(barista.work, count())
                await trio.sleep(20)
                shop.refuses_connections = 1000
    assert scope.cancelled_caught
    assert shop.released == []


async def test_a_finish_that_failed_is_retried(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    order = shop.order()
    async with employed(shop, Shift(Span(60, 60))) as barista, trio.open_nursery() as nursery:
        nursery.start_soon(barista.work, iter(range(1)))
        await trio.sleep(30)
        shop.refuses_connections = 2
        shop.closing = 1
    assert shop.finished == [order.order_id]
    assert barista.brewed == 1


async def test_a_barista_who_gets_a_429_retries_after_its_retry_after(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    order = shop.order()
    async with employed(shop, Shift(Span(60, 60))) as barista, trio.open_nursery() as nursery:
        shop.limited = 2
        nursery.start_soon(barista.work, iter(range(1)))
        await trio.sleep(10)
        assert barista.doing == "retrying: it answered 429"
        await trio.sleep(30)
        shop.limited = 1
    assert [round(when) for when, _ in shop.requests] == [0, 7, 14, 74, 81]
    assert shop.finished == [order.order_id]
    assert (barista.brewed, barista.lost) == (1, 0)


async def test_an_order_cancelled_meanwhile_is_counted_and_the_next_one_claimed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.cancelled = {shop.order().order_id}
    kept = shop.order()
    async with employed(shop, Shift(Span(60, 60))) as barista:
        await barista.work(iter(range(2)))
    assert shop.finished == [kept.order_id]
    assert (barista.brewed, barista.lost) == (1, 1)


async def test_a_coffee_that_nobody_collects_is_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.order()
    shop.collected = False
    async with employed(shop, Shift(Span(60, 60))) as barista:
        await barista.work(iter(range(1)))
    assert (barista.brewed, barista.uncollected) == (1, 1)


async def test_a_barista_gives_up_on_a_shop_that_stays_unreachable(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.refuses_connections = 1000
    async with employed(shop, Shift(Span(60, 60), retry_for=5)) as barista:
        await barista.work(count())
    assert isinstance(barista.error, UnreachableError)
    assert barista.doing == "gave up"


async def test_a_barista_without_the_shop_s_token_has_an_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.token = "beans"
    async with employed(shop, Shift(Span(60, 60))) as barista:
        await barista.work(count())
    assert isinstance(barista.error, UnexpectedAnswerError)
    assert "gave 401: the shop wants its worker token" in str(barista.error)


async def test_a_barista_who_uses_an_unknown_host_name_has_an_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.accepts_host = False
    async with employed(shop, Shift(Span(60, 60))) as barista:
        await barista.work(count())
    assert isinstance(barista.error, UnexpectedAnswerError)
    assert str(barista.error).endswith(
        "gave 403: the shop does not know this name; list it in its CAFE_WORKER_HOSTS."
    )


async def test_a_barista_at_another_port_has_an_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    async with employed(shop, Shift(Span(60, 60)), "http://shop.test/elsewhere") as barista:
        await barista.work(count())
    assert "gave 404: is this the café's worker port?" in str(barista.error)


async def test_a_claim_whose_answer_was_lost_is_retried_with_its_key(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    first, second = shop.order(), shop.order()
    shop.loses_answers = 2
    async with employed(shop, Shift(Span(60, 60))) as barista:
        await barista.work(iter(range(1)))
    assert shop.finished == [first.order_id]
    assert list(shop.waiting) == [second]
    assert len(shop.keys) == 3
    assert len(set(shop.keys)) == 1


async def test_a_claim_is_retried_with_its_key_after_a_restart_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    async with employed(shop, Shift(Span(60, 60))) as barista, trio.open_nursery() as nursery:
        nursery.start_soon(barista.work, iter(range(1)))
        await trio.sleep(1)
        shop.loses_answers = 1
        shop.order()
        await trio.lowlevel.checkpoint()
        shop.refuses_connections, shop.closing = 3, 1
    assert len(shop.keys) == 2
    assert len(set(shop.keys)) == 1
    assert barista.brewed == 1


async def test_each_claim_has_a_key_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    shop = FakeShop(autojump_clock)
    for _ in range(5):
        shop.order()
    async with employed(shop, Shift(Span(60, 60))) as barista:
        await barista.work(iter(range(5)))
    assert len(set(shop.keys)) == len(shop.keys) == 5
    assert all(key is not None and key.isascii() and len(key) <= 255 for key in shop.keys)


async def test_a_released_order_is_claimed_with_a_new_key(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    order = shop.order()
    for seconds in (30, 90):
        async with employed(shop, Shift(Span(60, 60))) as barista:
            with trio.move_on_after(seconds):
                await barista.work(iter(range(1)))
    assert shop.released == [order.order_id]
    assert shop.finished == [order.order_id]
    assert len(set(shop.keys)) == 2
