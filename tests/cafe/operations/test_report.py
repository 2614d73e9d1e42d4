"""A day's figures, in this machine's time zone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from datetime import date
from io import StringIO
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cafe.operations.figures import MOST_PRODUCTS, Day, Hour, Hours, Product, Spread, Work
from cafe.operations.report import as_chart, as_json, as_tables
from cafe.orders.order import BEGINNINGS, TRANSITIONS, Action, Basket, Line, Order, Status
from cafe.orders.queries import History, Step

MIDNIGHT = 1_795_219_200.0  # 2026-11-21 in UTC
HOURS = Hours(MIDNIGHT, MIDNIGHT + 86_400)
EIGHT = MIDNIGHT + 8 * 3600
WAITING = Order("order", 1, "americano", None, "192.0.2.1", EIGHT)
PLACE = Step("place", None)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[str], None]]:
    """Return a function that sets another time zone."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def ready(wait: float, brewing: float, *steps: Step, placed_at: float = EIGHT) -> History:
    done = placed_at + wait
    order = WAITING._replace(
        placed_at=placed_at, started_at=done - brewing, ended_at=done, status=Status.READY
    )
    return History(order, (PLACE, *(steps or (Step("start", "Bo"), Step("finish", "Bo")))))


def ended(action: str) -> History:
    order = WAITING._replace(status=Status.CANCELLED, ended_at=EIGHT + 1)
    return History(order, (PLACE, Step(action, None)))


def test_each_order_is_counted_by_outcome() -> None:
    collected, in_vain = ready(60, 30), ready(60, 30)
    day = Day.of(
        [
            collected._replace(order=collected.order._replace(status=Status.DELIVERED)),
            ready(60, 30),
            in_vain._replace(order=in_vain.order._replace(abandoned=True)),
            History(WAITING, (PLACE,)),
            History(WAITING._replace(status=Status.PREPARATION), (PLACE, Step("start", None))),
            ended("cancel"),
            ended("call off"),
            *[ended("abandon")] * 2,
            *[ended("cut off")] * 3,
        ],
        HOURS,
    )
    assert (day.orders, day.ready) == (12, 3)
    assert (day.handed_over, day.to_be_handed_over, day.brewed_in_vain) == (1, 1, 1)
    assert (day.not_ready_yet, day.cancelled, day.abandoned, day.cut_off) == (2, 2, 2, 3)


@given(st.lists(st.randoms(use_true_random=False), max_size=30))
def test_the_lines_of_a_report_add_up_to_its_orders(orders: list[Random]) -> None:
    day = Day.of([lived(rng) for rng in orders], HOURS)
    data = json.loads(as_json(date(2026, 11, 21), day))
    assert data["orders"] == len(orders)
    outcomes = ("ready", "not_ready_yet", "abandoned", "cut_off", "cancelled")
    assert sum(data[name] for name in outcomes) == data["orders"]
    of_them = ("handed_over", "to_be_handed_over", "brewed_in_vain")
    assert sum(data[name] for name in of_them) == data["ready"]
    assert_lines_add_up(printed_counts(day))


def lived(rng: Random) -> History:
    """Return an order after some transitions that its table has, whatever they are."""
    action = rng.choice(sorted(BEGINNINGS))
    order = WAITING._replace(status=BEGINNINGS[action], ended_at=None)
    steps = [Step(action, None)]
    for _ in range(rng.randrange(8)):
        possible = sorted(action for status, action in TRANSITIONS if status == order.status)
        if not possible:
            break
        action = rng.choice(possible)
        started = EIGHT + 1 if action is Action.START else order.started_at
        ended = EIGHT + 2 if order.ended_at is None else order.ended_at
        abandoned = order.abandoned or action is Action.ABANDON
        order = order.after(action, started_at=started, abandoned=abandoned)
        order = order._replace(ended_at=ended if order.ended else None)
        steps.append(Step(action, None))
    return History(order, tuple(steps))


def printed_counts(day: Day) -> list[tuple[int, int]]:
    """Return how far each line with a count is indented, and the count."""
    console = Console(file=StringIO(), width=100)
    console.print(as_tables(date(2026, 11, 21), day))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue().partition("median")[0]
    lines = [line for line in text.splitlines()[1:] if line.split()]
    return [(len(line) - len(line.lstrip()), int(line.split()[-1])) for line in lines]


def assert_lines_add_up(lines: list[tuple[int, int]]) -> None:
    """Check that each count is the sum of those that are one step further in below it."""
    for place, (indent, count) in enumerate(lines):
        after = lines[place + 1 :]
        inner = after[: next((n for n, line in enumerate(after) if line[0] <= indent), len(after))]
        if inner:
            step = min(further for further, _ in inner)
            assert count == sum(number for further, number in inner if further == step)


def test_what_needs_no_brewing_has_no_brewing_time() -> None:
    published = WAITING._replace(status=Status.READY, ended_at=EIGHT)
    day = Day.of([History(published, (Step("publish", None),))], HOURS)
    assert (day.ready, day.to_be_handed_over, day.brewing) == (1, 1, None)


