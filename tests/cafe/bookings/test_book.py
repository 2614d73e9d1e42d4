"""The book: what may be booked, what accepting one booking does to others, and what time does."""

from __future__ import annotations

from typing import Any

import pytest

from cafe.bookings.agenda import Agenda
from cafe.bookings.book import (
    TAKEN,
    AcceptedError,
    BegunError,
    Book,
    ClosedError,
    FullError,
    NumberTakenError,
    SeatsNeededError,
    TooFewSeatsError,
    UnknownBookingError,
    UnknownTableError,
    Wish,
)
from cafe.bookings.booking import Action, Booking, BookingChange, Status, Step, WrongStepError
from cafe.bookings.period import NO_LIMITS, Period, PeriodError
from cafe.bookings.table import DiningTable, TableFilter, TableStatus, TableType

ROOM = DiningTable("t1", 1, TableType.ROOM, 6, 900)
SMALL = DiningTable("t2", 2, TableType.REGULAR, 2, 0)


def booking(
    booking_id: str,
    starts_at: float,
    ends_at: float,
    *,
    table: DiningTable = ROOM,
    status: Status = Status.REQUESTED,
    party: int = 2,
    account_id: str | None = None,
) -> Booking:
    return Booking(
        booking_id,
        table.table_id,
        table.number,
        status,
        starts_at,
        ends_at,
        party,
        "ada@example.com",
        None,
        None,
        0.0,
        0.0,
        step_id=booking_id,
        account_id=account_id,
    )


def begun(book: Book, one: Booking, now: float = 0.0) -> list[BookingChange]:
    return book.begin(one, now, NO_LIMITS)


def statuses(book: Book) -> dict[str, Status]:
    return {name: one.status for name, one in book.bookings.items()}


def test_a_request_takes_nothing_away_and_accepting_one_declines_those_that_overlap() -> None:
    book = Book([ROOM, SMALL])
    for one in (
        booking("a", 10, 20),
        booking("b", 15, 25),
        booking("touches", 20, 30),
        booking("elsewhere", 10, 20, table=SMALL),
    ):
        assert [change.action for change in begun(book, one)] == [Action.REQUEST]
    changes = book.move("a", Step(Action.ACCEPT, "s1", "mia"), 5.0)
    assert [(one.booking.booking_id, one.action, one.by) for one in changes] == [
        ("a", Action.ACCEPT, "mia"),
        ("b", Action.DECLINE, "mia"),
    ]
    assert changes[1].booking.reason == TAKEN
    assert statuses(book) == {
        "a": Status.ACCEPTED,
        "b": Status.DECLINED,
        "touches": Status.REQUESTED,
        "elsewhere": Status.REQUESTED,
    }
    assert book.conflicts(book.find("touches")) == []


def test_a_step_that_is_repeated_does_nothing_and_tells_the_same() -> None:
    book = Book([ROOM])
    for one in (booking("a", 10, 20), booking("b", 15, 25)):
        begun(book, one)
        assert begun(book, one) == []
    accept = Step(Action.ACCEPT, "s1")
    assert len(book.move("a", accept, 5.0)) == 2
    assert book.move("a", accept, 6.0) == []
    assert [one.booking_id for one in book.declined_with(book.find("a"))] == ["b"]
    with pytest.raises(WrongStepError) as wrong:
        book.move("a", Step(Action.ACCEPT, "s2"), 6.0)
    assert (wrong.value.status, wrong.value.action) == (Status.ACCEPTED, Action.ACCEPT)


def test_a_direct_booking_declines_as_well_and_is_refused_for_a_taken_time() -> None:
    book = Book([ROOM])
    begun(book, booking("a", 10, 20))
    changes = begun(book, booking("direct", 12, 14, status=Status.ACCEPTED))
    assert [one.action for one in changes] == [Action.BOOK, Action.DECLINE]
    for status in (Status.ACCEPTED, Status.REQUESTED):
        with pytest.raises(AcceptedError) as taken:
            begun(book, booking("c", 13, 20, status=status))
        assert taken.value.booking_ids == ["direct"]
    book.move("direct", Step(Action.CANCEL), 5.0)
    assert begun(book, booking("c", 13, 20))


