"""The staff of a shift: shared slots and the board."""

from __future__ import annotations

import io

import pytest
import trio
import trio.testing
from rich.console import Console

from cafe.players.baristas import Shift, Staff
from cafe.players.options import Span
from tests.cafe.players.fake_shop import FakeShop

URL = "http://shop.test"


def drawn(staff: Staff) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    console.print(staff.rows())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


async def test_the_staff_works_in_parallel_on_the_oldest_orders(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    orders = [shop.order() for _ in range(20)]
    staff = Staff(10, URL, Shift(Span(60, 60), orders=20), transport=shop.transport)
    begin = trio.current_time()
    await staff.work()
    assert trio.current_time() - begin == pytest.approx(120)
    assert sorted(shop.finished) == sorted(order.order_id for order in orders)
    assert {order.barista for order in orders} == {f"barista-{n}" for n in range(1, 11)}
    assert all(each.brewed == 2 for each in staff.baristas)


async def test_the_staff_goes_home_after_the_given_number_of_orders(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    for _ in range(10):
        shop.order()
    await Staff(4, URL, Shift(Span(30, 60), orders=7), transport=shop.transport).work()
    assert len(shop.finished) == 7
    assert len(shop.waiting) == 3


async def test_the_same_seed_brews_the_same_times(
    autojump_clock: trio.testing.MockClock,
) -> None:
    durations: list[float] = []
    for _ in range(2):
        shop = FakeShop(autojump_clock)
        for _ in range(9):
            shop.order()
        begin = trio.current_time()
        await Staff(3, URL, Shift(Span(30, 60), orders=9, seed=4), transport=shop.transport).work()
        durations.append(trio.current_time() - begin)
    assert durations[0] == pytest.approx(durations[1])


async def test_each_barista_has_a_client_of_its_own_with_the_token(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.token = "beans"
    shop.order()
    staff = Staff(3, URL, Shift(Span(1, 1), idle=5), token="beans", transport=shop.transport)
    await staff.work()
    assert len(shop.sources) == 3
    assert staff.error is None
    assert shop.finished == ["order-1"]


async def test_the_error_of_a_barista_who_gave_up_is_the_error_of_the_staff(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.token = "beans"
    staff = Staff(3, URL, Shift(Span(1, 1)), transport=shop.transport)
    await staff.work()
    assert "worker token" in str(staff.error)


async def test_the_board_shows_each_barista_and_stays_bounded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.order("Ada")
    staff = Staff(40, URL, Shift(Span(60, 60), idle=90), transport=shop.transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(staff.work)
        await trio.sleep(30)
        rows = drawn(staff)
        assert sum("brewing 1 for Ada" in row for row in rows) <= 1
        assert "and 28 more" in rows[-2]
        assert "1 of 40 baristas brewing, 0 brewed" in rows[-1]
        assert len(rows) == 14


async def test_the_line_counts_what_was_brewed_in_vain(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shop = FakeShop(autojump_clock)
    shop.collected = False
    shop.cancelled = {shop.order().order_id}
    shop.order()
    staff = Staff(1, URL, Shift(Span(1, 1), orders=2), transport=shop.transport)
    await staff.work()
    assert staff.line() == (
        "0 of 1 baristas brewing, 1 brewed, 1 of them not collected, 1 cancelled meanwhile"
    )


NAMES = {
    "[/]": "brewing 1 for [/]",
    "[bold]Ada[/bold]": "brewing 1 for [bold]Ada[/bold]",
    ":coffee:": "brewing 1 for :coffee:",
    "\x1b[2J\nZoë\u202e": r"brewing 1 for \x1b[2J\nZoë\u202e",
}


@pytest.mark.parametrize(("name", "shown"), NAMES.items())
async def test_a_customer_s_name_is_escaped_on_the_board(
    autojump_clock: trio.testing.MockClock, name: str, shown: str
) -> None:
    shop = FakeShop(autojump_clock)
    shop.order(name)
    staff = Staff(1, URL, Shift(Span(60, 60), orders=1), transport=shop.transport)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(staff.work)
        await trio.sleep(30)
        rows = drawn(staff)
    assert rows[0].rstrip().endswith(shown)
    assert len(rows) == 2
    assert shop.finished == ["order-1"]
