"""Many orders at once: what is slow or fails holds nothing else, and takes its own lane only."""

from __future__ import annotations

import pytest
import trio

from cafe.notifications.notification import State
from tests.cafe.notifications.post import LIFE, Receiver, open_post, wrong_in
from tests.cafe.virtual_time import until

pytestmark = pytest.mark.schedules(3)


async def test_a_slow_answer_holds_no_other_order() -> None:
    receiver = Receiver(seconds={"slow": 14.0})
    async with open_post(receiver=receiver) as post:
        await post.happen("slow", *LIFE)
        await trio.sleep(0.1)
        began = trio.current_time()
        for number in range(20):
            await post.happen(f"o{number}", *LIFE)
        await until(lambda: len(receiver.taken) == 80, 1)
        assert trio.current_time() - began < 1
        await until(lambda: len(receiver.taken) == 84)
        assert wrong_in(post.store) == []


async def test_orders_that_fail_hold_no_other_order() -> None:
    bad = [f"bad{number}" for number in range(30)]
    receiver = Receiver(always=dict.fromkeys(bad, "500"), seconds=dict.fromkeys(bad, 0.5))
    async with open_post(receiver=receiver, most=10) as post:
        for order_id in bad:
            await post.happen(order_id, *LIFE)
        await trio.sleep(5)
        for order_id in ("o1", "o2", "o3"):
            await post.happen(order_id, *LIFE)
        await until(lambda: len(receiver.taken) == 12, 1)
        assert wrong_in(post.store) == []


async def test_repeated_attempts_that_stall_take_no_slot_of_first_ones() -> None:
    bad = [f"bad{number}" for number in range(40)]
    receiver = Receiver(always=dict.fromkeys(bad, "time-out"))
    async with open_post(receiver=receiver, most=10) as post:
        for order_id in bad:
            await post.happen(order_id, "place")
        await until(lambda: len(post.rows(State.RETRYING)) == 40, 4)
        receiver.seconds = dict.fromkeys(bad, 15.0)
        await trio.sleep(6)
        assert receiver.now == 10
        for number in range(30):
            await post.happen(f"o{number}", "place")
        await until(lambda: len(receiver.taken) == 30, 1)
        await trio.sleep(100)
        assert wrong_in(post.store) == []


async def test_each_lane_has_so_many_slots_and_uses_them_all() -> None:
    receiver = Receiver(seconds={f"o{number}": 1.0 for number in range(100)})
    async with open_post(receiver=receiver, most=10) as post:
        began = trio.current_time()
        for number in range(100):
            await post.happen(f"o{number}", "place")
        await until(lambda: len(receiver.taken) == 100, 20)
        assert receiver.most == 10
        assert trio.current_time() - began == pytest.approx(10, abs=0.5)


async def test_an_order_is_never_sent_twice_at_once() -> None:
    receiver = Receiver(seconds={"o1": 1.0})
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", *LIFE)
        await until(lambda: len(receiver.taken) == 4)
        assert receiver.most == 1
        assert wrong_in(post.store) == []


async def test_one_that_is_retried_while_it_is_sent_is_not_sent_at_the_same_time() -> None:
    receiver = Receiver(seconds={"o1": 10.0})
    receiver.outcomes["o1"] = ["503"]
    async with open_post(receiver=receiver) as post:
        await post.happen("o1", "place")
        await until(lambda: len(receiver.calls) == 2, 30)
        await post.desk.retry(post.rows()[0].event_id)
        await until(lambda: receiver.taken, 30)
        await trio.sleep(30)
        assert (receiver.most, len(receiver.calls)) == (1, 2)
        assert post.states("o1") == [State.DELIVERED]
        assert wrong_in(post.store) == []
