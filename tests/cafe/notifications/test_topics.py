"""Orders and bookings: each topic has its receiver, its place in the log, and its slots."""

from __future__ import annotations

import json

import pytest
import trio
from sqlalchemy import select, update

from cafe.ledger.database import Link
from cafe.notifications.department import NOT_FOLLOWING, NOTIFICATIONS
from cafe.notifications.notification import State, Topic
from cafe.notifications.tables import followed
from tests.cafe.notifications.post import (
    LIFE,
    PARTY,
    Post,
    Receiver,
    expected_in,
    looked_up,
    noted_in,
    open_post,
    wrong_in,
)
from tests.cafe.virtual_time import until

pytestmark = pytest.mark.schedules(3)

ORDERS, BOOKINGS = [Topic.ORDER], [Topic.BOOKING]


def position(post: Post) -> object:
    """Return up to where pruning may delete events, as far as notifications care."""
    assert NOTIFICATIONS.followed is not None
    query = NOTIFICATIONS.followed
    return looked_up(post.store, lambda connection: connection.execute(query).scalar())


async def test_what_happens_on_the_street_is_told_among_the_changes_of_the_order() -> None:
    async with open_post() as post:
        await post.happen("o1", "place", "start", "finish")
        await post.ride("o1", "wait", "assign", "reassign", "pick up", "fail", "retry", "assign")
        await post.ride("o1", "pick up", "finish")
        await post.happen("o1", "hand over")
        await until(lambda: len(post.receiver.taken) == 9)
        assert [(one.sequence, one.status) for one in post.receiver.taken] == list(
            enumerate(
                [
                    *("waiting", "preparation", "ready"),
                    *("assigned", "picked_up", "failed", "assigned", "picked_up"),
                    "delivered",
                ],
                1,
            )
        )
        assert noted_in(post.store) == expected_in(post.store)
        assert {one.details for one in post.rows()} == {'{"number": 17}'}
        assert wrong_in(post.store) == []


async def test_a_delivery_that_staff_have_published_is_not_told() -> None:
    async with open_post() as post:
        await post.ride("o1", "wait", "assign", "pick up", "fail", is_basket=False)
        await post.ride("o2", "wait", "assign")
        await until(lambda: post.receiver.taken)
        await trio.sleep(10)
        assert [one.subject_id for one in post.rows()] == ["o2"]


async def test_a_request_for_a_table_goes_to_the_program_and_an_order_to_the_receiver() -> None:
    async with open_post() as post:
        await post.happen("o1", "place")
        await post.book("b1", "request", "accept", "cancel")
        await post.book("b2", "request", "decline")
        await until(lambda: len(post.program.taken) == 2 and post.receiver.taken)
        await trio.sleep(10)
        assert [(one.subject_id, one.status) for one in post.receiver.taken] == [("o1", "waiting")]
        taken = [(one.subject_id, one.sequence) for one in post.program.taken]
        assert sorted(taken) == [("b1", 1), ("b2", 1)]
        assert json.loads(post.program.taken[0].details) == PARTY
        assert noted_in(post.store) == expected_in(post.store)
        assert wrong_in(post.store) == []


@pytest.mark.parametrize("down", [Topic.ORDER, Topic.BOOKING])
async def test_a_receiver_that_never_answers_takes_no_slot_of_the_other(down: Topic) -> None:
    orders, bookings = ([f"{kind}{number}" for number in range(30)] for kind in "ob")
    stalled = Receiver(seconds=dict.fromkeys([*orders, *bookings], 15.0))
    stalled.always = dict.fromkeys([*orders, *bookings], "time-out")
    receiver, program = (stalled, Receiver()) if down is Topic.ORDER else (Receiver(), stalled)
    async with open_post(receiver=receiver, program=program, most=5) as post:
        for order_id, booking_id in zip(orders, bookings, strict=True):
            await post.happen(order_id, "place")
            await post.book(booking_id, "request")
        other = program if down is Topic.ORDER else receiver
        await until(lambda: len(other.taken) == 30, 1)
        assert stalled.now == stalled.most == 5
        await trio.sleep(200)
        assert stalled.most == 10
        assert wrong_in(post.store) == []


