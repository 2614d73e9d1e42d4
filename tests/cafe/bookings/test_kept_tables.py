"""The tables that Bookings keeps: added, changed, closed and found."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from cafe.bookings.book import Wish
from cafe.bookings.booking import Status
from cafe.bookings.desk import new_id
from cafe.bookings.messages import AddTable, ChangeTable, FindTable, SearchTables
from cafe.bookings.queries import load
from cafe.bookings.refusals import SeatsNeeded, TableUnavailable, UnknownTable
from cafe.bookings.table import TableFilter, TableStatus, TableType
from tests.cafe.bookings.hall import NOON, evening, id_of, open_hall

pytestmark = pytest.mark.schedules(5)


async def test_tables_are_changed_and_keep_what_was_accepted() -> None:
    async with open_hall() as hall:
        table = await hall.add_table(6)
        found = await hall.book(table, evening(5), party=5)
        with pytest.raises(SeatsNeeded) as needed:
            await hall.desk.ask(ChangeTable(table.table_id, Wish(seats=4), "mia"))
        assert needed.value.booking_ids == [id_of(found)]
        closing = ChangeTable(table.table_id, Wish(seats=5, status=TableStatus.CLOSED), "mia")
        assert (await hall.desk.ask(closing)).seats == 5
        assert await hall.desk.ask(closing) == await hall.desk.ask(closing)
        assert await hall.status(found) is Status.ACCEPTED
        assert await hall.desk.ask(SearchTables(TableFilter(), None, 0, 9)) == ()
        with pytest.raises(UnknownTable):
            await hall.desk.ask(ChangeTable("none", Wish()))
        actions = [one.event.action for one in hall.store.logged if one.event.subject == table[0]]
        assert actions == ["add", "change", "close"]
        assert hall.broken() == []


async def test_a_table_is_added_closed_in_one_commit_and_found_by_its_number() -> None:
    async with open_hall() as hall:
        adding = AddTable(new_id(), 7, TableType.ROOM, 9, 0, by="mia", status=TableStatus.CLOSED)
        table = await hall.desk.ask(adding)
        assert (table.number, table.status) == (7, TableStatus.CLOSED)
        assert await hall.desk.ask(adding) == await hall.desk.ask(FindTable(7)) == table
        logged = [one.event for one in hall.store.logged if one.event.subject == table.table_id]
        assert [(one.action, one.after) for one in logged] == [("add", "open"), ("close", "closed")]
        with pytest.raises(TableUnavailable):
            await hall.request(table, evening(5))
        with pytest.raises(UnknownTable):
            await hall.desk.ask(FindTable(8))
        assert hall.broken() == []


@pytest.mark.parametrize("seconds", [0.5, 1.5])
async def test_a_kill_never_leaves_a_table_open_that_was_added_closed(seconds: float) -> None:
    async with open_hall() as hall:
        hall.disk.seconds = 1.0
        with trio.move_on_after(seconds):
            await hall.desk.ask(
                AddTable(new_id(), 7, TableType.ROOM, 9, 0, status=TableStatus.CLOSED)
            )
        store = hall.store.survivor()
        tables = store.read(partial(load, now=NOON)).tables
    assert [one.status for one in tables] == ([TableStatus.CLOSED] if seconds > 1 else [])
