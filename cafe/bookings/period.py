"""Times as guests write them, and periods: when a table is booked.

Rule: pure. A time is seconds since the Unix epoch, so that periods are compared and subtracted in
UTC: in local time, an hour is skipped or repeated when clocks change. A period is half-open, so
that one guest may come when another goes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import ceil, inf
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

LAST_TIME: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""A float cannot hold later times to the microsecond."""
LONGEST_TEXT: Final = 40
"""The most characters of a time: RFC 3339 does not limit the digits of a second's fraction."""
_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,12})?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
HOUR: Final = 3_600
USUAL_LENGTH: Final = 2.0 * HOUR
"""Seconds for which a table is booked by a guest who names no times."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class PeriodError(ValueError):
    """A period in which no table can be booked."""

    def __init__(self, member: str, sentence: str) -> None:
        super().__init__(sentence)
        self.member = member
        """Which of the two times is wrong: `from` or `to`."""
        self.sentence = sentence


class Period(NamedTuple):
    """A half-open interval of time, without its end."""

    starts_at: float
    ends_at: float

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return self.ends_at - self.starts_at

    def overlaps(self, other: Period) -> bool:
        """Return whether some moment is in both; neither may be empty."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


class Limits(NamedTuple):
    """When guests may book, in seconds."""

    notice: float
    """The least time from the request to the beginning."""
    ahead: float
    """The most time from the request to the beginning."""
    longest: float


NO_LIMITS: Final = Limits(0.0, inf, inf)
"""The limits of a manager."""


def read_time(text: str) -> float:
    """Return the time of an RFC 3339 text with an offset; raises ValueError for other texts."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError("this is no time with an offset")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("there is no such time") from None
    # Exact, and without an overflow near the years 1 and 9999.
    return (moment - _EPOCH) // _MICROSECOND / 1_000_000


def utc_text(at: float) -> str:
    """Return a time in RFC 3339, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def local_text(at: float, zone: ZoneInfo) -> str:
    """Return a time in RFC 3339, with the offset of a zone at that time."""
    return datetime.fromtimestamp(at, zone).isoformat()


def next_period(now: float, limits: Limits, zone: ZoneInfo) -> Period:
    """Return the default period: from the next full hour that may be booked.

    It is a full hour in local time, which in some zones differs from UTC by half an hour.
    """
    starts_at = ceil(now + limits.notice)
    # Repeated, since the clocks may change by half an hour in between.
    while over := (starts_at + _offset(starts_at, zone)) % HOUR:
        starts_at += HOUR - over
    return Period(float(starts_at), starts_at + min(USUAL_LENGTH, limits.longest))


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)


def check_order(period: Period) -> None:
    """Raise PeriodError for a period that is empty, ends before it begins, or is too far away."""
    if period.ends_at <= period.starts_at:
        raise PeriodError("to", "This is not after `from`.")
    if period.ends_at > LAST_TIME:
        raise PeriodError("to", "This is too far in the future.")


def check(period: Period, now: float, limits: Limits) -> None:
    """Raise PeriodError for a period in the past, or outside of `limits`."""
    check_order(period)
    if period.starts_at < now:
        raise PeriodError("from", "This is in the past.")
    if period.starts_at < now + limits.notice:
        minutes = f"{limits.notice / 60:g}"
        raise PeriodError("from", f"Tables are booked at least {minutes} minutes ahead.")
    if period.starts_at > now + limits.ahead:
        days = f"{limits.ahead / 86_400:g}"
        raise PeriodError("from", f"Tables are booked at most {days} days ahead.")
    if period.seconds > limits.longest:
        hours = f"{limits.longest / 3_600:g}"
        raise PeriodError("to", f"Tables are booked for at most {hours} hours.")
