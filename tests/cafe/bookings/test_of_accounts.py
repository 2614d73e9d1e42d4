"""Bookings of accounts: each is held once, and what a guest who names no times is given."""

from __future__ import annotations

import pytest
import trio

from cafe.bookings.booking import Action
from cafe.bookings.bookings import REQUESTS
from cafe.bookings.messages import Found
from cafe.bookings.period import local_text
from cafe.bookings.refusals import NotBookable, TableTaken, TooManyRequests, UnknownBooking
from cafe.bookings.table import DiningTable
from tests.cafe.bookings.hall import ADDRESS, HOUR, Hall, evening, id_of, open_hall

pytestmark = pytest.mark.schedules(5)


@pytest.mark.schedules(30)
async def test_an_account_that_asks_ten_times_at_once_has_one_booking() -> None:
    found: list[Found] = []

    async def ask(hall: Hall, table: DiningTable, account_id: str) -> None:
        found.append(await hall.request(table, evening(5), account_id=account_id))

    async with open_hall() as hall:
        table = await hall.add_table()
        hall.disk.seconds = 0.1
        async with trio.open_nursery() as nursery:
            for account_id in ("ada", "bo") * 10:
                nursery.start_soon(ask, hall, table, account_id)
        assert len({id_of(one) for one in found}) == len(hall.rows()) == 2
        assert {one.account_id for one in hall.rows()} == {"ada", "bo"}
        assert hall.broken() == []


async def test_what_an_account_holds_is_known_again_after_a_crash_until_it_has_ended() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        first = await hall.request(table, evening(5), account_id="ada")
        await hall.decide(first, Action.ACCEPT)
        await hall.crash()
        again = await hall.request(table, evening(5), party=3, account_id="ada")
        assert (id_of(again), again.booking.party) == (id_of(first), 2)
        with pytest.raises(TableTaken):
            await hall.request(table, evening(5), account_id="bo")
        await hall.desk.cancel(id_of(first))
        second = await hall.request(table, evening(5), account_id="ada")
        assert id_of(second) != id_of(first)
        assert [action for action, *_ in hall.events(second)] == ["request"]
        for account_id in ("bo", None):
            with pytest.raises(UnknownBooking):
                await hall.desk.find_own(id_of(first), account_id)
        await trio.sleep(8 * HOUR)
        assert id_of(await hall.desk.find_own(id_of(first), "ada")) == id_of(first)
        unowned = await hall.request(table, evening(15))
        with pytest.raises(UnknownBooking):
            await hall.desk.find_own(id_of(unowned), None)


async def test_asking_again_does_not_count_as_another_request() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        for hours in range(5, 5 + REQUESTS):
            for _ in range(2):
                period = evening(hours, 1)
                await hall.request(table, period, address=ADDRESS, account_id="ada")
        with pytest.raises(TooManyRequests):
            await hall.request(table, evening(50), address=ADDRESS, account_id="ada")
        await hall.request(table, evening(5, 1), address=ADDRESS, account_id="ada")


async def test_a_guest_who_names_neither_times_nor_party_has_the_next_full_hour_and_all_seats() -> (
    None
):
    async with open_hall() as hall:  # where noon is 12:06:40
        table = await hall.add_table(seats=6)
        booking = (await hall.request(table, None, party=None)).booking
        assert local_text(booking.starts_at, hall.desk.zone) == "2026-11-18T14:00:00+01:00"
        assert (booking.period.seconds, booking.party) == (2 * HOUR, 6)
        with pytest.raises(NotBookable):
            await hall.request(table._replace(table_id="none"), None, party=None)
