"""The pace of addresses: groups of customers are never too fast, those who only connect are."""

from __future__ import annotations

import pytest

from cafe.limits import pace as module
from cafe.limits.pace import MOST_WASTED, PERIOD, QUICK_SECONDS, SUSPICIOUS, Pace
from cafe.limits.rate_limiter import Limits

OFFICE, ATTACKER = "192.0.2.7", "198.51.100.66"
PER_ADDRESS = 1200
"""As CAFE_LIMIT_CONNECTIONS comes."""
BROWSER = 3
"""Connections that a browser opens."""


def come(pace: Pace, times: int, now: float) -> int:
    """Connect so often; give how many were too fast."""
    too_fast = 0
    for _ in range(times):
        if pace.is_too_fast(OFFICE, now):
            too_fast += 1
        else:
            pace.came(OFFICE, now)
    return too_fast


def test_two_groups_of_200_browsers_may_come_at_once_and_as_many_again_in_the_same_period() -> None:
    pace = Pace(PER_ADDRESS)
    assert come(pace, 2 * 200 * BROWSER, now=0.0) == 0
    assert come(pace, 2 * 200 * BROWSER, now=PERIOD / 2) == 0


def test_so_may_as_many_customers_as_the_limits_let_wait_and_each_request_on_a_new_connection() -> (
    None
):
    pace = Pace(PER_ADDRESS)
    limits = Limits()
    assert come(pace, limits.waiting * BROWSER + limits.requests, now=0.0) == 0


def test_a_whole_group_may_think_again_at_once_every_second() -> None:
    pace = Pace(PER_ADDRESS)
    for second in range(5):
        now = second * QUICK_SECONDS
        assert come(pace, 200, now) == 0
        for _ in range(200 - 1):
            pace.left(OFFICE, now, now)
        assert not pace.is_too_fast(OFFICE, now)


def test_more_for_nothing_within_a_second_is_too_fast_until_that_is_over() -> None:
    pace = Pace(PER_ADDRESS)
    for _ in range(MOST_WASTED):
        assert not pace.is_too_fast(ATTACKER, 0.5)
        pace.left(ATTACKER, 0.5, 0.5)
    assert pace.is_too_fast(ATTACKER, 0.9)
    assert not pace.is_too_fast(OFFICE, 0.9)
    assert not pace.is_too_fast(ATTACKER, 0.5 + QUICK_SECONDS)


def test_whoever_wastes_some_is_suspect_before() -> None:
    pace = Pace(PER_ADDRESS)
    for _ in range(SUSPICIOUS):
        assert not pace.is_suspect(ATTACKER, 0.0)
        pace.left(ATTACKER, 0.0, 0.0)
    assert pace.is_suspect(ATTACKER, 0.0)
    assert not pace.is_suspect(OFFICE, 0.0)


@pytest.mark.parametrize(("per_address", "most"), [(PER_ADDRESS, 2 * PER_ADDRESS), (1, 400)])
def test_whoever_comes_and_goes_all_the_time_is_too_fast_in_the_end(
    per_address: int, most: int
) -> None:
    pace = Pace(per_address)
    assert come(pace, most, now=0.0) == 0
    assert come(pace, 10, now=PERIOD - 0.1) == 10
    assert come(pace, 10, now=PERIOD) == 0


def test_only_so_many_addresses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ADDRESSES", 1)
    pace = Pace(per_address=1)
    for _ in range(400):
        for address in (ATTACKER, OFFICE):
            pace.came(address, 0.0)
    assert pace.is_too_fast(ATTACKER, 0.0)
    assert not pace.is_too_fast(OFFICE, 0.0)
