"""The model: of a mailbox one letter is open at a time, in order, and so many an hour."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.letters.letter import (
    DAY,
    HOUR,
    LEAST,
    MOST_AN_HOUR,
    OPEN,
    PAUSES,
    TRANSITIONS,
    WRITTEN,
    Action,
    Attempt,
    Change,
    Kind,
    Letter,
    NotRetriedError,
    Outbox,
    State,
    new_letter,
)
from cafe.letters.tables import letters

MAILBOXES = st.sampled_from(["ada@example.org", "Ada@Example.org", "bob@example.org"])
ENDED = {State.SENT, State.SET_ASIDE}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), MAILBOXES, st.sampled_from([0.0, 1.0, 700.0])),
        st.tuples(
            st.just("attempt"),
            MAILBOXES,
            st.sampled_from(["250", "250", WRITTEN, "450", "550", "time-out", "login"]),
        ),
        st.tuples(st.just("retry"), st.integers(0, 9), st.just(None)),
    ),
    max_size=80,
)


class Story:
    """Some letters, of which each turn sees only what its queries would find."""

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.changes: list[Change] = []
        self.sent: dict[str, list[float]] = defaultdict(list)
        self.now = 0.0

    def outbox(self, mailbox: str, *named: str) -> Outbox:
        """Return an outbox as a turn looks it up."""
        of_mailbox = sorted(
            (one for one in self.letters.values() if one.mailbox == mailbox),
            key=lambda one: one.position,
        )
        is_open = [one for one in of_mailbox if one.state in OPEN][:1]
        held = [one for one in of_mailbox if one.state is State.HELD][:1]
        found = [*is_open, *held, *(self.letters[one] for one in named)]
        return Outbox(found, {mailbox: self.sent[mailbox][-MOST_AN_HOUR:]})

    def apply(self, changes: list[Change]) -> None:
        for change in changes:
            one = change.letter
            assert TRANSITIONS[change.before, change.action] is one.state
            if change.before is not None:
                assert self.letters[one.letter_id].state is change.before
            self.letters[one.letter_id] = one
            if change.action is Action.SEND:
                self.sent[one.mailbox].append(change.at)
        self.changes += changes

    def add(self, address: str, pause: float) -> None:
        self.now += pause
        position = len(self.letters) + 1
        new = new_letter(
            position, f"b{position}", Kind.RECEIVED, self.now, address=address, domain="x.org"
        )
        self.apply([self.outbox(new.mailbox).add(new, self.now)])

    def attempt(self, address: str, outcome: str) -> None:
        """Attempt the one that is due next, at the time when it is."""
        for one in list(self.letters.values()):
            if one.mailbox == address.lower() and one.due_at is not None:
                self.now = max(self.now, one.due_at)
                attempt = Attempt(one.letter_id, one.attempts + 1, self.now, outcome, None, 0.1)
                outbox = self.outbox(one.mailbox, one.letter_id)
                self.apply(outbox.attempted(attempt, self.now))
                again = self.outbox(one.mailbox, one.letter_id)
                assert again.attempted(attempt, self.now) == []
                return

    def retry(self, place: int, _: None) -> None:
        for one in list(self.letters.values())[place : place + 1]:
            outbox = self.outbox(one.mailbox, one.letter_id)
            if one.state in {State.HELD, State.SENT}:
                with pytest.raises(NotRetriedError):
                    outbox.retry(one.letter_id, self.now)
            else:
                self.apply(outbox.retry(one.letter_id, self.now))


def played(steps: list[tuple[str, ...]]) -> Story:
    story = Story()
    for step, *details in steps:
        getattr(story, step)(*details)
        check(story)
    return story


def check(story: Story) -> None:
    """Raise AssertionError unless the letters are as they must be after any step."""
    by_mailbox: dict[str, list[State]] = defaultdict(list)
    for one in story.letters.values():
        by_mailbox[one.mailbox].append(one.state)
        assert (one.due_at is not None) == (one.until is not None) == (one.state in OPEN)
        assert (one.ended_at is not None) == (one.state in ENDED)
        if one.due_at is not None and one.until is not None:
            assert one.due_at <= one.until
    for states in by_mailbox.values():
        number = sum(one in OPEN for one in states)
        assert number <= 1
        assert number == 1 or State.HELD not in states


@given(steps=STEPS)
def test_of_a_mailbox_one_letter_is_open_and_the_others_are_held_behind_it(
    steps: list[tuple[str, ...]],
) -> None:
    played(steps)


@given(steps=STEPS)
def test_no_mailbox_gets_more_than_five_letters_in_any_hour(steps: list[tuple[str, ...]]) -> None:
    for times in played(steps).sent.values():
        for first, sixth in zip(times, times[MOST_AN_HOUR:], strict=False):
            assert sixth >= first + HOUR


@given(steps=STEPS)
def test_letters_become_due_in_the_order_of_their_events(steps: list[tuple[str, ...]]) -> None:
    story = played([one for one in steps if one[0] != "retry"])
    due: dict[str, list[int]] = defaultdict(list)
    for change in story.changes:
        if change.action in {Action.ADD, Action.ADVANCE}:
            due[change.letter.mailbox].append(change.letter.position)
    assert all(positions == sorted(positions) for positions in due.values())


@given(steps=STEPS)
def test_a_failure_is_followed_by_a_pause_or_by_none(steps: list[tuple[str, ...]]) -> None:
    for change in played(steps).changes:
        one, attempt = change.letter, change.attempt
        if change.action is Action.FAIL:
            assert one.due_at == change.at + PAUSES[min(one.failures, len(PAUSES)) - 1]
        if attempt is not None:
            assert (change.action is Action.SEND) == (attempt.outcome in {"250", WRITTEN})
            assert change.action is Action.SET_ASIDE or attempt.outcome != "550"


def attempted_until_set_aside(letter: Letter, story: Story) -> list[float]:
    """Return when a letter is attempted that always fails."""
    times: list[float] = []
    while story.letters[letter.letter_id].due_at is not None:
        story.attempt(letter.address, "450")
        times.append(story.now)
    assert story.letters[letter.letter_id].state is State.SET_ASIDE
    return times


def test_a_letter_is_attempted_for_a_day() -> None:
    story = Story()
    story.add("ada@example.org", 0.0)
    (letter,) = story.letters.values()
    times = attempted_until_set_aside(letter, story)
    assert times[:5] == [0, 60, 360, 1_260, 3_060]
    assert DAY - PAUSES[-1] < times[-1] <= DAY
    assert len(times) == 17


def test_one_that_was_held_for_more_than_a_day_is_attempted_for_an_hour() -> None:
    story = Story()
    for _ in range(3):
        story.add("ada@example.org", 0.0)
    first, second, third = story.letters.values()
    attempted_until_set_aside(first, story)
    began = story.now
    times = attempted_until_set_aside(second, story)
    assert times[0] == began
    assert began + LEAST / 2 < times[-1] <= began + LEAST
    assert story.letters[third.letter_id].state is State.DUE


def test_one_that_is_retried_is_attempted_for_another_day() -> None:
    story = Story()
    story.add("ada@example.org", 0.0)
    (letter,) = story.letters.values()
    attempted_until_set_aside(letter, story)
    story.now = 10 * DAY
    story.retry(0, None)
    times = attempted_until_set_aside(letter, story)
    assert (times[0], len(times)) == (10 * DAY, 17)


def test_ids_are_stable_and_another_log_has_others() -> None:
    one = new_letter(5, "b1", Kind.ACCEPTED, 100.0, address="Ada@x.org", domain="cafe.example")
    assert one == new_letter(
        5, "b1", Kind.ACCEPTED, 100.0, address="Ada@x.org", domain="cafe.example"
    )
    other = new_letter(5, "b1", Kind.ACCEPTED, 101.0, address="Ada@x.org", domain="cafe.example")
    assert one.letter_id != other.letter_id
    assert one.message_id == f"<{one.letter_id}@cafe.example>"
    assert (one.address, one.mailbox) == ("Ada@x.org", "ada@x.org")


def test_the_longest_id_and_state_fit_their_columns() -> None:
    longest = new_letter(2**63 - 1, "b" * 64, Kind.RECEIVED, 1.7e9, address="a@b", domain="d" * 250)
    assert len(longest.letter_id) <= 64
    assert len(longest.message_id) <= getattr(letters.c.message_id.type, "length", 0)
    assert max(map(len, State)) <= getattr(letters.c.state.type, "length", 0)


@pytest.mark.parametrize(
    ("outcome", "success", "final"),
    [
        ("250", True, False),
        (WRITTEN, True, False),
        ("450", False, False),
        ("550", False, True),
        ("login", False, False),
        ("time-out", False, False),
        ("5", False, False),
        ("-55", False, False),
    ],
)
def test_an_outcome_says_whether_it_is_sent_or_refused_for_good(
    outcome: str,
    success: bool,  # noqa: FBT001 - a column of the table
    final: bool,  # noqa: FBT001
) -> None:
    attempt = Attempt("let_1", 1, 0.0, outcome, None, 0.1)
    assert (attempt.is_success, attempt.is_final) == (success, final)