def test_an_account_that_asks_again_gets_the_booking_that_it_holds() -> None:
    book = Book([ROOM, SMALL])
    assert begun(book, booking("a", 10, 20, account_id="ada"))
    again = booking("b", 10, 20, party=3, account_id="ada")
    assert book.repeated(again) == book.find("a")
    assert begun(book, again) == []
    for other in (
        again._replace(account_id="bo"),
        again._replace(booking_id="c", account_id=None),
        again._replace(booking_id="d", ends_at=21),
        booking("e", 10, 20, table=SMALL, account_id="ada"),
    ):
        assert book.repeated(other) is None
        assert begun(book, other)
    book.move("a", Step(Action.ACCEPT), 1.0)
    book.change("t1", Wish(status=TableStatus.CLOSED))
    assert book.repeated(again._replace(booking_id="f")) == book.find("a")
    assert begun(book, again._replace(booking_id="f")) == []


@pytest.mark.parametrize("action", [Action.DECLINE, Action.CANCEL])
def test_an_account_may_ask_again_for_what_was_declined_or_cancelled(action: Action) -> None:
    book = Book([ROOM])
    begun(book, booking("a", 10, 20, account_id="ada"))
    book.move("a", Step(action), 1.0)
    assert begun(book, booking("a", 10, 20, account_id="ada")) == []  # the same command
    again = booking("b", 10, 20, account_id="ada")
    assert begun(book, again)
    assert begun(book, booking("c", 10, 20, account_id="ada")) == []
    # As after a start.
    assert begun(Book([ROOM], book.bookings.values()), booking("c", 10, 20, account_id="ada")) == []
    assert [one.booking.booking_id for one in book.pass_time(10.0)] == ["b"]
    book.pass_time(20.0)
    assert book.repeated(again) is None


def test_what_cannot_be_booked_is_refused() -> None:
    book = Book([ROOM], most_requests=1)
    with pytest.raises(TooFewSeatsError) as few:
        begun(book, booking("a", 10, 20, party=7))
    assert few.value.seats == 6
    with pytest.raises(UnknownTableError):
        begun(book, booking("a", 10, 20, table=SMALL))
    with pytest.raises(PeriodError):
        begun(book, booking("a", 10, 10))
    begun(book, booking("a", 10, 20))
    with pytest.raises(FullError):
        begun(book, booking("b", 30, 40))
    book.change("t1", Wish(status=TableStatus.CLOSED))
    for status in (Status.ACCEPTED, Status.REQUESTED):
        with pytest.raises(ClosedError):
            begun(book, booking("b", 30, 40, status=status))
    with pytest.raises(ClosedError):
        book.move("a", Step(Action.ACCEPT), 0.0)
    book.change("t1", Wish(status=TableStatus.OPEN, seats=1))
    with pytest.raises(TooFewSeatsError):
        book.move("a", Step(Action.ACCEPT), 0.0)
    assert statuses(book) == {"a": Status.REQUESTED}


def test_a_table_keeps_the_seats_that_accepted_parties_need_and_its_bookings() -> None:
    book = Book([ROOM])
    begun(book, booking("a", 10, 20, party=5, status=Status.ACCEPTED))
    begun(book, booking("b", 30, 40, party=6))
    with pytest.raises(SeatsNeededError) as needed:
        book.change("t1", Wish(seats=4))
    assert needed.value.booking_ids == ["a"]
    assert book.table("t1").seats == 6
    assert [one.table.seats for one in book.change("t1", Wish(seats=5))] == [5]
    changes = book.change("t1", Wish(status=TableStatus.CLOSED, price_cents=1))
    assert [(one.action, one.before) for one in changes] == [
        ("change", TableStatus.OPEN),
        ("close", TableStatus.OPEN),
    ]
    assert book.change("t1", Wish(status=TableStatus.CLOSED)) == []
    assert book.find("a").status is Status.ACCEPTED
    with pytest.raises(UnknownTableError):
        book.change("t9", Wish())


def test_no_two_tables_have_a_number() -> None:
    book = Book()
    assert book.next_number() == 1
    assert [one.action for one in book.add(ROOM._replace(number=7))] == ["add"]
    assert book.add(ROOM._replace(number=8)) == []
    assert book.next_number() == 8
    with pytest.raises(NumberTakenError):
        book.add(SMALL._replace(number=7))
    assert [one.number for one in book.behind(0, 10)] == [7]
    assert book.numbered(7).table_id == "t1"
    for number in (6, 8):
        with pytest.raises(UnknownTableError):
            book.numbered(number)
    assert book.behind(7, 10) == []


