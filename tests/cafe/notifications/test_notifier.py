"""What becomes of an order's events: which are notified, in which order, and after which pauses."""

from __future__ import annotations

import pytest
import trio

from cafe.notifications.notification import PAUSES, State
from cafe.notifications.refusals import NothingToRetry, UnknownNotification
from tests.cafe.notifications.post import LIFE, Receiver, expected_in, noted_in, open_post, wrong_in
from tests.cafe.virtual_time import until

pytestmark = pytest.mark.schedules(3)

ALL = ["waiting", "preparation", "ready", "delivered"]


async def test_each_change_of_status_of_a_baskets_order_is_sent_once_in_its_order() -> None:
    async with open_post() as post:
        for action in LIFE:
            await post.happen("o1", action)
        await until(lambda: len(post.receiver.taken) == 4)
        assert post.receiver.statuses("o1") == ALL
        assert [one.sequence for one in post.receiver.taken] == [1, 2, 3, 4]
        assert len({one.event_id for one in post.receiver.taken}) == 4
        assert {one.details for one in post.receiver.taken} == {'{"number": 17}'}
        assert noted_in(post.store) == expected_in(post.store)
        assert wrong_in(post.store) == []


async def test_orders_of_the_counter_and_steps_that_keep_the_status_are_not_sent() -> None:
    async with open_post() as post:
        await post.happen("o1", *LIFE, is_basket=False)
        await post.happen("o2", "place", "unbind", "cancel")
        await until(lambda: len(post.receiver.taken) == 2)
        await trio.sleep(10)
        assert [(one.subject_id, one.status) for one in post.receiver.taken] == [
            ("o2", "waiting"),
            ("o2", "cancelled"),
        ]


async def test_a_status_that_comes_again_is_sent_again() -> None:
    async with open_post() as post:
        await post.happen("o1", "place", "start", "release", "start", "finish")
        await until(lambda: len(post.receiver.taken) == 5)
        assert [one.status for one in post.receiver.taken] == [
            "waiting",
            "preparation",
            "waiting",
            "preparation",
            "ready",
        ]


async def test_the_attempts_come_after_the_pauses_of_the_schedule_and_then_it_is_set_aside() -> (
    None
):
    receiver = Receiver(always={"o1": "503"})
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", "place")
        began = trio.current_time()
        await until(lambda: post.states("o1") == [State.SET_ASIDE], 2 * sum(PAUSES))
        due = [began + sum(PAUSES[: number + 1]) for number in range(len(PAUSES))]
        assert receiver.times("o1") == pytest.approx(due, abs=1)
        assert [one.outcome for one in post.attempts()] == ["503"] * 7
        assert [one.number for one in post.attempts()] == [1, 2, 3, 4, 5, 6, 7]
        await trio.sleep(10 * sum(PAUSES))
        assert len(receiver.calls) == 7
        assert wrong_in(post.store) == []


async def test_a_pause_begins_when_the_attempt_before_it_has_failed() -> None:
    receiver = Receiver(always={"o1": "time-out"}, seconds={"o1": 15})
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", "place")
        await trio.sleep(400)
        first, second, third = receiver.times("o1")
        assert (second - first, third - second) == pytest.approx((20, 315), abs=0.1)


async def test_later_ones_of_an_order_wait_while_an_earlier_one_fails() -> None:
    receiver = Receiver()
    receiver.outcomes["o1"] = ["500", "302", "time-out"]
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", *LIFE)
        await trio.sleep(200)
        assert post.states("o1") == [State.RETRYING, *3 * [State.HELD]]
        await until(lambda: len(receiver.taken) == 4, 2_500)
        assert receiver.statuses("o1") == ALL
        assert wrong_in(post.store) == []


