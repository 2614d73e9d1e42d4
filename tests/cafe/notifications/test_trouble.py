"""Crashes, kills, outages, refused rows: each event is noted once, and delivered at least once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio
from sqlalchemy import Select, select

from actors import Restart
from cafe.ledger.database import Link
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.tables import events
from cafe.notifications.department import NOTIFICATIONS
from cafe.notifications.notification import PAUSES, State
from tests.cafe.ledger.fakes import Disk, FaultyStore
from tests.cafe.notifications.post import (
    DEPARTMENTS,
    EVENTS,
    LIFE,
    NOON,
    Post,
    Receiver,
    expected_in,
    noted_in,
    open_post,
    rows_in,
    wrong_in,
)
from tests.cafe.virtual_time import until

PATIENT = Restart(limit=1_000, backoff=0.25, longest=1, jitter=0)
ALL = ["waiting", "preparation", "ready", "delivered"]
REFUSE = "CREATE TRIGGER refuse_it BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'refused'); END"
OF_BAD = "WHEN NEW.event_id IN (SELECT event_id FROM notifications WHERE subject_id = 'bad')"


def delivered(before: float) -> Select[Any]:
    """Select the orders that were handed over before a time."""
    of_orders = (events.c.department == "orders", events.c.after == "delivered")
    return select(events.c.subject).where(*of_orders, events.c.at < before)


PRUNED = replace(EVENTS, ended=delivered)
"""Orders that may be pruned."""


@asynccontextmanager
async def refusing(post: Post, table: str) -> AsyncGenerator[None]:
    """Make the database refuse the rows of a table; the table may name those that it means."""
    for statement in (REFUSE.format(table), "DROP TRIGGER refuse_it"):
        with Link.transaction(post.store.link, writing=True) as connection:
            connection.exec_driver_sql(statement)
        if statement != "DROP TRIGGER refuse_it":
            yield


@pytest.mark.schedules(5)
async def test_a_crash_of_the_notifier_loses_and_doubles_nothing() -> None:
    async with open_post(restart=PATIENT) as post, trio.open_nursery() as nursery:
        post.disk.seconds = 0.1
        for number in range(5):
            nursery.start_soon(post.happen, f"o{number}", *LIFE)
            nursery.start_soon(post.book, f"b{number}", "request", "accept")
            nursery.start_soon(post.crash)
            await trio.sleep(0.07)
        await until(lambda: len(post.rows(State.DELIVERED)) == 25)
        assert all(post.program.statuses(f"b{number}") == ["requested"] for number in range(5))
        assert noted_in(post.store) == expected_in(post.store)
        assert all(post.receiver.statuses(f"o{number}") == ALL for number in range(5))
        assert wrong_in(post.store) == []


@pytest.mark.schedules(5)
async def test_a_kill_after_the_answer_and_before_the_commit_repeats_it_under_the_same_id() -> None:
    receiver, disk = Receiver(), Disk()
    async with open_post(receiver=receiver, disk=disk) as post:
        receiver.seconds["o1"] = 1.0
        await post.happen("o1", "place")
        await until(lambda: receiver.calls)
        disk.seconds = 5.0
        await until(lambda: receiver.taken)
        assert post.states("o1") == [State.DUE]
        store = post.store.survivor()
    async with open_post(store, receiver=receiver) as post:
        await until(lambda: post.states("o1") == [State.DELIVERED])
        assert len(receiver.taken) == 2
        assert len({one.event_id for one in receiver.taken}) == 1
        assert wrong_in(post.store) == []


@pytest.mark.schedules(3)
async def test_a_restart_goes_on_in_the_schedule_where_it_was() -> None:
    receiver = Receiver(always={"o1": "503"})
    store: FaultyStore | None = None
    began = trio.current_time()
    for seconds in (2.0, 100.0, 1_000.0, 3_000.0, 40_000.0, 20_000.0):
        async with open_post(store, receiver=receiver) as post:
            if store is None:
                await post.happen("o1", *LIFE)
            await trio.sleep(seconds)
            store = post.store.survivor()
    due = [began + sum(PAUSES[: number + 1]) for number in range(len(PAUSES))]
    assert store is not None
    assert receiver.times("o1") == pytest.approx(due, abs=2)
    assert [one.state for one in rows_in(store)] == [State.SET_ASIDE, *3 * [State.HELD]]


@pytest.mark.schedules(3)
async def test_an_attempt_that_was_due_while_no_process_ran_is_made_at_the_start() -> None:
    receiver = Receiver()
    receiver.outcomes["o1"] = ["503"]
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", "place")
        await until(lambda: post.states("o1") == [State.RETRYING], 1)
        store = post.store.survivor()
    await trio.sleep(1_000)
    async with open_post(store, receiver=receiver) as post:
        await until(lambda: receiver.taken, 1)


@pytest.mark.schedules(3)
async def test_a_time_that_is_too_far_in_the_future_is_not_waited_for() -> None:
    receiver = Receiver()
    receiver.outcomes["o1"] = ["503"]
    later = NOON + 10 * 365 * 86_400.0
    async with open_post(receiver=receiver, clock=lambda: later + trio.current_time()) as post:
        await post.happen("o1", "place")
        await until(lambda: post.states("o1") == [State.RETRYING], 1)
        store = post.store.survivor()
    async with open_post(store, receiver=receiver) as post:
        await until(lambda: receiver.taken, 1)
        assert wrong_in(post.store) == []


@pytest.mark.slow
@pytest.mark.schedules(3)
async def test_during_an_outage_nothing_is_lost_and_metrics_are_there() -> None:
    async with open_post() as post:
        await post.happen("o1", "place", "start")
        await until(lambda: len(post.receiver.taken) == 2)
        post.receiver.seconds["o1"] = 5.0
        await post.happen("o1", "finish")
        await until(lambda: len(post.receiver.calls) == 3)
        post.store.link.gone = True
        with pytest.raises(LedgerUnavailable), trio.fail_after(6):
            await post.desk.retry("evt_1_0123456789ab")
        assert len(list(post.log.metrics())) == 2
        await trio.sleep(600)
        post.store.link.gone = False
        await post.happen("o1", "hand over")
        await until(lambda: len(post.rows(State.DELIVERED)) == 4)
        assert post.receiver.statuses("o1") == ALL
        assert post.notifier.statistics().crashed == 0
        assert wrong_in(post.store) == []


@pytest.mark.schedules(3)
async def test_a_commit_whose_answer_is_lost_is_recorded_once() -> None:
    async with open_post() as post:
        for action in LIFE:
            post.store.link.mute = 2
            await post.happen("o1", action)
        await until(lambda: len(post.rows(State.DELIVERED)) == 4)
        assert noted_in(post.store) == expected_in(post.store)
        assert wrong_in(post.store) == []


@pytest.mark.schedules(3)
async def test_an_outcome_that_is_refused_is_retried_and_holds_no_other_order() -> None:
    async with open_post() as post:
        async with refusing(post, f"notification_attempts {OF_BAD}"):
            post.receiver.seconds = {"bad": 1.0, "o1": 1.0}  # so that both come at once
            await post.happen("bad", "place")
            await post.happen("o1", "place")
            await trio.sleep(10)
            assert post.states("o1") == [State.DELIVERED]
            assert (post.states("bad"), len(post.receiver.times("bad"))) == ([State.DUE], 1)
        await until(lambda: post.states("bad") == [State.DELIVERED])
        assert len(post.receiver.times("bad")) == 1
        assert wrong_in(post.store) == []


@pytest.mark.schedules(3)
async def test_what_was_delivered_long_ago_is_deleted_with_its_attempts_and_events() -> None:
    receiver = Receiver(always={"bad": "503"})
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", *LIFE)
        await post.happen("bad", "place", "start")
        await until(lambda: len(post.rows(State.DELIVERED)) == 4)
        await trio.sleep(1_000)
        await post.happen("o2", "place")
        await until(lambda: post.states("o2") == [State.DELIVERED])
        await post.happen("o3", "place", is_basket=False)
        pruned = await post.ledger.prune(NOTIFICATIONS, post.ledger.now() - 500, DEPARTMENTS)
        assert pruned == 4
        assert [one.subject_id for one in post.rows()] == ["bad", "bad", "o2"]
        ids = {one.event_id for one in post.rows()}
        assert {one.event_id for one in post.attempts()} <= ids
        assert {one.event.subject for one in post.store.logged} == {"o1", "bad", "o2", "o3"} | ids
        assert wrong_in(post.store) == []


@pytest.mark.slow
@pytest.mark.schedules(3)
async def test_events_whose_rows_are_refused_wait_unpruned_and_hold_up_no_order() -> None:
    async with open_post() as post:

        async def prune() -> int:
            return await post.ledger.prune(PRUNED, post.ledger.now(), (PRUNED, NOTIFICATIONS))

        await post.happen("o1", *LIFE)
        await until(lambda: len(post.rows(State.DELIVERED)) == 4)
        expected = expected_in(post.store)
        async with refusing(post, "notifications"):
            for order_id in ("o2", "o3"):
                await post.happen(order_id, *LIFE)  # returns, as it is committed
            expected += expected_in(post.store)[4:]
            await trio.sleep(100)
            assert noted_in(post.store) == expected[:4]
            assert await prune() == 1  # o1
            assert await prune() == 0
        await until(lambda: len(post.rows(State.DELIVERED)) == 12)
        assert noted_in(post.store) == expected
        assert await prune() == 2
        assert post.notifier.statistics().crashed == 0
        assert wrong_in(post.store) == []


@pytest.mark.schedules(3)
async def test_events_are_kept_for_a_follower_only() -> None:
    def position() -> object:
        assert NOTIFICATIONS.followed is not None
        with Link.transaction(post.store.link, writing=False) as connection:
            return connection.execute(NOTIFICATIONS.followed).scalar()

    async with open_post(topics=()) as post:
        await post.happen("o1", *LIFE)
        assert position() == 2**62
        store = post.store.survivor()
    async with open_post(store) as post:
        await post.happen("o2", "place")
        await until(lambda: post.receiver.taken)
        assert position() == 5
