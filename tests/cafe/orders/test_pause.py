"""The model of a pause, compared with what managers have said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cafe.orders.pause import (
    NEVER_PAUSED,
    PAUSE_TRANSITIONS,
    Intake,
    Pause,
    PauseAction,
    PauseChange,
    Pausing,
)
from cafe.orders.queue import CLOCK_AHEAD
from cafe.orders.refusals import Paused

NOON = 1_795_000_000.0
LUNCH = Pause(NOON + 900, "Back at a quarter past.", "Di")

steps = st.tuples(
    st.sampled_from(["pause", "resume"]),
    st.floats(0, 3600),
    st.floats(1, 86_400),
    st.sampled_from(["", "Back soon."]),
)


def changed(change: PauseChange | None) -> Pausing:
    assert change is not None
    return change.after


@given(st.lists(steps, max_size=12))
def test_the_last_word_of_a_manager_holds_until_its_end(
    said: list[tuple[str, float, float, str]],
) -> None:
    now, pausing, holds = NOON, NEVER_PAUSED, None
    for what, later, seconds, text in said:
        now += later
        before = pausing.intake
        pause = Pause(now + seconds, text, "Di")
        change = pausing.begin(pause, now) if what == "pause" else pausing.end(now, "Di")
        if what == "pause":
            holds = pause
        elif holds is not None and now >= holds.until:
            assert change is None, "it has ended by itself"
        else:
            assert (change is None) == (holds is None)
            holds = None
        if change is not None:
            pausing = change.after
            assert change.before == before
            assert change.by == "Di"
            assert pausing.since == now
            assert PAUSE_TRANSITIONS[before, change.action] is pausing.intake
        running = None if holds is None or now >= holds.until else holds
        assert pausing.at(now) == running
        if holds is not None:
            assert pausing.at(holds.until) is None
            assert pausing.at(max(now, holds.until - 0.001)) in {holds, None}


def test_what_is_said_again_changes_nothing() -> None:
    paused = changed(NEVER_PAUSED.begin(LUNCH, NOON))
    assert paused.begin(LUNCH, NOON + 60) is None
    assert NEVER_PAUSED.end(NOON) is None
    assert changed(paused.end(NOON + 60)).end(NOON + 60) is None


def test_a_pause_that_has_run_out_is_followed_by_the_next_one() -> None:
    paused = changed(NEVER_PAUSED.begin(LUNCH, NOON))
    assert paused.at(LUNCH.until) is None
    assert paused.end(LUNCH.until) is None
    again = paused.begin(LUNCH._replace(until=NOON + 3600), NOON + 1800)
    assert again is not None
    assert (again.before, again.action) == (Intake.PAUSED, PauseAction.PAUSE)
    assert again.after.at(NOON + 1800) == LUNCH._replace(until=NOON + 3600)


@pytest.mark.parametrize(("ahead", "holds"), [(CLOCK_AHEAD, True), (CLOCK_AHEAD + 1, False)])
def test_a_pause_from_a_clock_that_was_far_ahead_does_not_hold(
    ahead: float, *, holds: bool
) -> None:
    paused = changed(NEVER_PAUSED.begin(Pause(NOON + ahead + 900), NOON + ahead))
    assert (paused.at(NOON) is not None) is holds


def test_the_refusal_says_until_when_and_why() -> None:
    refusal = Paused(LUNCH, NOON + 0.5)
    assert refusal.status == 503
    assert refusal.problem_members() == {
        "reason": "paused",
        "until": "2026-11-18T11:21:40Z",
        "text": "Back at a quarter past.",
    }
    assert refusal.headers() == ((b"retry-after", b"900"),)
