"""One order: the table of transitions, and the times that are derived from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.orders.order import TRANSITIONS, Action, NotAllowedError, Order, Status


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


def test_every_action_but_placing_is_in_the_table() -> None:
    assert {action for _, action in TRANSITIONS} == set(Action) - {Action.PLACE}


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
