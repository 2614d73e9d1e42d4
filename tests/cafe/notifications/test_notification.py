"""The model: whatever fails, an order's notifications are delivered in the order of its events."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.notifications.notification import (
    PAUSES,
    TRANSITIONS,
    Action,
    Attempt,
    Change,
    Notification,
    NotRetriedError,
    Outbox,
    State,
    StatusChange,
    number_in,
)
from cafe.notifications.tables import notifications

HOUR = 3_600.0
ORDERS = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), ORDERS),
        st.tuples(st.just("attempt"), ORDERS, st.sampled_from(["204", "302", "503", "time-out"])),
        st.tuples(st.just("retry"), ORDERS, st.integers(0, 3)),
    ),
    max_size=60,
)


class Story:
    """Some orders with an outbox, of which each turn sees only what its queries would find."""

    def __init__(self) -> None:
        self.orders: dict[str, list[Notification]] = defaultdict(list)
        self.changes: list[Change] = []
        self.now = 0.0
        self.events = 0

    def apply(self, changes: list[Change]) -> None:
        for change in changes:
            one = change.notification
            of_order = self.orders[one.order_id]
            of_order[one.sequence - 1 : one.sequence] = [one]
            assert TRANSITIONS[change.before, change.action] is one.state
        self.changes += changes

    def note(self, order_id: str) -> None:
        self.events += 1
        event = StatusChange(self.events, order_id, 17, f"status {self.events}", self.now)
        self.apply(Outbox(self.orders[order_id][-1:]).note(event, self.now))

    def attempt(self, order_id: str, outcome: str) -> None:
        """Attempt the one that is due next, at the time when it is."""
        for place, one in enumerate(self.orders[order_id]):
            if one.due_at is not None:
                self.now = max(self.now, one.due_at)
                attempt = Attempt(one.event_id, one.attempts + 1, self.now, outcome, 0.1)
                looked_up = self.orders[order_id][place : place + 2]
                self.apply(Outbox(looked_up).attempted(attempt, self.now))
                again = self.orders[order_id][place : place + 2]
                assert Outbox(again).attempted(attempt, self.now) == []
                return

    def retry(self, order_id: str, place: int) -> None:
        for one in self.orders[order_id][place : place + 1]:
            if one.state in {State.HELD, State.DELIVERED}:
                with pytest.raises(NotRetriedError):
                    Outbox([one]).retry(one.event_id, self.now)
            else:
                self.apply(Outbox([one]).retry(one.event_id, self.now))


@given(steps=STEPS)
def test_of_an_order_all_are_delivered_up_to_one_and_held_behind_it(
    steps: list[tuple[str, ...]],
) -> None:
    story = Story()
    for step, *details in steps:
        getattr(story, step)(*details)
        for of_order in story.orders.values():
            states = [one.state for one in of_order]
            head = next((n for n, s in enumerate(states) if s is not State.DELIVERED), len(states))
            assert states[head : head + 1] != [State.HELD]
            assert set(states[head + 1 :]) <= {State.HELD}
            assert [one.sequence for one in of_order] == list(range(1, len(of_order) + 1))
            assert [one.position for one in of_order] == sorted(one.position for one in of_order)
            for one in of_order:
                assert (one.due_at is not None) == (one.state in {State.DUE, State.RETRYING})
                assert (one.delivered_at is not None) == (one.state is State.DELIVERED)


@given(steps=STEPS)
def test_each_failure_is_followed_by_its_pause_and_the_last_one_by_none(
    steps: list[tuple[str, ...]],
) -> None:
    story = Story()
    for step, *details in steps:
        getattr(story, step)(*details)
    for change in story.changes:
        one = change.notification
        if change.action is Action.FAIL:
            assert one.due_at == change.at + PAUSES[one.failures]
        elif change.action is Action.SET_ASIDE:
            assert (one.failures, one.due_at) == (len(PAUSES), None)


@given(orders=st.lists(st.tuples(ORDERS, st.sampled_from(["waiting", "ready"])), max_size=30))
def test_ids_are_stable_and_unique(orders: list[tuple[str, str]]) -> None:
    event = [
        StatusChange(n, order, 17, status, n / 7) for n, (order, status) in enumerate(orders, 1)
    ]
    assert len({one.event_id for one in event}) == len(event)
    assert [one.event_id for one in event] == [StatusChange(*one).event_id for one in event]


def test_the_same_position_of_another_log_has_another_id() -> None:
    one = StatusChange(5, "a", 17, "ready", 100.0)
    assert one.event_id != one._replace(at=101.0).event_id != one._replace(order_id="b").event_id


def test_the_longest_id_fits_its_column_and_has_no_dot() -> None:
    longest = StatusChange(2**63 - 1, "a" * 64, 17, "ready", 1.7e9).event_id
    assert len(longest) <= 64
    assert longest.replace("_", "").isalnum()
    assert max(map(len, State)) <= getattr(notifications.c.state.type, "length", 0)


def test_the_schedule_is_what_is_promised() -> None:
    minute = 60.0
    assert (0, 5, 5 * minute, 30 * minute, 2 * HOUR, 5 * HOUR, 10 * HOUR) == PAUSES


@pytest.mark.parametrize("outcome", ["200", "201", "204", "299"])
def test_any_2xx_is_a_success(outcome: str) -> None:
    assert Attempt("e", 1, 0.0, outcome, 0.1).is_success


@pytest.mark.parametrize("outcome", ["199", "300", "302", "404", "500", "time-out", "broken"])
def test_nothing_else_is(outcome: str) -> None:
    assert not Attempt("e", 1, 0.0, outcome, 0.1).is_success


@pytest.mark.parametrize(
    ("data", "number"),
    [
        ({"number": 17, "account_id": "a1", "total_cents": 450}, 17),
        ({"number": 17, "account_id": "a1", "more": None}, 17),
        ({"number": 17}, None),
        ({"account_id": "a1"}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_basket_is_known_by_the_data_of_its_events(data: object, number: int | None) -> None:
    assert number_in(json.dumps(data)) == number
