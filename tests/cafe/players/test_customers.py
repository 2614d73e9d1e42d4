"""Groups of customers, and the summary of what they got."""

from __future__ import annotations

import io

import httpx
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cafe.players.baristas import Shift, Staff
from cafe.players.board import plain_console
from cafe.players.customers import (
    Crowd,
    Summary,
    Visit,
    Waits,
    comparison,
    split_into_groups,
)
from cafe.players.options import Span, seeded_random
from tests.cafe.players.fake_shop import FakeShop

URL = "http://shop.test"
SERVED = [Visit(float(seconds), 200) for seconds in range(1, 101)]


@given(customers=st.integers(1, 2000), low=st.integers(1, 300), more=st.integers(0, 300))
def test_groups_hold_every_customer_and_only_the_last_may_be_smaller(
    customers: int, low: int, more: int
) -> None:
    groups = split_into_groups(customers, Span(low, low + more), seeded_random(1))
    assert sum(groups) == customers
    assert all(low <= size <= low + more for size in groups[:-1])
    assert 1 <= groups[-1] <= low + more


async def test_two_hundred_customers_and_ten_baristas_all_get_their_coffee(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    crowd = Crowd([120, 80], Span(5, 5), URL, seeded_random(1), transport=shop.transport)
    staff = Staff(10, URL, Shift(Span(30, 60)), transport=shop.transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(staff.work)
        await crowd.arrive()
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
    crowd = Crowd(
        [3, 2, 1], Span(10, 10), URL, seeded_random(1), addresses, transport=shop.transport
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.arrive)
        await trio.sleep(1)
        assert crowd.arrived == 3
        await trio.sleep(10)
        assert crowd.arrived == 5
        await trio.sleep(10)
        assert crowd.arrived == 6
        assert shop.sources == ["127.0.0.11", "127.0.0.12", "127.0.0.11"]
        nursery.cancel_scope.cancel()


async def test_a_customer_orders_once_and_every_other_outcome_is_counted(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.refuses_connections, shop.closing, shop.limit = 2, 3, 1
    crowd = Crowd([8], Span(1, 1), URL, seeded_random(1), transport=shop.transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.arrive)
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


async def test_a_reason_from_the_shop_is_escaped() -> None:
    shop = httpx.MockTransport(lambda _: httpx.Response(429, json={"limit": "[/]\x1b[2J :coffee:"}))
    crowd = Crowd([2], Span(1, 1), URL, seeded_random(1), transport=lambda _: shop)
    await crowd.arrive()
    screen = io.StringIO()
    plain_console(screen).print(comparison({"customers": crowd.summary()}))
    assert r"429 [/]\x1b[2J :coffee:" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


async def test_the_board_is_one_row(
    autojump_clock: trio.testing.MockClock,
) -> None:
    crowd = Crowd(
        [2], Span(1, 1), URL, seeded_random(1), transport=FakeShop(autojump_clock).transport
    )
    console = Console(file=io.StringIO(), width=100)
    console.print(crowd.rows())
    assert isinstance(console.file, io.StringIO)
    assert "0 waiting, 0 of 2 served" in console.file.getvalue()
    assert len(console.file.getvalue().splitlines()) == 1


def test_a_summary_of_served_customers_has_their_waits() -> None:
    summary = Summary.of(list(reversed(SERVED)), customers=100)
    assert summary.all_served
    assert summary.others == ()
    assert summary.waits == Waits(shortest=1, median=50, p95=95, longest=100)


def test_other_outcomes_are_counted_by_kind_the_most_frequent_first() -> None:
    visits = [
        Visit(1.0, 200),
        Visit(0.1, 503, "closing"),
        Visit(0.1, 429, "waiting"),
        Visit(0.1, 429, "waiting"),
        Visit(0.1, 429, "waiting"),
        Visit(0.2, None, "All connection attempts failed"),
        Visit(0.2, None, "All connection attempts failed"),
        Visit(0.1, 404),
    ]
    summary = Summary.of(visits, customers=8)
    assert not summary.all_served
    assert summary.others == (
        ("429 waiting", 3),
        ("no answer: All connection attempts failed", 2),
        ("503 closing", 1),
        ("404", 1),
    )


def test_customers_without_an_outcome_are_counted() -> None:
    summary = Summary.of(SERVED[:1], customers=5)
    assert summary.others == (("gave up at the end", 4),)
    assert not summary.all_served


def test_the_waits_of_customers_who_were_not_served_do_not_count() -> None:
    summary = Summary.of([Visit(9.0, 429), Visit(2.0, 200)], customers=2)
    assert summary.waits == Waits(2.0, 2.0, 2.0, 2.0)
    assert Summary.of([Visit(9.0, 429)], customers=1).waits is None


def test_a_comparison_has_a_column_for_each_summary() -> None:
    console = Console(file=io.StringIO(), width=100)
    calm = Summary.of(SERVED, customers=100)
    nobody = Summary.of([Visit(0.1, 429, "banned")], customers=1)
    console.print(comparison({"calm": calm, "attacked": nobody}))
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["calm", "attacked"] in lines
    assert ["got", "something", "else", "nobody", "1", "x", "429", "banned"] in lines
    assert ["wait,", "p95", "95.00", "s", "-"] in lines
