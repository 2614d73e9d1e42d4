"""The model: whatever fails, a subject's notifications are delivered in the order of its events."""

from __future__ import annotations

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
    Subject,
    Topic,
)
from cafe.notifications.tables import notifications

HOUR = 3_600.0
SUBJECTS = st.sampled_from([(Topic.ORDER, "a"), (Topic.ORDER, "b"), (Topic.BOOKING, "a")])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), SUBJECTS),
        st.tuples(st.just("attempt"), SUBJECTS, st.sampled_from(["204", "302", "503", "time-out"])),
        st.tuples(st.just("retry"), SUBJECTS, st.integers(0, 3)),
    ),
    max_size=60,
)


class Story:
    """Some subjects with an outbox, of which each turn sees only what its queries would find."""

    def __init__(self) -> None:
        self.kept: dict[Subject, list[Notification]] = defaultdict(list)
        self.changes: list[Change] = []
        self.now = 0.0
        self.events = 0

    def apply(self, changes: list[Change]) -> None:
        for change in changes:
            one = change.notification
            of_subject = self.kept[one.subject]
            of_subject[one.sequence - 1 : one.sequence] = [one]
            assert TRANSITIONS[change.before, change.action] is one.state
        self.changes += changes

    def note(self, subject: Subject) -> None:
        self.events += 1
        event = StatusChange(self.events, *subject, "{}", f"status {self.events}", self.now)
        last = [one for kept in self.kept.values() for one in kept[-1:]]
        self.apply(Outbox(last).note(event, self.now))

    def attempt(self, subject: Subject, outcome: str) -> None:
        """Attempt the one that is due next, at the time when it is."""
        for place, one in enumerate(self.kept[subject]):
            if one.due_at is not None:
                self.now = max(self.now, one.due_at)
                attempt = Attempt(one.event_id, one.attempts + 1, self.now, outcome, 0.1)
                looked_up = self.kept[subject][place : place + 2]
                self.apply(Outbox(looked_up).attempted(attempt, self.now))
                again = self.kept[subject][place : place + 2]
                assert Outbox(again).attempted(attempt, self.now) == []
                return

    def retry(self, subject: Subject, place: int) -> None:
        for one in self.kept[subject][place : place + 1]:
            if one.state in {State.HELD, State.DELIVERED}:
                with pytest.raises(NotRetriedError):
                    Outbox([one]).retry(one.event_id, self.now)
            else:
                self.apply(Outbox([one]).retry(one.event_id, self.now))


@given(steps=STEPS)
def test_of_a_subject_all_are_delivered_up_to_one_and_held_behind_it(
    steps: list[tuple[str, ...]],
) -> None:
    story = Story()
    for step, *details in steps:
        getattr(story, step)(*details)
        for of_subject in story.kept.values():
            states = [one.state for one in of_subject]
            head = next((n for n, s in enumerate(states) if s is not State.DELIVERED), len(states))
            assert states[head : head + 1] != [State.HELD]
            assert set(states[head + 1 :]) <= {State.HELD}
            assert [one.sequence for one in of_subject] == list(range(1, len(of_subject) + 1))
            assert [one.position for one in of_subject] == sorted(
                one.position for one in of_subject
            )
            for one in of_subject:
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


@given(changes=st.lists(st.tuples(SUBJECTS, st.sampled_from(["waiting", "ready"])), max_size=30))
def test_ids_are_stable_and_unique(changes: list[tuple[Subject, str]]) -> None:
    event = [
        StatusChange(n, *subject, "{}", status, n / 7)
        for n, (subject, status) in enumerate(changes, 1)
    ]
    assert len({one.event_id for one in event}) == len(event)
    assert [one.event_id for one in event] == [StatusChange(*one).event_id for one in event]


def test_the_same_position_of_another_log_has_another_id() -> None:
    one = StatusChange(5, Topic.ORDER, "a", "{}", "ready", 100.0)
    assert one.event_id != one._replace(at=101.0).event_id != one._replace(subject_id="b").event_id


def test_the_longest_id_fits_its_column_and_has_no_dot() -> None:
    longest = StatusChange(2**63 - 1, Topic.ORDER, "a" * 64, "{}", "ready", 1.7e9).event_id
    assert len(longest) <= 64
    assert longest.replace("_", "").isalnum()
    for column, words in ((notifications.c.state, State), (notifications.c.topic, Topic)):
        assert max(map(len, words)) <= getattr(column.type, "length", 0)


def test_the_schedule_is_what_is_promised() -> None:
    minute = 60.0
    assert (0, 5, 5 * minute, 30 * minute, 2 * HOUR, 5 * HOUR, 10 * HOUR) == PAUSES


@pytest.mark.parametrize("outcome", ["200", "201", "204", "299"])
def test_any_2xx_is_a_success(outcome: str) -> None:
    assert Attempt("e", 1, 0.0, outcome, 0.1).is_success


@pytest.mark.parametrize("outcome", ["199", "300", "302", "404", "500", "time-out", "broken"])
def test_nothing_else_is(outcome: str) -> None:
    assert not Attempt("e", 1, 0.0, outcome, 0.1).is_success
