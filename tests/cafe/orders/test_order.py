"""One order: the table of transitions, and the times that are derived from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.orders.order import (
    BEGINNINGS,
    LONGEST_SUMMARY,
    NEXT,
    TRANSITIONS,
    Action,
    Line,
    NotAllowedError,
    Order,
    Status,
)
from tests.cafe.ledger.order_histories import DONUT, LATTE, basket


def an_order(status: Status) -> Order:
    return Order("id", 1, "americano", None, "127.0.0.1", 100.0, status=status)


def test_every_status_can_be_reached_from_waiting() -> None:
    reached = {Status.WAITING}
    for _ in Status:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(Status)


def test_delivered_and_cancelled_are_final() -> None:
    last = {Status.DELIVERED, Status.CANCELLED}
    assert not [row for row in TRANSITIONS if row[0] in last]


def test_every_action_is_a_beginning_or_in_the_table() -> None:
    assert {action for _, action in TRANSITIONS} == set(Action) - set(BEGINNINGS)
    assert set(BEGINNINGS) == {Action.PLACE, Action.PUBLISH}


@given(st.sampled_from(Status), st.sampled_from(Action))
def test_an_order_allows_only_the_transitions_of_the_table(status: Status, action: Action) -> None:
    order = an_order(status)
    after = TRANSITIONS.get((status, action))
    if after is None:
        with pytest.raises(NotAllowedError) as caught:
            order.after(action)
        assert (caught.value.status, caught.value.action) == (status, action)
    else:
        assert order.after(action).status is after


def test_a_change_makes_a_new_order_and_keeps_the_old_one() -> None:
    before = an_order(Status.WAITING)
    after = before.after(Action.START, barista="Bo")
    assert (before.status, before.barista) == (Status.WAITING, None)
    assert (after.status, after.barista) == (Status.PREPARATION, "Bo")


def test_an_order_that_waits_has_waited_until_now() -> None:
    assert an_order(Status.WAITING).waited_seconds(now=130.0) == 30.0


def test_an_order_that_has_ended_has_waited_until_its_end() -> None:
    order = an_order(Status.WAITING).after(Action.CANCEL, ended_at=110.0)
    assert order.waited_seconds(now=500.0) == 10.0


@pytest.mark.parametrize(
    ("sold", "said"),
    [
        ((LATTE,), "2 latte (vanilla)"),
        ((DONUT, LATTE._replace(quantity=1)), "donuts, latte (vanilla)"),
        ((DONUT._replace(quantity=100),) * 2, "100 donuts, 100 donuts"),
        ((DONUT,) * 25, ", ".join(["donuts"] * 25)),
        ((DONUT,) * 26, ", ".join(["donuts"] * 25) + ",…"),
        ((DONUT._replace(name="x" * 200),), "x" * LONGEST_SUMMARY),
        ((DONUT._replace(name="x" * 201),), "x" * (LONGEST_SUMMARY - 1) + "…"),
    ],
)
def test_a_basket_is_said_in_a_few_words(sold: tuple[Line, ...], said: str) -> None:
    assert basket(*sold).summary == said
    assert len(said) <= LONGEST_SUMMARY


def test_the_price_of_a_line_is_its_quantity_s() -> None:
    assert (LATTE.total_cents, basket().total_cents) == (860, 1060)


def test_each_status_but_the_last_ones_has_one_that_is_next() -> None:
    status, way = Status.WAITING, [Status.WAITING]
    while status in NEXT:
        status = NEXT[status]
        way.append(status)
    assert way == [Status.WAITING, Status.PREPARATION, Status.READY, Status.DELIVERED]
    assert Status.CANCELLED not in NEXT
    assert {(one, NEXT[one]) for one in NEXT} <= {
        (before, after) for (before, _), after in TRANSITIONS.items()
    }
