"""Summaries and histograms of visits."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cafe.operations.report import Summary, Visit, Waits, bar_width, bars, comparison, histograms

SERVED = [Visit(float(seconds), 200) for seconds in range(1, 101)]


def test_a_crowd_that_got_its_coffee_has_all_served_and_its_waits() -> None:
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


def test_customers_who_never_came_to_an_end_are_told() -> None:
    summary = Summary.of(SERVED[:1], customers=5)
    assert summary.others == (("gave up at the end", 4),)
    assert not summary.all_served


def test_waits_are_those_of_the_served_alone() -> None:
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


@pytest.mark.parametrize(
    ("longest", "width"), [(15.9, 1), (16.1, 2), (60, 5), (900, 100), (0.5, 0.05)]
)
def test_bars_have_a_round_width(longest: float, width: float) -> None:
    assert bar_width(longest) == pytest.approx(width)


@given(st.lists(st.floats(0, 10_000), min_size=1))
def test_every_wait_is_in_one_bar_and_bars_fit_the_screen(waits: list[float]) -> None:
    width = bar_width(max(waits))
    number = int(max(waits) / width) + 1
    counts = bars(waits, width, number)
    assert sum(counts) == len(waits)
    assert number <= 16


def test_a_bar_holds_its_lower_edge() -> None:
    assert bars([0.0, 0.99, 1.0, 2.5], 1.0, 3) == [2, 1, 1]


def test_histograms_share_their_axes() -> None:
    picture = histograms({"without": [1.0, 1.5, 9.0], "with": [2.0]})
    lines = picture.splitlines()
    first, second = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    assert "without" in first[0]
    assert "with" in second[0]
    assert first[-2:] == second[-2:]
    assert max(len(line) for line in lines) <= 78
    assert Counter(picture)["█"] > 0
    assert "\x1b" not in picture


def test_a_histogram_of_nobody_is_drawn_all_the_same() -> None:
    assert "nobody" in histograms({"nobody": []})
