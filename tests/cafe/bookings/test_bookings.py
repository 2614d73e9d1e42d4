"""Bookings: one wins however many accept at once, nothing is decided twice, requests expire."""

from __future__ import annotations

import json
from functools import partial

import pytest
import trio

from actors import open_system
from actors.testing import settle
from cafe.bookings.book import TAKEN, Wish
from cafe.bookings.booking import Action, Status
from cafe.bookings.bookings import REQUESTS
from cafe.bookings.department import open_bookings
from cafe.bookings.messages import (
    ChangeTable,
    CountBookings,
    FindBooking,
    FindFacts,
    Found,
)
from cafe.bookings.refusals import (
    BookingConflict,
    ForgottenBooking,
    NotBookable,
    TableTaken,
    TableUnavailable,
    TooManyRequests,
    UnknownBooking,
)
from cafe.bookings.table import TableStatus, TableType
from cafe.http.refusals import CafeRefusal
from tests.cafe.bookings.hall import (
    ADDRESS,
    HOUR,
    NOON,
    Hall,
    evening,
    id_of,
    open_hall,
    overlapping_in,
)
from tests.cafe.house import empty_house
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.orders.counter import open_ledger

pytestmark = pytest.mark.schedules(5)


async def test_a_request_is_accepted_and_all_is_told_by_its_events() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        found = await hall.request(table, evening(5))
        assert (found.booking.status, found.others) == (Status.REQUESTED, ())
        assert (await hall.decide(found, Action.ACCEPT, "welcome")).booking.reason == "welcome"
        assert (await hall.decide(found, Action.CANCEL)).booking.status is Status.CANCELLED
        assert hall.events(found) == [
            ("request", None, "requested"),
            ("accept", "mia", "accepted"),
            ("cancel", "mia", "cancelled"),
        ]
        accepted = next(one.event for one in hall.store.logged if one.event.action == "accept")
        assert (accepted.reason, json.loads(accepted.data or "")) == (
            "welcome",
            {
                "table_id": table.table_id,
                "from": "2026-11-18T16:06:40Z",
                "to": "2026-11-18T18:06:40Z",
                "party": 2,
            },
        )
        logged = json.dumps([one.event for one in hall.store.logged])
        assert "ada@example.com" not in logged
        assert "Ada" not in logged
        assert hall.broken() == []


@pytest.mark.schedules(30)
async def test_of_twenty_managers_who_accept_overlapping_requests_at_once_one_wins() -> None:
    won: list[Found] = []
    lost: list[Status] = []

    async def accept(hall: Hall, found: Found) -> None:
        try:
            won.append(await hall.decide(found, Action.ACCEPT))
        except BookingConflict as refusal:
            lost.append(refusal.booking_status)

    async with open_hall() as hall:
        table, other = await hall.add_table(), await hall.add_table()
        asked = [await hall.request(table, evening(5 + n / 20)) for n in range(20)]
        beside = await hall.request(other, evening(5))
        hall.disk.seconds = 0.1
        async with trio.open_nursery() as nursery:
            for found in asked:
                nursery.start_soon(accept, hall, found)
        assert (len(won), lost) == (1, [Status.DECLINED] * 19)
        assert {one.booking_id for one in won[0].others} == {id_of(one) for one in asked} - {
            id_of(won[0])
        }
        assert all(one.reason == TAKEN for one in won[0].others)
        assert await hall.status(beside) is Status.REQUESTED
        # Each of them has an event of its own, and so gets a letter of its own.
        declined = [one.event for one in hall.store.logged if one.event.action == "decline"]
        assert len({one.subject for one in declined}) == len(declined) == 19
        assert overlapping_in(hall.rows()) == []
        assert hall.broken() == []


