"""The windows against the log of exact times that they stand in for."""

import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cafe.limits.window import SlidingWindow, WindowTable
from tests.chance import examples

WIDTH = 10.0
START = 1_000_000.0  # trio's clock begins anywhere; a multiple of WIDTH keeps the examples readable

limits = st.integers(1, 20)
# Pauses from nothing to longer than everything is remembered.
pauses = st.one_of(
    st.just(0.0), st.floats(0, 1), st.floats(0, 2.5 * WIDTH), st.just(WIDTH), st.just(WIDTH / 2)
)
schedules = st.lists(pauses, max_size=120).map(
    lambda pauses: [START + sum(pauses[: n + 1]) for n in range(len(pauses))]
)


def count_since(log: list[float], start: float) -> int:
    return sum(time >= start for time in log)


def bucketed(log: list[float], now: float) -> float:
    """Return the estimate that the module's theory promises for an exact log."""
    boundary = now // WIDTH * WIDTH
    current = count_since(log, boundary)
    previous = count_since(log, boundary - WIDTH) - current
    return current + previous * (1 - (now - boundary) / WIDTH)


def admitted(times: list[float], limit: int) -> list[float]:
    """Return which of `times` find room, when only those that do are counted."""
    window = SlidingWindow(WIDTH)
    log: list[float] = []
    for now in times:
        if not window.seconds_until_room(limit, now):
            window.add(now)
            log.append(now)
    return log


@given(schedules, pauses)
def test_the_estimate_lies_between_the_current_bucket_and_both(
    times: list[float], pause: float
) -> None:
    window = SlidingWindow(WIDTH)
    for time in times:
        window.add(time)
    now = (times[-1] if times else START) + pause
    boundary = now // WIDTH * WIDTH
    low, high = count_since(times, boundary), count_since(times, boundary - WIDTH)
    exact = count_since(times, math.nextafter(now - WIDTH, math.inf))
    assert low <= window.estimate(now) <= high
    assert abs(window.estimate(now) - exact) <= high - low


@given(st.integers(1, 50), st.integers(0, 9))
def test_the_estimate_is_exact_for_a_steady_pace(pace: int, tenth: int) -> None:
    window = SlidingWindow(WIDTH)
    for n in range(pace * 30 + tenth * pace):
        window.add(START + n / pace)
    now = START + 30 + tenth
    assert window.estimate(now) == pytest.approx(pace * WIDTH)


