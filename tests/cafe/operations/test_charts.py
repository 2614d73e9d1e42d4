"""Histograms on a terminal."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.operations.charts import bar_width, bars, histograms


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


def test_a_bar_includes_its_lower_edge() -> None:
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


def test_a_histogram_without_waits_is_drawn() -> None:
    assert "nobody" in histograms({"nobody": []})