async def test_accepting_and_booking_directly_race_and_one_is_refused() -> None:
    outcomes: list[str] = []

    async def attempt(hall: Hall, what: str, found: Found) -> None:
        try:
            if what == "book":
                await hall.book(found.table, evening(5))
            else:
                await hall.decide(found, Action.ACCEPT)
            outcomes.append("done")
        except CafeRefusal as refusal:
            outcomes.append(type(refusal).__name__)

    async with open_hall() as hall:
        table = await hall.add_table()
        found = await hall.request(table, evening(5.5))
        async with trio.open_nursery() as nursery:
            for what in ("book", "accept", "book"):
                nursery.start_soon(attempt, hall, what, found)
        assert outcomes.count("done") == 1
        assert set(outcomes) <= {"done", "BookingConflict", "TableTaken"}
        assert overlapping_in(hall.rows()) == []


async def test_a_request_that_no_one_decides_expires_when_it_would_begin() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        found, later = [await hall.request(table, evening(hours)) for hours in (5, 6)]
        kept = await hall.book(await hall.add_table(), evening(5))
        await trio.sleep(5 * HOUR - 1)
        assert hall.events(found)[-1][2] == "requested"
        await trio.sleep(1.1)
        assert hall.events(found)[-1] == ("expire", None, "expired")
        with pytest.raises(BookingConflict) as conflict:
            await hall.decide(found, Action.ACCEPT)
        assert conflict.value.booking_status is Status.EXPIRED
        assert await hall.status(later) is Status.REQUESTED
        await trio.sleep(HOUR)
        assert await hall.status(later) is Status.EXPIRED
        assert await hall.status(kept) is Status.ACCEPTED
        assert hall.broken() == []


async def test_what_came_while_the_shop_was_down_is_made_up_for_at_its_start() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        over, begun, coming = [await hall.request(table, evening(h)) for h in (2, 5, 10)]
        store = hall.store.survivor()
    async with open_hall(store, clock=lambda: NOON + 6 * HOUR + trio.current_time()) as hall:
        await settle()
        at = {row.booking_id: row.status for row in hall.rows()}
        assert [at[id_of(one)] for one in (over, begun, coming)] == [
            Status.EXPIRED,
            Status.EXPIRED,
            Status.REQUESTED,
        ]
        assert hall.broken() == []


async def test_an_expiry_comes_soon_though_the_clock_was_set_forward() -> None:
    offset = 0.0

    async with open_hall(clock=lambda: NOON + offset + trio.current_time()) as hall:
        found = await hall.request(await hall.add_table(), evening(5))
        offset = 6 * HOUR
        await trio.sleep(61)
        assert hall.events(found)[-1][2] == "expired"


async def test_what_is_over_is_read_from_the_ledger_and_not_changed_any_longer() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        kept = await hall.book(table, evening(5))
        expired = await hall.request(table, evening(8))
        await trio.sleep(11 * HOUR)
        with pytest.raises(ForgottenBooking):
            await hall.ref.ask(FindBooking(id_of(kept)))
        assert await hall.ref.ask(CountBookings()) == 0
        assert await hall.desk.find(id_of(kept)) == Found(kept.booking, table)
        assert await hall.status(expired) is Status.EXPIRED
        for ask in (
            partial(hall.decide, kept, Action.CANCEL),
            partial(hall.desk.cancel, id_of(kept)),
        ):
            with pytest.raises(BookingConflict) as over:
                await ask()
            assert over.value.booking_status is Status.ACCEPTED
        facts = await hall.ref.ask(FindFacts((id_of(kept), "none")))
        assert [*facts] == [id_of(kept)]


async def test_letters_are_told_what_they_need_also_of_what_has_ended() -> None:
    async with open_hall() as hall:
        table = await hall.add_table(6, TableType.CABIN)
        found = await hall.request(table, evening(5), party=3)
        await hall.decide(found, Action.DECLINE)
        (facts,) = (await hall.ref.ask(FindFacts((id_of(found), "none")))).values()
        assert facts == (
            id_of(found),
            "ada@example.com",
            "Ada",
            "table 1 (cabin, 6 seats)",
            3,
            *evening(5),
            hall.desk.tokens.token_of(id_of(found)),
        )


