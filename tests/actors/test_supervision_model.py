"""Whatever happens to whatever groups: nothing is lost, done twice, overlaps, or stays behind.

Hypothesis composes the groups, what happens to their actors, and the schedule. What is checked at
the end needs no model of who is restarted when; the other tests of groups say that.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial

import outcome
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ActorCrashed, ActorStopped, RestartLimitExceeded, Strategy, open_system
from actors.testing import run_seeded, settle
from tests.actors.stage import Cast, Event, Play, Role
from tests.chance import examples

GRACE = 10_000

# A backoff, seldom so few crashes that the system may fail, and now and then an async factory.
roles = st.builds(
    Role,
    st.sampled_from([0, 0, 1, 4]),
    st.sampled_from([1000, 1000, 1000, 3]),
    st.sampled_from([None, None, 0, 1, 3]),
)
members = st.lists(roles, min_size=1, max_size=3)
casts = st.recursive(
    st.builds(Cast, st.sampled_from(Strategy), members),
    lambda inner: st.builds(
        Cast, st.sampled_from(Strategy), st.lists(roles | inner, min_size=1, max_size=3)
    ),
    max_leaves=4,
)
events = st.lists(
    st.builds(
        Event,
        st.sampled_from(
            [
                *["ask", "ask", "tell", "tell", "tell", "work", "work", "keep", "trap"],
                *["fall", "fall", "leave", "leave", "stop", "fail-to-start"],
                *["sleep", "settle", "settle", "pass", "pass"],
            ]
        ),
        st.integers(0, 20),
        st.sampled_from([0, 0.5, 1, 2, 5]),
    ),
    max_size=50,
)
seeds = st.integers(0, 999)


@settings(max_examples=examples(400), deadline=None)
@given(casts, events, seeds)
def test_a_system_that_is_left_has_done_all_that_it_has_taken_on(
    cast: Cast, plot: list[Event], seed: int
) -> None:
    play, failed = perform(cast, plot, seed, lambda _: None)
    check_safe(play)
    if not failed:
        check_complete(play)


@settings(max_examples=examples(200), deadline=None)
@given(casts, events, seeds)
def test_a_system_that_is_cancelled_leaves_nobody_waiting(
    cast: Cast, plot: list[Event], seed: int
) -> None:
    play, _ = perform(cast, plot, seed, trio.CancelScope.cancel)
    check_safe(play)


def perform(
    cast: Cast, plot: list[Event], seed: int, at_the_end: Callable[[trio.CancelScope], None]
) -> tuple[Play, bool]:
    """Run a play; return it, and whether an actor crashed too often."""

    async def stage() -> tuple[Play, bool]:
        alone = trio.lowlevel.current_statistics().tasks_living
        failed = False
        # Virtual hours: whoever is not settled by then never will be.
        with trio.fail_after(10 * GRACE):
            async with trio.open_nursery() as audience:
                play = Play(audience)
                try:
                    with trio.CancelScope() as scope:
                        await act(play, cast, plot, partial(at_the_end, scope))
                except RestartLimitExceeded:
                    failed = True
        await settle()
        assert trio.lowlevel.current_statistics().tasks_living == alone
        return play, failed

    # Thousands of crashes are told of elsewhere.
    logging.disable(logging.CRITICAL)
    try:
        return run_seeded(seed, stage)
    finally:
        logging.disable(logging.NOTSET)


async def act(play: Play, cast: Cast, plot: list[Event], at_the_end: Callable[[], None]) -> None:
    async with open_system(grace=GRACE) as system:
        await play.hire_all(system.group(Strategy.ONE_FOR_ONE), cast)
        for event in plot:
            await play.perform(event)
        at_the_end()


def said(play: Play, name: str) -> list[str]:
    """Return all that an actor has said, in order."""
    return [
        line.removeprefix(f"{name} says ")
        for line in play.journal
        if line.startswith(f"{name} says ")
    ]


def check_safe(play: Play) -> None:
    """Check what holds however the system ended."""
    assert play.overlaps == []
    texts = Counter(text for name in play.refs for text in said(play, name))
    assert set(texts.values()) <= {1}, "handled twice"
    for name, ref in play.refs.items():
        told = play.told.get(name, [])
        heard = [text for text in said(play, name) if text in told]
        assert heard == told[: len(heard)], "out of order, or one is missing between"
        seen = ref.statistics()
        assert seen.state == "stopped"
        assert play.begun[name] == 1 + seen.restarts + play.failed_starts(name)
        # Only what an async factory has made may be given up before it begins.
        assert play.lives[name] == play.begun[name] or name in play.patient
    for text, what, asker in play.askers:
        assert asker.left.is_set()
        assert asker.heard is not None or asker.scope.cancelled_caught
        if isinstance(asker.heard, outcome.Error):
            errors = (ActorStopped,) if what == "ask" else (ActorCrashed, ActorStopped)
            assert isinstance(asker.heard.error, errors)
        if what == "ask" and asker.heard is not None:
            assert texts[text] == isinstance(asker.heard, outcome.Value)


def check_complete(play: Play) -> None:
    """Check what holds if the system has ended in good order."""
    for name in play.refs:
        told = play.told.get(name, [])
        assert [text for text in said(play, name) if text in told] == told