def test_a_table_that_is_added_closed_is_opened_like_any_other() -> None:
    book = Book()
    changes = book.add(ROOM._replace(status=TableStatus.CLOSED))
    assert [(one.action, one.before, one.table.status) for one in changes] == [
        ("add", None, TableStatus.OPEN),
        ("close", TableStatus.OPEN, TableStatus.CLOSED),
    ]
    with pytest.raises(ClosedError):
        begun(book, booking("a", 10, 20))
    assert [one.action for one in book.change("t1", Wish(status=TableStatus.OPEN))] == ["open"]
    assert begun(book, booking("a", 10, 20))


def test_a_request_expires_when_it_would_begin_and_what_is_over_is_forgotten() -> None:
    book = Book([ROOM], [booking("old", -20, -10)])
    begun(book, booking("a", 10, 20))
    begun(book, booking("b", 30, 40, status=Status.ACCEPTED))
    assert book.next_at == -20
    assert [one.booking.booking_id for one in book.pass_time(0.0)] == ["old"]
    assert book.pass_time(9.9) == []
    (expired,) = book.pass_time(10.0)
    assert (expired.action, expired.booking.status) == (Action.EXPIRE, Status.EXPIRED)
    assert book.next_at is None
    for now in (19.9, 20.0, 39.9):
        assert book.pass_time(now) == []
    assert [*book.bookings] == ["b"]
    book.pass_time(40.0)
    with pytest.raises(UnknownBookingError):
        book.find("b")
    assert book.search(TableFilter(), Period(0, 100), 0, 9)[0].requests == 0


def test_a_guest_cancels_until_it_begins() -> None:
    book = Book([ROOM])
    for name, start in (("a", 10.0), ("b", 30.0)):
        begun(book, booking(name, start, start + 10, status=Status.ACCEPTED))
    assert book.cancel_by_guest("a", Step(Action.CANCEL, "s"), 9.9)
    assert book.cancel_by_guest("a", Step(Action.CANCEL, "s"), 12.0) == []
    with pytest.raises(WrongStepError):
        book.cancel_by_guest("a", Step(Action.CANCEL, "t"), 9.9)
    with pytest.raises(BegunError):
        book.cancel_by_guest("b", Step(Action.CANCEL), 30.0)
    assert book.move("b", Step(Action.CANCEL), 30.0)  # a manager still does


def test_tables_are_found_by_what_is_wanted_of_them() -> None:
    cabin = DiningTable("t3", 3, TableType.CABIN, 4, 300)
    book = Book(
        [cabin, ROOM, SMALL, DiningTable("t4", 4, TableType.ROOM, 9, 9, TableStatus.CLOSED)]
    )

    def numbers(period: Period | None = None, after: int = 0, **wanted: Any) -> list[int]:
        found = book.search(TableFilter(**wanted), period, after, 2)
        return [one.table.number for one in found]

    assert numbers() == [1, 2]
    assert numbers(after=2) == [3]
    assert numbers(type=TableType.ROOM) == [1]
    assert numbers(seats_min=4) == [1, 3]
    assert numbers(seats_max=4) == [2, 3]
    assert numbers(price_min=300, price_max=899) == [3]
    begun(book, booking("a", 10, 20, table=ROOM, status=Status.ACCEPTED))
    begun(book, booking("b", 10, 20, table=SMALL))
    assert numbers(Period(19, 21)) == [2, 3]
    assert numbers(Period(20, 21)) == numbers(Period(5, 10)) == [1, 2]
    assert [one.requests for one in book.search(TableFilter(), Period(5, 11), 0, 9)] == [1, 0]


def test_an_agenda_finds_what_overlaps_also_where_requests_contain_each_other() -> None:
    agenda = Agenda()
    both = [booking("long", 0, 100), booking("short", 40, 50), booking("late", 90, 95)]
    for one in both:
        agenda.add(one)
    for period, names in (((45, 46), ["long", "short"]), ((60, 95), ["long", "late"])):
        found = agenda.requests_in(Period(*period))
        assert [one.booking_id for one in found] == names
        assert agenda.count_requests(Period(*period)) == 2
    assert agenda.count_requests() == 3
    for one in both:
        agenda.remove(one)
    assert agenda.count_requests() == 0