@pytest.mark.slow
async def test_one_that_is_set_aside_holds_its_order_until_it_is_retried_and_no_other() -> None:
    receiver = Receiver(always={"o1": "410"})
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", *LIFE)
        await until(lambda: post.states("o1")[:1] == [State.SET_ASIDE], 2 * sum(PAUSES))
        await post.happen("o2", *LIFE)
        await until(lambda: receiver.statuses("o2") == ALL)
        assert post.states("o1") == [State.SET_ASIDE, *3 * [State.HELD]]
        receiver.always.clear()
        page = await post.desk.retry(post.rows()[0].event_id)
        assert page.notifications[0].state is State.DUE
        assert len(page.attempts[page.notifications[0].event_id]) == 7
        await until(lambda: receiver.statuses("o1") == ALL)
        assert [one.number for one in post.attempts()[-4:]] == [8, 1, 1, 1]
        assert wrong_in(post.store) == []


@pytest.mark.slow
async def test_a_retried_one_that_fails_again_has_the_whole_schedule() -> None:
    receiver = Receiver(always={"o1": "503"})
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", "place")
        await until(lambda: post.states("o1") == [State.SET_ASIDE], 2 * sum(PAUSES))
        await post.desk.retry(post.rows()[0].event_id)
        await until(lambda: len(receiver.calls) == 9, 10)
        await until(lambda: post.states("o1") == [State.SET_ASIDE], 2 * sum(PAUSES))
        assert len(receiver.calls) == 14
        assert [one.number for one in post.attempts()] == list(range(1, 15))
        assert wrong_in(post.store) == []


async def test_one_that_waits_for_its_next_attempt_is_retried_at_once() -> None:
    receiver = Receiver()
    receiver.outcomes["o1"] = ["503", "503", "503"]
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", "place")
        await until(lambda: len(receiver.calls) == 3, 400)
        retried_at = trio.current_time()
        for _ in range(2):  # the second one finds nothing left to do, or that it is delivered
            try:
                await post.desk.retry(post.rows()[0].event_id)
            except NothingToRetry as no:
                assert no.notification_state is State.DELIVERED  # noqa: PT017 - either may be
        await until(lambda: post.states("o1") == [State.DELIVERED])
        assert receiver.times("o1")[3:] == pytest.approx([retried_at], abs=0.1)


async def test_what_is_delivered_held_or_unknown_is_not_retried() -> None:
    receiver = Receiver(always={"o2": "503"})
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", "place")
        await post.happen("o2", "place", "start")
        await until(lambda: len(receiver.calls) == 2)
        await trio.sleep(1)
        delivered, _retrying, held = post.rows()
        for one in (delivered, held):
            with pytest.raises(NothingToRetry) as no:
                await post.desk.retry(one.event_id)
            assert no.value.notification_state is one.state
        with pytest.raises(UnknownNotification):
            await post.desk.retry("evt_9_0123456789ab")


async def test_without_a_url_nothing_is_noted_and_later_only_what_comes_then_is_sent() -> None:
    async with open_post(topics=()) as post:
        await post.happen("o1", "place", "start")
        await trio.sleep(10)
        assert post.rows() == []
        store = post.store.survivor()
    async with open_post(store) as post:
        await post.happen("o1", "finish")
        await until(lambda: post.receiver.taken)
        await trio.sleep(10)
        assert [(one.status, one.sequence) for one in post.receiver.taken] == [("ready", 1)]
        store = post.store.survivor()
    async with open_post(store, topics=()) as post:
        await trio.sleep(1)
        await post.happen("o1", "hand over")
        store = post.store.survivor()
    async with open_post(store) as post:
        await trio.sleep(10)
        assert post.receiver.calls == []
        assert [one.status for one in post.rows()] == ["ready"]


async def test_events_without_effects_are_not_worth_a_commit_each() -> None:
    async with open_post() as post:
        await trio.sleep(1)
        before = post.ledger.statistics().groups
        for number in range(50):
            await post.happen(f"o{number}", "place", is_basket=False)
        await trio.sleep(1)
        assert post.ledger.statistics().groups == before + 50
        await trio.sleep(60)
        await post.happen("o50", "place", is_basket=False)
        await trio.sleep(1)
        assert post.ledger.statistics().groups == before + 52
