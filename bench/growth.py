"""Finds the queues that grow in a simulated day, and when they begin and end.

Baristas always have a queue while a group is there. So theirs counts as growing while more work
comes than they can do, and has ended when it is as short as it was. At a machine a request stays
for some milliseconds. It has a queue if a request stays for a quarter of a second, or if the
machine is busy all the time: Redis and PostgreSQL then get larger batches, which cost less for each
request, so their queue may grow no further. That is reported, too, with its `Queue.stay`.

Rule: a queue grows for half an hour at least; a shorter one is chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.layout import Kind
from bench.saturday import Day

QUARTER = 900.0
SLOW_SECONDS = 0.25
BUSY = 0.99


class Queue(NamedTuple):
    """A time in which more came to servers of a kind than they could do."""

    begin: float
    """Seconds after opening."""
    kind: Kind
    end: float | None
    """When it has ended; None if it has not when the day ends."""
    stay: float
    """The mean stay of a request in the worst quarter of an hour, in seconds; at the baristas, of
    customers in the shop."""


def is_full(day: Day, kind: Kind, begin: float) -> bool:
    """Return whether a queue grows or lasts in a quarter of an hour."""
    account, end = day.accounts[kind], begin + QUARTER
    if kind is Kind.BARISTA:
        return account.asked(begin, end) > 1.0
    return day.stay(kind, begin, end) > SLOW_SECONDS or account.busy(begin, end) > BUSY


def find_queues(day: Day) -> list[Queue]:
    """Return each queue that grew, in the order in which they began.

    Of those that begin in the same quarter of an hour, the machines' come first, the longest stay
    first: a server behind a full one gets its work late, but is not full.
    """
    found = [queue for kind in Kind for queue in _queues_of(day, kind)]
    return sorted(found, key=lambda one: (one.begin, one.kind is Kind.BARISTA, -one.stay))


def _queues_of(day: Day, kind: Kind) -> Iterator[Queue]:
    quarters = int(day.closed_at / QUARTER)
    full = [is_full(day, kind, number * QUARTER) for number in range(quarters)]
    number = 0
    while number < quarters - 1:
        first = number
        number += 1
        if full[first] and full[first + 1]:
            while number < quarters and (full[number] or _is_longer(day, kind, first, number)):
                number += 1
            stay = max(_stay(day, kind, one * QUARTER) for one in range(first, number))
            yield Queue(first * QUARTER, kind, _end(number, quarters), stay)


def _is_longer(day: Day, kind: Kind, first: int, number: int) -> bool:
    """Return whether the baristas have more work waiting than when their queue began to grow."""
    waiting = day.accounts[kind].waiting
    return kind is Kind.BARISTA and waiting(number * QUARTER) > waiting(first * QUARTER)


def _end(number: int, quarters: int) -> float | None:
    return number * QUARTER if number < quarters else None


def _stay(day: Day, kind: Kind, begin: float) -> float:
    if kind is Kind.BARISTA:
        return day.wait(begin, begin + QUARTER)
    return day.stay(kind, begin, begin + QUARTER)
