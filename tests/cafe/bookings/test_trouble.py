"""Bookings in trouble: crashes, kills, an outage, a refused row, and commands that are repeated."""

from __future__ import annotations

import pytest
import trio

from cafe.bookings.booking import Action, Status, Step
from cafe.bookings.desk import new_id
from cafe.bookings.messages import (
    AskForTable,
    CancelBooking,
    Found,
    MoveBooking,
)
from cafe.ledger.errors import LedgerUnavailable, NotRecorded
from tests.cafe.bookings.hall import (
    ADA,
    ADDRESS,
    DAY,
    HOUR,
    Hall,
    broken_in,
    evening,
    id_of,
    open_hall,
    rows_in,
)

pytestmark = pytest.mark.schedules(5)


async def test_a_command_that_is_repeated_takes_effect_once() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        ask = AskForTable(new_id(), table.table_id, evening(5), 2, ADA, ADDRESS)
        first = await hall.desk.ask(ask)
        other = await hall.request(table, evening(6))
        assert (await hall.desk.ask(ask)).booking == first.booking
        accept = MoveBooking(ask.booking_id, Step(Action.ACCEPT, new_id(), "mia"))
        accepted = await hall.desk.ask(accept)
        for crash in (False, True):
            if crash:
                await hall.crash()
            assert await hall.desk.ask(accept) == accepted
            assert [one.booking_id for one in accepted.others] == [id_of(other)]
        cancel = CancelBooking(ask.booking_id, Step(Action.CANCEL, new_id()))
        assert await hall.desk.ask(cancel) == await hall.desk.ask(cancel)
        assert len(hall.events(first)) == 3


@pytest.mark.schedules(20)
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.5])
async def test_a_crash_at_any_moment_of_a_commit_is_hidden_and_decides_nothing_twice(
    seconds: float,
) -> None:
    done: list[Found] = []

    async def accept(hall: Hall, found: Found) -> None:
        done.append(await hall.decide(found, Action.ACCEPT))

    async with open_hall() as hall:
        table = await hall.add_table()
        found, other = [await hall.request(table, evening(hours)) for hours in (5, 6)]
        hall.disk.seconds = 1.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, hall, found)
            await trio.sleep(seconds)
            await hall.crash()
        assert [one.booking_id for one in done[0].others] == [id_of(other)]
        assert [one[0] for one in hall.events(found)] == ["request", "accept"]
        assert [one[0] for one in hall.events(other)] == ["request", "decline"]
        assert hall.broken() == []
        await trio.sleep(6 * HOUR)
        assert await hall.status(found) is Status.ACCEPTED


@pytest.mark.parametrize("seconds", [0.5, 1.5])
async def test_a_kill_at_any_moment_of_a_commit_leaves_all_of_a_decision_or_nothing(
    seconds: float,
) -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        found, other = [await hall.request(table, evening(hours)) for hours in (5, 6)]
        hall.disk.seconds = 1.0
        with trio.move_on_after(seconds):
            await hall.decide(found, Action.ACCEPT)
        store = hall.store.survivor()
        rows = rows_in(store)  # which makes the copy, before the shop goes on
    at = {row.booking_id: row.status for row in rows}
    pair = at[id_of(found)], at[id_of(other)]
    whole = (Status.ACCEPTED, Status.DECLINED)
    assert pair == (whole if seconds > 1 else (Status.REQUESTED, Status.REQUESTED))
    assert broken_in(store) == []
    async with open_hall(store) as hall:
        if pair != whole:
            await hall.decide(found, Action.ACCEPT)
        assert await hall.status(other) is Status.DECLINED


async def test_nothing_is_answered_before_it_is_committed_and_an_outage_is_a_503() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        found = await hall.request(table, evening(5))
        hall.store.link.gone = True
        began = trio.current_time()
        with pytest.raises(LedgerUnavailable):
            await hall.decide(found, Action.ACCEPT)
        assert trio.current_time() - began == 5
        assert hall.rows()[0].status is Status.REQUESTED
        with pytest.raises(LedgerUnavailable):  # it may not be told what is not committed
            await hall.desk.find(id_of(found))
        hall.store.link.gone = False
        await trio.sleep(5)
        assert await hall.status(found) is Status.ACCEPTED


REFUSE = """
    CREATE TRIGGER refuse_a_reason BEFORE UPDATE ON bookings WHEN NEW.reason = 'refused'
    BEGIN SELECT RAISE(ABORT, 'the reason is refused'); END
"""


async def test_a_row_that_the_database_refuses_changes_nothing_in_memory_either() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        found, other = [await hall.request(table, evening(hours)) for hours in (5, 6)]
        hall.store.maintain(lambda connection: connection.exec_driver_sql(REFUSE))
        with pytest.raises(NotRecorded):
            await hall.decide(found, Action.ACCEPT, "refused")
        assert await hall.status(found) is await hall.status(other) is Status.REQUESTED
        await hall.decide(other, Action.ACCEPT)
        assert await hall.status(found) is Status.DECLINED
        await trio.sleep(2 * DAY)
        assert hall.broken() == []
