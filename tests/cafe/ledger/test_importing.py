"""What is imported stands in the log by its times, which never go back a little."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.ledger.department import Entry, Event, Logged
from cafe.ledger.importing import AT_ONCE, Made, Times, made, units_of
from cafe.ledger.log import MOST_AHEAD
from cafe.orders.tables import entry_of, orders
from tests.cafe.ledger.order_histories import NOON, Tickets

LAST = Logged(7, "orders", Event("a", "place", None, "waiting", NOON))
AROUND = st.floats(-2 * MOST_AHEAD, 2 * MOST_AHEAD).map(lambda seconds: NOON + seconds)


@pytest.mark.parametrize(
    ("clock", "now"),
    [
        (NOON + 1, NOON + 1),
        (NOON - 1, NOON),
        (NOON - MOST_AHEAD, NOON),
        (NOON - MOST_AHEAD - 1, NOON - MOST_AHEAD - 1),
    ],
)
def test_now_is_not_before_the_last_event_unless_that_is_far_ahead(
    clock: float, now: float
) -> None:
    assert Times.after(LAST, clock).now == now
    assert Times.after(None, clock) == (clock, 0.0)


@given(moments=st.lists(AROUND, min_size=1))
def test_no_time_in_the_log_is_a_little_before_the_one_before_it(moments: list[float]) -> None:
    times = Times.after(LAST, NOON + 3 * MOST_AHEAD)
    found = [NOON, *sorted(map(times.of, moments))]
    for before, after in pairwise(found):
        assert after >= before or after <= before - MOST_AHEAD
    assert [times.of(one) for one in sorted(moments)] == found[1:]


def test_a_record_s_rows_are_written_once_as_the_last_entry_leaves_them() -> None:
    placed, *_, delivered = changes = Tickets().delivered("a")
    found = made("orders", [entry_of(one) for one in changes], NOON)
    assert [one.entry.event for one in found] == [entry_of(one).event for one in changes]
    first, *others = [one.entry.changes for one in found]
    assert first == entry_of(delivered).changes != entry_of(placed).changes
    assert [one.table for one in first] == [orders]
    assert others == [()] * (len(changes) - 1)
    assert made("orders", [], NOON) == []


def test_what_is_no_event_happens_now() -> None:
    entry = Entry(None, entry_of(Tickets().place("a")).changes)
    assert made("orders", [entry], 5.0) == [Made(5.0, "orders", entry)]


@given(entries=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["orders", "delivery"]))))
def test_units_have_everything_in_the_order_of_its_times(entries: list[tuple[int, str]]) -> None:
    given_ = [
        Made(at, department, Entry(Event(str(number), "place", None, "waiting", at)))
        for number, (at, department) in enumerate(entries)
    ]
    written = [
        Made(entry.event.at, unit.department, entry)
        for units in units_of(given_)
        for unit in units
        for entry in unit.entries
        if entry.event is not None
    ]
    assert written == sorted(given_, key=lambda one: one.at)


def test_many_entries_are_written_some_at_a_time() -> None:
    entry = Entry(Event("a", "place", None, "waiting", NOON))
    many = [Made(NOON, "orders", entry)] * (AT_ONCE + 1)
    assert [[len(unit.entries) for unit in units] for units in units_of(many)] == [[AT_ONCE], [1]]
