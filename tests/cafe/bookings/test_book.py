"""The book against a naive one: whatever is done, no two accepted bookings of a table overlap."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from cafe.bookings.agenda import Agenda
from cafe.bookings.book import (
    TAKEN,
    AcceptedError,
    BegunError,
    Book,
    BookError,
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
from tests.chance import examples

ROOM = DiningTable("t1", 1, TableType.ROOM, 6, 900)
SMALL = DiningTable("t2", 2, TableType.REGULAR, 2, 0)
ERRORS = (BookError, WrongStepError, PeriodError)


def booking(
    booking_id: str,
    starts_at: float,
    ends_at: float,
    *,
    table: DiningTable = ROOM,
    status: Status = Status.REQUESTED,
    party: int = 2,
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
    assert book.behind(7, 10) == []


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


@settings(max_examples=examples(100), stateful_step_count=40)
class BookMachine(RuleBasedStateMachine):
    """Guests and managers in any order, beside a list that is searched from end to end."""

    subjects: Bundle[str] = Bundle("subjects")

    @initialize()
    def open(self) -> None:
        self.now = 0.0
        self.book = Book([ROOM, SMALL])
        self.naive: dict[str, Booking] = {}
        self.number = 0

    def done(self, changes: list[BookingChange]) -> None:
        for change in changes:
            before = self.naive.get(change.booking.booking_id)
            assert change.before is (None if before is None else before.status)
            self.naive[change.booking.booking_id] = change.booking

    def overlapping(self, one: Booking, status: Status) -> list[Booking]:
        return [
            other
            for other in self.naive.values()
            if other.status is status
            and other.booking_id != one.booking_id
            and other.table_id == one.table_id
            and other.starts_at < one.ends_at
            and one.starts_at < other.ends_at
            and other.ends_at > self.now
        ]

    @rule(
        target=subjects,
        table=st.sampled_from([ROOM, SMALL]),
        start=st.integers(1, 30),
        length=st.integers(0, 8),
        party=st.integers(1, 4),
        status=st.sampled_from([Status.REQUESTED, Status.REQUESTED, Status.ACCEPTED]),
    )
    def begin(self, table: DiningTable, start: int, length: int, party: int, status: Status) -> Any:
        self.number += 1
        starts_at = self.now + start
        one = booking(
            f"b{self.number}",
            starts_at,
            starts_at + length,
            table=table,
            status=status,
            party=party,
        )
        table = self.book.table(table.table_id)
        declined = self.overlapping(one, Status.REQUESTED) if status is Status.ACCEPTED else []
        fine = (
            length > 0
            and party <= table.seats
            and table.status is TableStatus.OPEN
            and not self.overlapping(one, Status.ACCEPTED)
        )
        try:
            changes = self.book.begin(one, self.now, NO_LIMITS)
        except ERRORS:
            assert not fine
            none: Any = multiple()
            return none
        assert fine
        assert {change.booking.booking_id for change in changes[1:]} == {
            other.booking_id for other in declined
        }
        self.done(changes)
        return one.booking_id

    @rule(
        subject=subjects,
        action=st.sampled_from([Action.ACCEPT, Action.ACCEPT, Action.DECLINE, Action.CANCEL]),
        guest=st.booleans(),
    )
    def move(self, subject: str, action: Action, *, guest: bool) -> None:
        before = self.naive[subject]
        try:
            if guest and action is Action.CANCEL:
                changes = self.book.cancel_by_guest(subject, Step(action), self.now)
            else:
                changes = self.book.move(subject, Step(action), self.now)
        except ERRORS:
            is_over = before.ends_at <= self.now
            begun = before.starts_at <= self.now
            table = self.book.table(before.table_id)
            assert (
                is_over
                or before.status not in {Status.REQUESTED, Status.ACCEPTED}
                or (before.status is Status.ACCEPTED and action is not Action.CANCEL)
                or (guest and begun)
                or (
                    action is Action.ACCEPT
                    and (table.status is TableStatus.CLOSED or table.seats < before.party)
                )
            )
            return
        others = self.overlapping(before, Status.REQUESTED) if action is Action.ACCEPT else []
        assert {one.booking.booking_id for one in changes[1:]} == {one.booking_id for one in others}
        self.done(changes)

    @rule(subject=consumes(subjects))
    def forget(self, subject: str) -> None:
        """Move on to other subjects."""

    @rule(seats=st.integers(1, 4), is_open=st.booleans())
    def change_table(self, seats: int, *, is_open: bool) -> None:
        status = TableStatus.OPEN if is_open else TableStatus.CLOSED
        needed = {
            name
            for name, one in self.naive.items()
            if one.status is Status.ACCEPTED and one.ends_at > self.now
            if one.table_id == "t2" and one.party > seats
        }
        if needed and seats < self.book.table("t2").seats:
            with pytest.raises(SeatsNeededError) as refused:
                self.book.change("t2", Wish(seats=seats, status=status))
            assert {*refused.value.booking_ids} == needed
        else:
            self.book.change("t2", Wish(seats=seats, status=status))

    @rule(seconds=st.integers(1, 9))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        due = {
            name
            for name, one in self.naive.items()
            if one.status is Status.REQUESTED and one.starts_at <= self.now
        }
        changes = self.book.pass_time(self.now)
        assert {one.booking.booking_id for one in changes} == due
        self.done(changes)

    @invariant()
    def no_two_accepted_bookings_of_a_table_overlap(self) -> None:
        for one in self.naive.values():
            if one.status is Status.ACCEPTED and one.ends_at > self.now:
                assert self.overlapping(one, Status.ACCEPTED) == []
                assert self.overlapping(one, Status.REQUESTED) == []

    @invariant()
    def what_is_not_over_is_in_the_book_and_found_by_its_time(self) -> None:
        live = {name: one for name, one in self.naive.items() if one.ends_at > self.now}
        assert self.book.bookings == live
        period = Period(self.now + 3, self.now + 7)
        probe = booking("probe", *period)
        for listed in self.book.search(TableFilter(), period, 0, 9):
            mine = probe._replace(table_id=listed.table.table_id)
            assert self.overlapping(mine, Status.ACCEPTED) == []
            assert listed.requests == len(self.overlapping(mine, Status.REQUESTED))


TestBook = BookMachine.TestCase


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
    agenda.remove(both[0])
    assert agenda.count_requests() == 0