def test_waits_and_brewing_times_are_those_of_what_was_brewed() -> None:
    day = Day.of([*(ready(n * 10.0, float(n)) for n in range(1, 101)), ended("cancel")], HOURS)
    assert day.wait == Spread(median=500, p95=950, worst=1000)
    assert day.brewing == Spread(median=50, p95=95, worst=100)
    assert Day.of([ended("cancel")], HOURS).wait is None


def test_a_barista_has_counts_of_what_was_finished_released_and_lapsed() -> None:
    day = Day.of(
        [
            ready(60, 20, Step("start", "Cy"), Step("release", "Cy"), Step("start", "Bo"))._replace(
                steps=(
                    PLACE,
                    Step("start", "Cy"),
                    Step("release", "Cy"),
                    Step("start", "Bo"),
                    Step("finish", "Bo"),
                )
            ),
            ready(60, 30, Step("start", "Bo"), Step("finish", "Bo"), Step("hand over", None)),
            ready(60, 40, Step("start", "Di"), Step("expire", None), Step("finish late", None)),
            ready(60, 50, Step("start", None), Step("finish", None)),
            History(WAITING, (PLACE, Step("start", "Ed"))),
        ],
        HOURS,
    )
    assert day.baristas == (
        Work("Bo", ready=2, released=0, lapsed=0, brewing=Spread(20, 30, 30)),
        Work(None, ready=1, released=0, lapsed=0, brewing=Spread(50, 50, 50)),
        Work("Di", ready=1, released=0, lapsed=1, brewing=Spread(40, 40, 40)),
        Work("Cy", ready=0, released=1, lapsed=0, brewing=None),
        Work("Ed", ready=0, released=0, lapsed=0, brewing=None),
    )


def test_hours_reach_from_the_first_order_to_the_last() -> None:
    placed = (EIGHT, EIGHT + 3599.9, EIGHT + 2 * 3600)
    day = Day.of([ready(60, 30, placed_at=at) for at in placed], HOURS)
    assert day.hours == (Hour(EIGHT, 2), Hour(EIGHT + 3600, 0), Hour(EIGHT + 7200, 1))


def test_a_product_has_the_brewing_times_of_orders_of_nothing_else() -> None:
    donut, latte = (
        Line("d", None, "Donut", None, 1, 300),
        Line("l", "v", "Latte", "Vanilla", 1, 430),
    )

    def with_basket(history: History, *lines: Line) -> History:
        wanted = Basket("account", lines, 430, "f")
        return history._replace(order=history.order._replace(drink=wanted.summary, basket=wanted))

    lattes = [(latte,), (latte._replace(quantity=2),), (latte, latte._replace(variation=None))]
    day = Day.of(
        [
            *(ready(90, seconds) for seconds in (10, 20, 30)),
            *(with_basket(ready(90, 40), *lines) for lines in lattes),
            with_basket(ready(90, 50), latte, donut),
            ended("cancel"),
        ],
        HOURS,
    )
    assert day.products == (
        Product("americano", 3, Spread(20, 30, 30)),
        Product("latte", 3, Spread(40, 40, 40)),
        Product(None, 1, Spread(50, 50, 50)),
    )


def test_only_the_products_that_were_brewed_most_are_told() -> None:
    histories = [ready(60, 30) for _ in range(2)]
    for n in range(MOST_PRODUCTS + 5):
        one = ready(60, 30)
        histories.append(one._replace(order=one.order._replace(drink=f"drink {n:03}")))
    products = Day.of(histories, HOURS).products
    assert len(products) == MOST_PRODUCTS
    assert [one.name for one in products[:2]] == ["americano", "drink 000"]


def test_a_day_without_orders_has_no_figures() -> None:
    day = Day.of([], HOURS)
    assert (day.orders, day.wait, day.brewing, day.baristas, day.hours) == (0, None, None, (), ())


@pytest.mark.parametrize(
    ("place", "day", "length"),
    [
        ("UTC0", date(2026, 11, 21), 24),
        ("CET-1CEST,M3.5.0,M10.5.0/3", date(2026, 3, 29), 23),
        ("CET-1CEST,M3.5.0,M10.5.0/3", date(2026, 10, 25), 25),
    ],
)
def test_a_day_has_as_many_hours_as_in_this_time_zone(
    zone: Callable[[str], None], place: str, day: date, length: int
) -> None:
    zone(place)
    hours = Hours.of(day)
    assert hours.until - hours.since == length * 3600
    assert len(hours.starts()) == length


def test_a_day_begins_at_midnight_in_this_time_zone(zone: Callable[[str], None]) -> None:
    zone("UTC0")
    assert Hours.of(date(2026, 11, 21)).since == MIDNIGHT
    zone("CET-1")
    assert Hours.of(date(2026, 11, 21)).since == MIDNIGHT - 3600


def test_the_chart_has_a_bar_for_each_hour_in_this_time_zone(zone: Callable[[str], None]) -> None:
    zone("CET-1")
    placed = (EIGHT, EIGHT, EIGHT + 3600)
    lines = as_chart(Day.of([ready(60, 30, placed_at=at) for at in placed], HOURS)).splitlines()
    assert "orders by the hour" in lines[0]
    assert lines[-1].split() == ["09", "10"]
    assert lines[2].startswith("2┤█")


def test_the_chart_of_a_single_order_is_drawn() -> None:
    assert "█" in as_chart(Day.of([ready(60, 30)], HOURS))