async def test_a_guest_cancels_until_it_begins_and_a_manager_until_it_is_over() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        first, second = [await hall.book(table, evening(hours)) for hours in (5, 8)]
        assert (await hall.desk.cancel(id_of(first))).booking.status is Status.CANCELLED
        assert hall.events(first)[-1] == ("cancel", None, "cancelled")
        with pytest.raises(BookingConflict):
            await hall.desk.cancel(id_of(first))
        again = await hall.book(table, evening(5))
        assert again.booking.status is Status.ACCEPTED
        await trio.sleep(8 * HOUR)
        with pytest.raises(BookingConflict) as begun:
            await hall.desk.cancel(id_of(second))
        assert begun.value.booking_status is Status.ACCEPTED
        await hall.decide(second, Action.CANCEL, "the kitchen burns")
        assert await hall.status(second) is Status.CANCELLED


async def test_what_cannot_be_requested_says_why() -> None:
    async with open_hall() as hall:
        table = await hall.add_table(seats=4)

        async def wrong(hours: float, length: float = 2.0, party: int = 2) -> str:
            with pytest.raises(NotBookable) as refused:
                await hall.request(table, evening(hours, length), party=party)
            return str(refused.value.errors[0]["loc"][1])

        assert await wrong(0.5) == await wrong(-1) == await wrong(91 * 24) == "from"
        assert await wrong(5, 0) == await wrong(5, -1) == await wrong(5, 8.1) == "to"
        assert await wrong(5, party=5) == "party"
        with pytest.raises(NotBookable) as unknown:
            await hall.request(table._replace(table_id="none"), evening(5))
        assert unknown.value.errors[0]["loc"] == ["body", "table_id"]
        await hall.book(table, evening(0.1, 30), party=4)  # a manager goes beyond
        for hours in (-1.0, 400.0):
            with pytest.raises((NotBookable, TableTaken)):
                await hall.book(table, evening(hours, 0 if hours > 0 else 2))
        with pytest.raises(TableTaken):
            await hall.request(table, evening(20))
        await hall.desk.ask(ChangeTable(table.table_id, Wish(status=TableStatus.CLOSED)))
        with pytest.raises(TableUnavailable) as closed:
            await hall.request(table, evening(50))
        assert closed.value.reason == "closed"


async def test_an_address_makes_twenty_requests_an_hour_and_another_one_its_own() -> None:
    async with open_hall() as hall:
        table = await hall.add_table()
        for _ in range(REQUESTS):
            await hall.request(table, evening(5), address=ADDRESS)
        with pytest.raises(TooManyRequests) as many:
            await hall.request(table, evening(5), address=ADDRESS)
        assert many.value.limit == "bookings"
        assert many.value.retry_after == pytest.approx(HOUR)
        await hall.request(table, evening(5))
        await trio.sleep(HOUR - 1)
        with pytest.raises(TooManyRequests):
            await hall.request(table, evening(5), address=ADDRESS)
        await trio.sleep(1)
        await hall.request(table, evening(5), address=ADDRESS)
        assert len(hall.rows()) == REQUESTS + 2


async def test_an_unknown_booking_is_unknown() -> None:
    async with open_hall() as hall:
        for booking_id in ("none", "a\x00b"):
            with pytest.raises(UnknownBooking):
                await hall.desk.find(booking_id)
            with pytest.raises(UnknownBooking):
                await hall.desk.move(booking_id, Action.ACCEPT, None, None)


async def test_the_shop_opens_it_with_its_own_settings() -> None:
    async with open_ledger(FaultyStore()) as ledger, open_system() as system:
        offer = await open_bookings(empty_house(system, ledger))
        assert await offer.answers() == 0
        assert await offer.bookings.ask(FindFacts(("none",))) == {}
