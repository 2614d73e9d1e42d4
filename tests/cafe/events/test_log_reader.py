"""The stream of staff: each event once, in order, behind any position; else a reset."""

from __future__ import annotations

from typing import get_args

import pytest
import trio

from cafe.events.log_reader import MOST_BEHIND, begin_behind
from cafe.events.shown import event_json
from cafe.events.staff_api import BARISTAS_SEE, Name, seen_by
from cafe.events.states import ALIVE_SECONDS
from cafe.http.authentication import Forbidden, Role
from cafe.ledger.department import Event, Logged
from cafe.ledger.ledger import Ledger
from cafe.ledger.tables import prunings
from cafe.orders.order import Status
from cafe.shop.departments import DEPARTMENTS
from tests.cafe.events.wall import Message, Reader, Wall, open_wall

pytestmark = pytest.mark.schedules(5)

ALL = None


async def reading(wall: Wall, last: int | None, departments: frozenset[str] | None = ALL) -> Reader:
    """Open a stream as the route does."""
    reader = Reader(await begin_behind(wall.counter.ledger, last, departments))
    wall.nursery.start_soon(reader.read)
    return reader


def position_of(ledger: Ledger) -> int:
    return ledger.statistics().position


async def test_each_event_is_one_message_with_its_position() -> None:
    async with open_wall() as wall:
        staff = await reading(wall, None)
        order_id = await wall.placed()
        await wall.move(order_id, Status.PREPARATION)
        await trio.sleep(1)
        (reset, *events) = [one for one in staff.got if one.event != "alive"]
        assert (reset.event, reset.position, reset.data) == ("reset", 0, {})
        assert [one.position for one in events] == [one.position for one in wall.counter.logged]
        assert [(one.event, one.data["action"]) for one in events] == [
            ("orders", "place"),
            ("orders", "start"),
        ]
        assert events[0].data == {
            "subject": order_id,
            "action": "place",
            "before": None,
            "after": "waiting",
            "at": wall.counter.logged[0].event.at,
            "by": None,
            "reason": None,
        }


async def test_a_stream_goes_on_behind_each_position_without_a_gap_or_a_repetition() -> None:
    async with open_wall() as wall:
        for _ in range(5):
            await wall.brewed(await wall.placed())
        all_positions = [one.position for one in wall.counter.logged]
        for last in range(all_positions[-1] + 1):
            staff = await reading(wall, last)
            await trio.sleep(0.5)
            assert [one.position for one in staff.got] == all_positions[last:]
            staff.leave()


async def test_readers_that_come_and_go_while_orders_run_see_the_whole_log() -> None:
    async with open_wall() as wall:
        seen: list[int] = []
        last = position_of(wall.counter.ledger)

        async def run() -> None:
            for _ in range(20):
                await wall.brewed(await wall.placed())
                await trio.sleep(0.3)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            for _ in range(12):
                staff = await reading(wall, last)
                await trio.sleep(0.7)
                last = max(staff.leave(), last)
                seen += [one.position for one in staff.got if one.event == "orders"]
        staff = await reading(wall, last)
        await trio.sleep(1)
        seen += [one.position for one in staff.got if one.event == "orders"]
        assert seen == [one.position for one in wall.counter.logged]


async def test_what_cannot_be_resumed_begins_with_now() -> None:
    async with open_wall() as wall:
        await wall.brewed(await wall.placed())
        now = position_of(wall.counter.ledger)
        for last in (None, now + 1, 10**15):
            staff = await reading(wall, last)
            await trio.sleep(1)
            assert [(one.event, one.position) for one in staff.got] == [("reset", now)]


async def test_one_that_is_too_far_behind_begins_with_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cafe.events.log_reader.MOST_BEHIND", 2)
    async with open_wall() as wall:
        for _ in range(3):
            await wall.placed()
        assert [one.event for one in await first_of(wall, 1)] == ["orders", "orders"]
        assert [one.event for one in await first_of(wall, 0)] == ["reset"]
    assert MOST_BEHIND == 10_000


async def first_of(wall: Wall, last: int) -> list[Message]:
    staff = await reading(wall, last)
    await trio.sleep(1)
    return staff.got


async def test_one_behind_which_events_were_pruned_begins_with_now() -> None:
    async with open_wall() as wall:
        for _ in range(3):
            await wall.placed()
        prune = prunings.insert().values(id=1, through=2)
        await wall.counter.ledger.prepare(lambda connection: connection.execute(prune))
        assert [one.event for one in await first_of(wall, 1)] == ["reset"]
        assert [one.event for one in await first_of(wall, 2)] == ["orders"]


async def test_what_is_not_shown_moves_the_position_on() -> None:
    async with open_wall() as wall:
        staff = await reading(wall, 0, frozenset({"menu"}))
        await wall.placed()
        await trio.sleep(ALIVE_SECONDS + 1)
        (comment,) = staff.got
        assert (comment.event, comment.position) == ("alive", 1)


async def test_events_in_a_rush_are_sent_together() -> None:
    async with open_wall() as wall:
        staff = await reading(wall, 0)
        for _ in range(20):
            await wall.placed()
            await trio.sleep(0.01)
        await trio.sleep(1)
        assert len({one.at for one in staff.got}) <= 4
        assert len(staff.events("orders")) == 20


async def test_an_outage_of_the_database_is_waited_out() -> None:
    async with open_wall() as wall:
        await wall.placed()
        staff = await reading(wall, 0)
        wall.counter.store.link.gone = True
        await trio.sleep(2 * ALIVE_SECONDS + 1)
        assert staff.events("alive")
        wall.counter.store.link.gone = False
        await trio.sleep(5)
        await wall.placed()
        await trio.sleep(1)
        assert [one.position for one in staff.events("orders")] == [1, 2]


def test_baristas_see_some_departments_and_managers_all() -> None:
    names: list[Name] = ["orders", "menu"]
    assert seen_by(Role.BARISTA, []) == BARISTAS_SEE
    assert seen_by(Role.BARISTA, names) == frozenset({"orders", "menu"})
    assert seen_by(Role.MANAGER, []) is None
    assert seen_by(Role.MANAGER, ["payments"]) == frozenset({"payments"})
    with pytest.raises(Forbidden):
        seen_by(Role.BARISTA, ["orders", "payments"])


def test_each_department_can_be_asked_for() -> None:
    assert set(get_args(Name)) == {one.name for one in DEPARTMENTS}


def test_data_that_departments_write_for_each_other_is_not_shown() -> None:
    event = Event("an id", "place", None, "waiting", 1.0, data='{"account_id": "ada"}')
    assert b"ada" not in event_json(Logged(1, "orders", event))
