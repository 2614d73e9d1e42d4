"""Whatever happens in whatever groups: nothing is lost, done twice, overlaps, or stays behind.

Hypothesis generates the groups, the events and the schedule. The checks at the end need no model of
who is restarted when; the other tests of groups test that.
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
from tests.actors.random_groups import ActorSpec, Event, GroupSpec, Run
from tests.chance import examples

GRACE = 10_000

# A backoff, seldom so small a limit that the system may fail, and sometimes an async factory.
actor_specs = st.builds(
    ActorSpec,
    st.sampled_from([0, 0, 1, 4]),
    st.sampled_from([1000, 1000, 1000, 3]),
    st.sampled_from([None, None, 0, 1, 3]),
)
group_specs = st.recursive(
    st.builds(GroupSpec, st.sampled_from(Strategy), st.lists(actor_specs, min_size=1, max_size=3)),
    lambda inner: st.builds(
        GroupSpec,
        st.sampled_from(Strategy),
        st.lists(actor_specs | inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)
event_lists = st.lists(
    st.builds(
        Event,
        st.sampled_from(
            [
                *["ask", "ask", "tell", "tell", "tell", "work", "work", "keep"],
                *["crash", "crash", "crash-if-cancelled", "cancel", "cancel"],
                *["stop", "fail-to-start"],
                *["sleep", "settle", "settle", "checkpoint", "checkpoint"],
            ]
        ),
        st.integers(0, 20),
        st.sampled_from([0, 0.5, 1, 2, 5]),
    ),
    max_size=50,
)
seeds = st.integers(0, 999)


@settings(max_examples=examples(400), deadline=None)
@given(group_specs, event_lists, seeds)
def test_a_system_that_is_left_has_handled_all_that_it_has_accepted(
    spec: GroupSpec, events: list[Event], seed: int
) -> None:
    run, failed = execute(spec, events, seed, lambda _: None)
    check_safe(run)
    if not failed:
        check_all_handled(run)


@settings(max_examples=examples(200), deadline=None)
@given(group_specs, event_lists, seeds)
def test_a_system_that_is_cancelled_leaves_no_asker_waiting(
    spec: GroupSpec, events: list[Event], seed: int
) -> None:
    run, _ = execute(spec, events, seed, trio.CancelScope.cancel)
    check_safe(run)


def execute(
    spec: GroupSpec, events: list[Event], seed: int, at_the_end: Callable[[trio.CancelScope], None]
) -> tuple[Run, bool]:
    """Run a system through the events; return the run, and whether an actor crashed too often."""

    async def main() -> tuple[Run, bool]:
        alone = trio.lowlevel.current_statistics().tasks_living
        failed = False
        # Virtual hours: an asker that is not settled by then never will be.
        with trio.fail_after(10 * GRACE):
            async with trio.open_nursery() as outside:
                run = Run(outside)
                try:
                    with trio.CancelScope() as scope:
                        await do_all(run, spec, events, partial(at_the_end, scope))
                except RestartLimitExceeded:
                    failed = True
        await settle()
        assert trio.lowlevel.current_statistics().tasks_living == alone
        return run, failed

    # Thousands of crashes; that they are logged is tested elsewhere.
    logging.disable(logging.CRITICAL)
    try:
        return run_seeded(seed, main)
    finally:
        logging.disable(logging.NOTSET)


async def do_all(
    run: Run, spec: GroupSpec, events: list[Event], at_the_end: Callable[[], None]
) -> None:
    async with open_system(grace=GRACE) as system:
        await run.start_all(system.group(Strategy.ONE_FOR_ONE), spec)
        for event in events:
            await run.do(event)
        at_the_end()


def said(run: Run, name: str) -> list[str]:
    """Return everything that an actor has reported, in order."""
    return [
        line.removeprefix(f"{name} says ")
        for line in run.journal
        if line.startswith(f"{name} says ")
    ]


def check_safe(run: Run) -> None:
    """Check what must be true however the system ended."""
    assert run.overlaps == []
    texts = Counter(text for name in run.refs for text in said(run, name))
    assert set(texts.values()) <= {1}, "handled twice"
    for name, ref in run.refs.items():
        sent = run.sent.get(name, [])
        handled = [text for text in said(run, name) if text in sent]
        assert handled == sent[: len(handled)], "out of order, or one is missing between"
        seen = ref.statistics()
        assert seen.state == "stopped"
        assert run.started[name] == 1 + seen.restarts + run.failed_starts(name)
        # Only what an async factory has made may be discarded before it starts.
        assert run.made[name] == run.started[name] or name in run.async_made
    for text, what, asker in run.askers:
        assert asker.done.is_set()
        assert asker.outcome is not None or asker.scope.cancelled_caught
        if isinstance(asker.outcome, outcome.Error):
            errors = (ActorStopped,) if what == "ask" else (ActorCrashed, ActorStopped)
            assert isinstance(asker.outcome.error, errors)
        if what == "ask" and asker.outcome is not None:
            assert texts[text] == isinstance(asker.outcome, outcome.Value)


def check_all_handled(run: Run) -> None:
    """Check what must be true if the system has ended without a failure."""
    for name in run.refs:
        sent = run.sent.get(name, [])
        assert [text for text in said(run, name) if text in sent] == sent
