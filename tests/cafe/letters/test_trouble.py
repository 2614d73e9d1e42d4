"""Crashes, kills, outages, refused rows: each event has one letter, that is sent at least once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, select

from actors import Restart
from actors.testing import run_seeded
from cafe.bookings.messages import Facts
from cafe.ledger.tables import events
from cafe.letters.department import LETTERS
from cafe.letters.letter import DAY, State
from cafe.letters.queries import load_position
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.letters.mailroom import (
    EVENTS,
    NOON,
    FakeServer,
    expected_in,
    looked_up,
    open_mailroom,
    rows_in,
    written_in,
    wrong_in,
)
from tests.cafe.virtual_time import until
from tests.chance import examples

PATIENT = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)


@pytest.mark.schedules(3)
async def test_a_kill_before_the_commit_repeats_the_letter_with_the_same_message_id() -> None:
    server = FakeServer(seconds={"b1@example.org": 1.0})
    async with open_mailroom(server=server) as room:
        await room.happen("b1", "request")
        await until(lambda: server.calls)
        room.store.link.gone = True  # nothing that happens now is committed
        await until(lambda: server.taken)
        store, facts = room.store.survivor(), room.facts
    async with open_mailroom(store, server=server, facts=facts) as room:
        assert room.states("b1") == [State.DUE]
        await until(lambda: room.states("b1") == [State.SENT])
        assert len(server.taken) == 2
        assert len({(one.message_id, content) for _, one, content in server.taken}) == 1
        assert wrong_in(room.store) == []


@pytest.mark.schedules(3)
async def test_events_while_the_shop_was_down_have_their_letters_at_the_next_start() -> None:
    async with open_mailroom(tasks=False) as room:
        await room.happen("b1", "request", "accept")
        await trio.sleep(10)
        assert room.rows() == []
        store, facts = room.store.survivor(), room.facts
    async with open_mailroom(store, facts=facts) as room:
        await until(lambda: len(room.server.taken) == 2)
        assert room.server.kinds("b1") == ["received", "accepted"]


@pytest.mark.schedules(3)
async def test_what_happened_before_the_department_was_opened_first_gets_no_letter() -> None:
    async with open_mailroom(tasks=False) as room:
        await room.happen("b1", "request")
        store, facts = room.store.survivor(), room.facts
    with store.link.transaction(writing=True) as connection:
        connection.exec_driver_sql("DELETE FROM letter_followed")
    async with open_mailroom(store, facts=facts) as room:
        await room.happen("b2", "request")
        await until(lambda: room.server.taken)
        assert [one.booking_id for one in room.rows()] == ["b2"]


@pytest.mark.schedules(3)
async def test_during_an_outage_letters_wait_and_none_is_lost() -> None:
    async with open_mailroom(restart=PATIENT) as room:
        await room.happen("b1", "request")
        await until(lambda: room.server.taken)
        room.store.link.gone = True
        await trio.sleep(30)
        room.store.link.gone = False
        await room.happen("b1", "accept")
        await until(lambda: len(room.rows(State.SENT)) == 2)
        assert wrong_in(room.store) == []


@pytest.mark.schedules(3)
async def test_a_refused_attempt_is_recorded_once_the_database_takes_it() -> None:
    async with open_mailroom() as room:
        with room.store.link.transaction(writing=True) as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER refuse_it BEFORE INSERT ON letter_attempts WHEN NEW.letter_id IN "
                "(SELECT letter_id FROM letters WHERE booking_id = 'bad') "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        await room.happen("bad", "request")
        await room.happen("b1", "request", "accept")
        await until(lambda: room.states("b1") == 2 * [State.SENT])
        assert room.states("bad") == [State.DUE]
        with room.store.link.transaction(writing=True) as connection:
            connection.exec_driver_sql("DROP TRIGGER refuse_it")
        await until(lambda: room.states("bad") == [State.SENT])
        assert [one.booking_id for _, one in room.server.calls].count("bad") == 1
        assert wrong_in(room.store) == []


@pytest.mark.schedules(3)
async def test_after_the_clock_was_set_back_letters_are_not_late() -> None:
    server = FakeServer(always={"b1@example.org": "450"})
    async with open_mailroom(server=server, clock=lambda: NOON + 30 * DAY) as room:
        await room.happen("b1", "request")
        await until(lambda: room.states("b1") == [State.RETRYING])
        store, facts = room.store.survivor(), room.facts
    server.always.clear()
    async with open_mailroom(store, server=server, facts=facts) as room:
        await until(lambda: room.states("b1") == [State.SENT], 2)


def ended_bookings(before: float) -> Select[Any]:
    """Select the bookings that were requested before a time."""
    ours = (events.c.department == "bookings", events.c.at < before)
    return select(events.c.subject).where(*ours)


@pytest.mark.schedules(2)
async def test_old_letters_are_deleted_and_events_without_their_letters_are_not() -> None:
    pruned = replace(EVENTS, ended=ended_bookings)
    server = FakeServer(always={"b2@example.org": "550", "b3@example.org": "450"})
    async with open_mailroom(server=server) as room:
        for booking_id in ("b1", "b2", "b3", "b4"):
            await room.happen(booking_id, "request")
        await until(lambda: len(room.rows(State.SENT)) == 2)
        await until(lambda: len(room.rows(State.SET_ASIDE)) == 1)
        await until(lambda: len(room.rows(State.RETRYING)) == 1)
        await room.happen("t1", "open table")  # the log's last event is never deleted
        later = room.ledger.now() + 1
        assert await room.ledger.prune(LETTERS, later, []) == 3
        assert [one.booking_id for one in room.rows()] == ["b3"]
        assert wrong_in(room.store) == []
        store, facts = room.store.survivor(), room.facts
    async with open_mailroom(store, facts=facts, tasks=False) as room:
        await room.happen("b5", "request")
        assert await room.ledger.prune(pruned, later + 100, [LETTERS]) > 0
        assert [one.event.subject for one in room.store.logged if one.event.after == "requested"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.05, 0.3, 4.0, 400.0]),
        st.sampled_from(
            ["go", "go", "go", "fail", "refuse", "heal", "slow", "crash", "gone", "back", "mute"]
        ),
        st.integers(0, 3),
    ),
    min_size=3,
    max_size=14,
)
Story = list[list[tuple[float, str, int]]]
"""The processes of a shop, one after the other; each is killed at its end."""
LIFE = ("request", "accept", "cancel")
OUTCOMES = {"fail": "450", "refuse": "550", "heal": "250"}


async def run_story(story: Story) -> tuple[FakeServer, FaultyStore, dict[str, Facts]]:
    server, store = FakeServer(), FaultyStore()
    facts: dict[str, Facts] = {}
    lives = [list(LIFE) for _ in range(4)]
    for steps in [*story, []]:
        server.now.clear()
        async with (
            open_mailroom(store, server=server, facts=facts, restart=PATIENT) as room,
            trio.open_nursery() as nursery,
        ):
            for pause, what, which in steps:
                await trio.sleep(pause)
                booking_id = f"b{which}"
                if what == "go" and lives[which] and not room.store.link.gone:
                    await room.happen(booking_id, lives[which].pop(0))
                elif what in OUTCOMES:
                    server.always[f"{booking_id}@example.org"] = OUTCOMES[what]
                elif what == "slow":
                    server.seconds[f"{booking_id}@example.org"] = 0.2 * which
                elif what == "crash":
                    nursery.start_soon(room.crash)
                elif what == "mute":
                    room.store.link.mute = which
                elif what != "go":
                    room.store.link.gone = what == "gone"
            if not steps:
                server.always.clear()
                await trio.sleep(2 * DAY)
            store = room.store.survivor()
            nursery.cancel_scope.cancel()
    return server, store, facts


@given(seed=st.integers(0, 2**32), story=st.lists(STEPS, min_size=1, max_size=3))
@settings(max_examples=examples(50), deadline=None)
def test_each_event_has_one_letter_that_is_sent_or_refused_in_any_story(
    seed: int, story: Story
) -> None:
    server, store, facts = run_seeded(seed, partial(run_story, story))
    assert written_in(store) == expected_in(store, facts)
    assert {row.state for row in rows_in(store)} <= {State.SENT, State.SET_ASIDE}
    for which in range(4):
        ours = [one for one in rows_in(store) if one.booking_id == f"b{which}"]
        wanted = [one.kind.value for one in ours if one.state is State.SENT]
        assert server.kinds(f"b{which}") == wanted
        for letter in ours:
            sent = {
                (one.message_id, content)
                for _, one, content in server.taken
                if one.letter_id == letter.letter_id
            }
            assert len(sent) == (1 if letter.state is State.SENT else 0)
    last = max((one.position for one in rows_in(store)), default=0)
    assert looked_up(store, load_position) >= last
    assert wrong_in(store) == []


@pytest.mark.parametrize("seconds", [0.0, 0.05])
@pytest.mark.parametrize("killed_at", [0.0, 0.01, 0.06, 0.11, 0.16, 0.21, 0.26, 0.4])
@pytest.mark.schedules(3)
async def test_a_kill_between_any_two_commits_leaves_every_letter_once(
    killed_at: float, seconds: float
) -> None:
    server = FakeServer(seconds={"b1@example.org": 0.03})
    async with open_mailroom(server=server, disk=Disk(seconds)) as room:
        await room.happen("b1", "request", "accept")
        await trio.sleep(killed_at)
        store, facts = room.store.survivor(), room.facts
    server.now.clear()
    async with open_mailroom(store, server=server, facts=facts) as room:
        await until(lambda: room.states("b1") == 2 * [State.SENT])
        assert server.kinds("b1") == ["received", "accepted"]
        assert written_in(room.store) == expected_in(room.store, room.facts)
        assert wrong_in(room.store) == []
