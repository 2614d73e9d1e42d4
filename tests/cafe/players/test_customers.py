"""Groups of customers, what they got, and the command."""

from __future__ import annotations

import io

import httpx
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cafe.cli.board import plain_console
from cafe.cli.options import Span, dice
from cafe.operations.report import comparison
from cafe.players.barista import Shift
from cafe.players.baristas import Staff
from cafe.players.customers import Crowd, split_into_groups
from tests.cafe.players.fake_shop import FakeShop

URL = "http://shop.test"


@given(customers=st.integers(1, 2000), low=st.integers(1, 300), more=st.integers(0, 300))
def test_groups_hold_every_customer_and_only_the_last_may_be_smaller(
    customers: int, low: int, more: int
) -> None:
    groups = split_into_groups(customers, Span(low, low + more), dice(1))
    assert sum(groups) == customers
    assert all(low <= size <= low + more for size in groups[:-1])
    assert 1 <= groups[-1] <= low + more


async def test_two_hundred_customers_and_ten_baristas_all_get_their_coffee(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    crowd = Crowd([120, 80], Span(5, 5), URL, dice(1), door=shop.door)
    staff = Staff(10, URL, Shift(Span(30, 60)), door=shop.door)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(staff.work)
        await crowd.come()
        nursery.cancel_scope.cancel()
    summary = crowd.summary()
    assert summary.all_served
    assert summary.waits is not None
    # 20 orders a barista at 45 s on average: the last one waits for about a quarter of an hour.
    assert 800 < summary.waits.longest < 1000
    assert 30 <= summary.waits.shortest <= 60


async def test_groups_arrive_one_after_another_from_their_addresses_in_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    addresses = ("127.0.0.11", "127.0.0.12")
    crowd = Crowd([3, 2, 1], Span(10, 10), URL, dice(1), addresses, door=shop.door)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.come)
        await trio.sleep(1)
        assert crowd.arrived == 3
        await trio.sleep(10)
        assert crowd.arrived == 5
        await trio.sleep(10)
        assert crowd.arrived == 6
        assert shop.sources == ["127.0.0.11", "127.0.0.12", "127.0.0.11"]
        nursery.cancel_scope.cancel()


async def test_a_customer_asks_once_and_whatever_else_comes_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.refuses_connections, shop.closing, shop.limit = 2, 3, 1
    crowd = Crowd([8], Span(1, 1), URL, dice(1), door=shop.door)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.come)
        await trio.sleep(1)
        assert crowd.line() == "1 waiting, 0 of 8 served, 7 got something else"
        assert not crowd.all_left
        next(iter(shop.orders.values())).ready.set()
    assert crowd.all_left
    assert dict(crowd.summary().others) == {
        "no answer: All connection attempts failed": 2,
        "503 closing": 3,
        "429 waiting": 2,
    }
    assert len(crowd.summary().served) == 1


async def test_what_the_shop_gives_as_a_reason_is_text() -> None:
    shop = httpx.MockTransport(lambda _: httpx.Response(429, json={"limit": "[/]\x1b[2J :coffee:"}))
    crowd = Crowd([2], Span(1, 1), URL, dice(1), door=lambda _: shop)
    await crowd.come()
    screen = io.StringIO()
    plain_console(screen).print(comparison({"customers": crowd.summary()}))
    assert r"429 [/]\x1b[2J :coffee:" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


async def test_the_board_is_one_row(
    autojump_clock: trio.testing.MockClock,
) -> None:
    crowd = Crowd([2], Span(1, 1), URL, dice(1), door=FakeShop(autojump_clock).door)
    console = Console(file=io.StringIO(), width=100)
    console.print(crowd.rows())
    assert isinstance(console.file, io.StringIO)
    assert "0 waiting, 0 of 2 served" in console.file.getvalue()
    assert len(console.file.getvalue().splitlines()) == 1