@given(schedules, limits)
def test_nobody_gets_more_than_the_limit_in_a_bucket_nor_twice_that_in_any_window(
    times: list[float], limit: int
) -> None:
    log = admitted(times, limit)
    for end, time in enumerate(log):
        assert count_since(log[: end + 1], time // WIDTH * WIDTH) <= limit
        assert count_since(log[: end + 1], math.nextafter(time - WIDTH, math.inf)) <= 2 * limit


@given(schedules, limits)
def test_nobody_who_stays_within_the_limit_over_two_windows_is_refused(
    times: list[float], limit: int
) -> None:
    modest: list[float] = []
    for time in times:
        if count_since(modest, time - 2 * WIDTH) < limit:
            modest.append(time)
    assert admitted(modest, limit) == modest


@given(schedules, limits, st.floats(0.05, 0.95))
def test_there_is_room_after_the_promised_seconds_and_not_much_earlier(
    times: list[float], limit: int, share: float
) -> None:
    window = SlidingWindow(WIDTH)
    log = admitted(times, limit)
    for time in log:
        window.add(time)
    now = log[-1] if log else START
    wait = window.seconds_until_room(limit, now)
    assert wait <= 2 * WIDTH
    if wait > 0.001:
        assert window.seconds_until_room(limit, now + wait * share) > 0
        assert window.seconds_until_room(limit, now + wait) == 0.0


@given(schedules)
def test_a_window_is_quiet_after_the_promised_seconds(times: list[float]) -> None:
    window = SlidingWindow(WIDTH)
    for time in times:
        window.add(time)
    now = times[-1] if times else START
    quiet = window.seconds_until_quiet(now)
    assert quiet <= 2 * WIDTH
    assert (quiet > 0) == bool(times)
    assert window.estimate(math.nextafter(now + quiet, math.inf)) == 0.0


def test_a_window_that_was_overfilled_still_tells_when_there_is_room() -> None:
    window = SlidingWindow(WIDTH)
    window.add(START, times=100)
    assert window.seconds_until_room(1, START) == 2 * WIDTH
    assert window.seconds_until_room(51, START) == pytest.approx(1.5 * WIDTH)


def test_a_window_tells_its_counts_in_its_repr() -> None:
    window = SlidingWindow(WIDTH)
    window.add(START, times=3)
    window.add(START + WIDTH)
    assert repr(window) == "<SlidingWindow: 3, then 1 in 10 s>"


MOST = 4
keys = st.integers(0, 9).map("192.0.2.{}".format)


class TablePlay(RuleBasedStateMachine):
    """A table of four keys compared with a dictionary of logs that drops no key."""

    def __init__(self) -> None:
        super().__init__()
        self.table = WindowTable(WIDTH, MOST)
        self.now = START
        self.logs: dict[str, list[float]] = {}  # what was counted for each key alone

    @rule(pause=pauses)
    def wait(self, pause: float) -> None:
        self.now += pause

    @rule(key=keys, times=st.integers(1, 3))
    def count(self, key: str, times: int) -> None:
        window = self.table.window_of(key, self.now)
        if window is self.table.shared:
            assert sum(map(self.is_busy, self.logs)) == MOST
            assert not self.is_busy(key)
        else:
            log = self.logs.setdefault(key, [])
            assert window.estimate(self.now) == pytest.approx(bucketed(log, self.now))
            log.extend([self.now] * times)
        window.add(self.now, times)

    @rule(key=keys)
    def forget(self, key: str) -> None:
        self.table.forget(key)
        self.logs.pop(key, None)

    @invariant()
    def the_table_is_bounded(self) -> None:
        assert sum(map(self.is_busy, self.logs)) <= len(self.table) <= MOST

    def is_busy(self, key: str) -> bool:
        return bucketed(self.logs.get(key, []), self.now) > 0


TablePlay.TestCase.settings = settings(max_examples=examples(30))
test_the_table_never_drops_a_busy_key = TablePlay.TestCase


def test_a_full_table_gives_all_further_keys_one_window() -> None:
    table = WindowTable(WIDTH, most=2)
    for key in ("a", "b"):
        table.window_of(key, START).add(START)
    assert table.window_of("c", START) is table.window_of("d", START) is table.shared
    assert table.window_of("a", START) is not table.shared


def test_a_quiet_key_makes_room_for_a_new_one() -> None:
    table = WindowTable(WIDTH, most=2)
    for key in ("busy", "quiet"):
        table.window_of(key, START).add(START)
    table.window_of("busy", START + 2 * WIDTH).add(START + 2 * WIDTH)
    assert table.window_of("new", START + 2 * WIDTH) is not table.shared
    assert len(table) == 2


def test_the_table_shrinks_while_new_keys_come() -> None:
    table = WindowTable(WIDTH, most=1000)
    for n in range(1000):
        table.window_of(f"old {n}", START).add(START)
    for n in range(500):
        table.window_of(f"new {n}", START + 3 * WIDTH).add(START + 3 * WIDTH)
    assert len(table) == 500


def test_a_key_costs_less_than_a_quarter_of_a_kilobyte() -> None:
    keys = [f"192.0.{n // 256}.{n % 256}" for n in range(5_000)]
    tracemalloc.start()
    try:
        table = WindowTable(WIDTH, most=len(keys))
        for n, key in enumerate(keys):
            table.window_of(key, START + n / 1000).add(START + n / 1000, times=300 + n % 300)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(keys) < 256
