from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.limits.headers import limit_headers


def test_the_fields_name_the_policy_and_when_to_come_back() -> None:
    assert limit_headers("requests", quota=600, window_seconds=10.0, retry_after=6.2) == (
        (b"retry-after", b"7"),
        (b"ratelimit-policy", b'"requests";q=600;w=10'),
        (b"ratelimit", b'"requests";r=0;t=7'),
    )


def test_a_policy_without_a_window_caps_what_is_under_way_at_one_time() -> None:
    fields = dict(limit_headers("waiting", quota=400, window_seconds=0.0, retry_after=5.0))
    assert fields[b"ratelimit-policy"] == b'"waiting";q=400;qu="concurrent-requests"'


@pytest.mark.parametrize("seconds", [0.0, 0.001, 1.0])
def test_nobody_is_told_to_come_back_in_no_time(seconds: float) -> None:
    fields = dict(limit_headers("requests", quota=1, window_seconds=0.5, retry_after=seconds))
    assert fields[b"retry-after"] == b"1"
    assert fields[b"ratelimit"] == b'"requests";r=0;t=1'
    assert fields[b"ratelimit-policy"] == b'"requests";q=1;w=1'


@given(st.floats(0, 1e6))
def test_seconds_are_rounded_up(seconds: float) -> None:
    fields = dict(limit_headers("requests", quota=1, window_seconds=1, retry_after=seconds))
    assert int(fields[b"retry-after"]) == max(1, ceil(seconds))