async def test_a_url_that_is_set_later_begins_with_the_events_from_then_on() -> None:
    async with open_post(topics=ORDERS) as post:
        await post.happen("o1", "place")
        await post.book("b1", "request")
        await until(lambda: post.receiver.taken)
        store = post.store.survivor()
    async with open_post(store) as post:
        await post.happen("o1", "start")
        await post.book("b2", "request")
        await until(lambda: post.program.taken and post.receiver.taken)
        assert [one.subject_id for one in post.rows()] == ["o1", "o1", "b2"]
        store = post.store.survivor()
    async with open_post(store, topics=BOOKINGS) as post:
        await post.happen("o1", "finish")
        await post.book("b3", "request")
        await until(lambda: post.program.taken)
        store = post.store.survivor()
    async with open_post(store) as post:
        await post.happen("o1", "hand over")
        await post.book("b4", "request")
        await until(lambda: post.program.taken and post.receiver.taken)
        noted = [(one.subject_id, one.sequence, one.status) for one in post.rows()]
        assert noted == [
            ("o1", 1, "waiting"),
            ("o1", 2, "preparation"),
            ("b2", 1, "requested"),
            ("b3", 1, "requested"),
            ("o1", 3, "delivered"),
            ("b4", 1, "requested"),
        ]
        assert wrong_in(post.store) == []


async def test_the_position_of_a_topic_is_never_taken_back_to_that_of_another() -> None:
    async with open_post() as post:
        await post.happen("o1", "place")
        await until(lambda: post.receiver.taken)
        store = post.store.survivor()
    # As if bookings had begun far behind what comes now.
    with Link.transaction(store.link, writing=True) as connection:
        connection.execute(
            update(followed).where(followed.c.topic == "booking").values(position=99)
        )
    async with open_post(store) as post:
        await post.happen("o2", "place")
        await post.book("b1", "request")
        await until(lambda: len(post.receiver.taken) == 1)
        await trio.sleep(100)
        await post.happen("o3", "place", is_basket=False)
        await trio.sleep(10)
        assert [one.subject_id for one in post.rows()] == ["o1", "o2"]
        positions = looked_up(
            post.store, lambda connection: connection.execute(select(followed)).all()
        )
        of_order = expected_position(post, "o3")
        assert sorted(map(tuple, positions)) == [("booking", 99, True), ("order", of_order, True)]


async def test_rows_of_a_topic_without_a_url_wait_and_wake_nobody() -> None:
    program = Receiver(always={"b1": "503"})
    async with open_post(program=program) as post:
        await post.book("b1", "request")
        await until(lambda: post.states("b1") == [State.RETRYING])
        store = post.store.survivor()
    async with open_post(store, topics=ORDERS) as post:
        await trio.sleep(1_000)
        before = post.ledger.statistics()
        await post.happen("o1", "place")
        await until(lambda: post.receiver.taken)
        assert before.groups + 3 >= post.ledger.statistics().groups
        assert (post.program.calls, post.states("b1")) == ([], [State.RETRYING])
        store = post.store.survivor()
    async with open_post(store) as post:
        await until(lambda: post.program.taken, 1)
        assert wrong_in(post.store) == []


async def test_pruning_waits_for_a_topic_that_is_behind_and_not_for_one_without_a_url() -> None:
    async with open_post(topics=[]) as post:
        await post.happen("o1", *LIFE)
        assert position(post) == NOT_FOLLOWING
        store = post.store.survivor()
    async with open_post(store, topics=BOOKINGS) as post:
        await trio.sleep(1)
        assert position(post) == 4
        await post.book("b1", "request")
        await until(lambda: post.program.taken)
        assert position(post) == 5
        store = post.store.survivor()
    async with open_post(store) as post:
        await trio.sleep(1)
        # Both were followed up to here, as notifications' own events have no effects.
        first = position(post)
        assert first == 5
        await post.happen("o2", "place")
        await until(lambda: post.receiver.taken)
        assert position(post) == expected_position(post, "o2")
        store = post.store.survivor()
    async with open_post(store, topics=[]) as post:
        await trio.sleep(1)
        assert position(post) == NOT_FOLLOWING


def expected_position(post: Post, subject: str) -> int:
    """Return the position of the last event of an order or a booking."""
    return max(one.position for one in post.store.logged if one.event.subject == subject)
