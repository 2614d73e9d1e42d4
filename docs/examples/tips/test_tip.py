"""The model of tips: whatever happens to an order, the barista that brewed it gets its tip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.examples.tips.tip import HOUSE, Change, NoOrderError, NotBrewedError, Status, TipBook

NAMES = st.sampled_from(["Ada", "Bo", None])
ENDS = st.sampled_from(["finish", "finish late", "cancel"])
AFTER = {"place": "waiting", "start": "preparation", "expire": "waiting", "cancel": "cancelled"}

Step = tuple[str, str | None]


def steps_of(starts: list[str | None], end: str) -> list[Step]:
    """Give the events of an order that is started so often, and the baristas that they name."""
    steps: list[Step] = [("place", None)]
    for name in starts:
        steps += [("start", name), ("expire", None)]
    if end == "finish":
        return [*steps[:-1], (end, starts[-1])]
    return [*steps, (end, None)]


@given(
    lives=st.lists(
        st.tuples(st.lists(NAMES, min_size=1, max_size=3), ENDS, st.integers(0, 9)), max_size=4
    )
)
def test_the_barista_that_started_an_order_last_gets_its_tip_given_before_or_after_it_was_ready(
    lives: list[tuple[list[str | None], str, int]],
) -> None:
    book = TipBook([], [], {})
    expected: dict[str, int] = {}
    for number, (starts, end, moment) in enumerate(lives):
        order_id, cents, changes = f"order {number}", 10 + number, list[Change]()
        steps = steps_of(starts, end)
        given_before = 1 + moment % len(steps)
        for place, (action, by) in enumerate(steps):
            if place == given_before:
                changes += book.give(f"tip {number}", order_id, cents, 1.0)
            changes += book.follow(order_id, action, AFTER.get(action, "ready"), by, 2.0)
        if given_before == len(steps) and end == "cancel":
            with pytest.raises(NotBrewedError):
                book.give(f"tip {number}", order_id, cents, 3.0)
            continue
        if given_before == len(steps):
            changes += book.give(f"tip {number}", order_id, cents, 3.0)
        assert [change.before for change in changes] == [None, Status.PLEDGED]
        tip = book.tips[order_id]
        if end == "cancel":
            assert (tip.status, tip.barista) == (Status.RETURNED, None)
        else:
            barista = starts[-1] or HOUSE
            expected[barista] = expected.get(barista, 0) + cents
            assert (tip.status, tip.barista) == (Status.PAID, barista)
    assert book.totals == expected


def test_an_order_that_no_event_has_told_of_gets_no_tip() -> None:
    with pytest.raises(NoOrderError):
        TipBook([], [], {}).give("tip", "order", 50, 0.0)
