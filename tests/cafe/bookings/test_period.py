"""Times and periods: all relations of two intervals, and both clock changes of a year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.bookings.period import (
    LAST_TIME,
    NO_LIMITS,
    Limits,
    Period,
    PeriodError,
    check,
    local_text,
    next_period,
    read_time,
    utc_text,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = 3_600.0, 86_400.0
NOW = 1_795_000_000.0
LIMITS = Limits(HOUR, 90 * DAY, 8 * HOUR)

# Allen, Maintaining Knowledge about Temporal Intervals (1983): the first is 3 to 6.
ALLEN = {
    "before": ((7, 9), False),
    "after": ((0, 2), False),
    "meets": ((6, 9), False),
    "is met by": ((0, 3), False),
    "overlaps": ((5, 9), True),
    "is overlapped by": ((0, 4), True),
    "starts": ((3, 9), True),
    "is started by": ((3, 4), True),
    "during": ((0, 9), True),
    "contains": ((4, 5), True),
    "finishes": ((0, 6), True),
    "is finished by": ((5, 6), True),
    "equals": ((3, 6), True),
}


@pytest.mark.parametrize(("other", "expected"), ALLEN.values(), ids=ALLEN)
def test_two_periods_overlap_in_nine_of_the_thirteen_relations(
    other: tuple[int, int], expected: object
) -> None:
    one = Period(3.0, 6.0)
    assert one.overlaps(Period(*map(float, other))) is expected
    assert Period(*map(float, other)).overlaps(one) is expected


def relation(one: tuple[int, int], other: tuple[int, int]) -> tuple[bool, ...]:
    return tuple(a < b for a in one for b in other) + tuple(a > b for a in one for b in other)


def test_the_thirteen_relations_are_different_and_all() -> None:
    ends = range(6)
    every = {
        relation((a, b), (c, d))
        for a in ends
        for b in ends
        for c in ends
        for d in ends
        if a < b and c < d
    }
    assert {relation((3, 6), other) for other, _ in ALLEN.values()} == every
    assert len(every) == len(ALLEN) == 13


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-01T19:00:00+02:00", datetime(2026, 6, 1, 17, tzinfo=UTC)),
        ("2026-06-01t17:00:00z", datetime(2026, 6, 1, 17, tzinfo=UTC)),
        ("2026-06-01 17:00Z", datetime(2026, 6, 1, 17, tzinfo=UTC)),
        ("2026-06-01T17:00:00.250Z", datetime(2026, 6, 1, 17, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-06-01T17:00:00.123456789Z", datetime(2026, 6, 1, 17, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-05-31T23:30:00-17:30", datetime(2026, 6, 1, 17, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_time_is_text_with_an_offset(text: str, moment: datetime) -> None:
    assert read_time(text) == moment.timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "1795000000",
        "2026-06-01T19:00:00",
        "2026-06-01",
        "19:00Z",
        "20260601T190000Z",
        "2026-W23-1T19:00:00Z",
        "2026-06-01T19:00:00 Europe/Berlin",
        "2026-06-01T19:00:00+0200",
        "2026-06-01T24:00:00Z",
        "2026-06-01T19:00:60Z",
        "2026-02-29T19:00:00Z",
        "2026-13-01T19:00:00Z",
        "2026-06-01T19:00:00+25:00",
        "2026-06-01T19:00:00Z\n",
        " 2026-06-01T19:00:00Z",
        "२०२६-06-01T19:00:00Z",
        "2026-06-01T19:00:00.Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"no (such )?time"):
        read_time(text)


def test_the_first_and_the_last_year_do_not_overflow() -> None:
    assert read_time("0001-01-01T00:00:00+23:59") < 0
    assert read_time("9999-12-31T23:59:59-23:59") > LAST_TIME


@given(
    seconds=st.integers(0, 7 * 10**9),
    microseconds=st.integers(0, 10**6 - 1),
    minutes=st.integers(-23 * 60, 23 * 60),
)
def test_a_time_is_kept_to_the_microsecond_whatever_its_offset(
    seconds: int, microseconds: int, minutes: int
) -> None:
    zone = timezone(timedelta(minutes=minutes))
    aware = datetime(1970, 1, 1, tzinfo=zone) + timedelta(0, seconds, microseconds)
    at = read_time(aware.isoformat())
    assert datetime.fromisoformat(utc_text(at)) == aware
    assert datetime.fromisoformat(local_text(at, BERLIN)) == aware
    assert read_time(utc_text(at)) == read_time(local_text(at, BERLIN)) == at


def test_in_spring_an_hour_is_missing() -> None:
    period = Period(read_time("2027-03-28T01:30:00+01:00"), read_time("2027-03-28T03:30:00+02:00"))
    assert period.seconds == HOUR
    assert local_text(period.starts_at + HOUR / 2, BERLIN) == "2027-03-28T03:00:00+02:00"
    check(period, NOW, Limits(0.0, 1_000 * DAY, HOUR))


def test_in_autumn_an_hour_comes_twice() -> None:
    first, second = "2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00"
    period = Period(read_time(first), read_time(second))
    assert period.seconds == HOUR
    assert (local_text(period.starts_at, BERLIN), local_text(period.ends_at, BERLIN)) == (
        first,
        second,
    )
    check(period, NOW, Limits(0.0, 1_000 * DAY, HOUR))
    with pytest.raises(PeriodError):
        check(period._replace(ends_at=period.ends_at + 1), NOW, Limits(0.0, 1_000 * DAY, HOUR))


def wrong(starts_in: float, seconds: float, limits: Limits = LIMITS) -> str | None:
    """Return the member that is wrong with a period, None if none is."""
    try:
        check(Period(NOW + starts_in, NOW + starts_in + seconds), NOW, limits)
    except PeriodError as error:
        return error.member
    return None


def test_guests_book_within_the_limits_which_are_inclusive() -> None:
    assert wrong(HOUR, 8 * HOUR) is None
    assert wrong(90 * DAY, 1.0) is None
    assert wrong(HOUR - 1, HOUR) == "from"
    assert wrong(90 * DAY + 1, HOUR) == "from"
    assert wrong(HOUR, 8 * HOUR + 1) == "to"
    assert wrong(-1.0, HOUR) == "from"
    assert wrong(HOUR, 0.0) == "to"
    assert wrong(HOUR, -1.0) == "to"


def test_a_manager_goes_beyond_the_limits_but_not_beyond_reason() -> None:
    assert wrong(0.0, HOUR, NO_LIMITS) is None
    assert wrong(400 * DAY, 30 * DAY, NO_LIMITS) is None
    assert wrong(-1.0, HOUR, NO_LIMITS) == "from"
    assert wrong(HOUR, 0.0, NO_LIMITS) == "to"
    assert wrong(HOUR, -HOUR, NO_LIMITS) == "to"
    assert wrong(LAST_TIME, HOUR, NO_LIMITS) == "to"
    assert Limits(0.0, inf, inf) == NO_LIMITS


def full_hour_from(text: str, zone: str, limits: Limits = LIMITS) -> str:
    """Return the beginning of the period of a guest who names none at this time."""
    period = next_period(read_time(text), limits, ZoneInfo(zone))
    assert period.seconds == 2 * HOUR
    check(period, read_time(text), limits)
    return local_text(period.starts_at, ZoneInfo(zone))


FULL_HOURS = {
    "a while before": ("2026-06-01T17:10:00Z", "Europe/Berlin", "2026-06-01T21:00:00+02:00"),
    "exactly": ("2026-06-01T17:00:00Z", "Europe/Berlin", "2026-06-01T20:00:00+02:00"),
    "just missed": ("2026-06-01T17:00:00.001Z", "Europe/Berlin", "2026-06-01T21:00:00+02:00"),
    "half an hour off": ("2026-06-01T17:10:00Z", "Asia/Kolkata", "2026-06-02T00:00:00+05:30"),
    "a quarter off": ("2026-06-01T17:10:00Z", "Asia/Kathmandu", "2026-06-02T00:00:00+05:45"),
    "into spring": ("2027-03-27T23:30:00Z", "Europe/Berlin", "2027-03-28T03:00:00+02:00"),
    "into autumn": ("2027-10-30T22:50:00Z", "Europe/Berlin", "2027-10-31T02:00:00+02:00"),
    "in autumn": ("2027-10-30T23:50:00Z", "Europe/Berlin", "2027-10-31T02:00:00+01:00"),
    # There the clocks are set by half an hour, from 2:00 to 2:30 and from 2:00 to 1:30.
    "into a short spring": (
        "2027-10-02T14:20:00Z",
        "Australia/Lord_Howe",
        "2027-10-03T03:00:00+11:00",
    ),
    "into a short autumn": (
        "2027-04-03T13:50:00Z",
        "Australia/Lord_Howe",
        "2027-04-04T02:00:00+10:30",
    ),
}


@pytest.mark.parametrize(("now", "zone", "expected"), FULL_HOURS.values(), ids=FULL_HOURS)
def test_who_names_no_time_gets_the_next_full_hour_that_may_be_booked(
    now: str, zone: str, expected: str
) -> None:
    assert full_hour_from(now, zone) == expected


@given(
    # From 2026 to 2030, half of the times near a change of some clocks.
    now=st.floats(1_767_225_600, 1_893_456_000)
    | st.floats(-DAY, DAY).map(lambda beside: 1_806_768_000 + beside)
    | st.floats(-DAY, DAY).map(lambda beside: 1_822_491_900 + beside),
    notice=st.integers(0, 300),
    zone=st.sampled_from(
        ["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "UTC"]
    ),
)
def test_no_earlier_full_hour_may_be_booked(now: float, notice: int, zone: str) -> None:
    limits = LIMITS._replace(notice=60.0 * notice)
    period = next_period(now, limits, ZoneInfo(zone))
    check(period, now, limits)

    def is_full(at: float) -> bool:
        local = datetime.fromtimestamp(at, ZoneInfo(zone))
        return (local.minute, local.second, local.microsecond) == (0, 0, 0)

    assert is_full(period.starts_at)
    first = now + limits.notice
    minute = (first // 60 + (first % 60 > 0)) * 60
    while minute < period.starts_at:
        assert not is_full(minute)
        minute += 60


def test_it_is_no_longer_than_may_be_booked() -> None:
    assert next_period(NOW, LIMITS._replace(longest=HOUR), BERLIN).seconds == HOUR
