"""The book against a naive one: whatever is done, no two accepted bookings of a table overlap."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cafe.bookings.book import Book, BookError, SeatsNeededError, Wish
from cafe.bookings.booking import Action, Booking, BookingChange, Status, Step, WrongStepError
from cafe.bookings.period import NO_LIMITS, Period, PeriodError
from cafe.bookings.table import DiningTable, TableFilter, TableStatus
from tests.cafe.bookings.test_book import ROOM, SMALL, booking
from tests.chance import examples

ERRORS = (BookError, WrongStepError, PeriodError)


@settings(max_examples=examples(100), stateful_step_count=40)
class BookMachine(RuleBasedStateMachine):
    """Guests and managers in any order, beside a list that is searched from end to end."""

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

    def held_by(self, one: Booking) -> list[Booking]:
        same = ("account_id", "table_id", "starts_at", "ends_at")
        return [
            other
            for other in self.naive.values()
            if one.account_id is not None
            and other.status in {Status.REQUESTED, Status.ACCEPTED}
            and other.ends_at > self.now
            and all(getattr(other, name) == getattr(one, name) for name in same)
        ]

    @rule(place=st.integers(0, 11))
    def ask_again(self, place: int) -> None:
        if not self.naive:
            return
        one = [*self.naive.values()][-1 - place % len(self.naive)]
        again = one._replace(booking_id="again", status=Status.REQUESTED)
        held = self.held_by(one)
        assert len(held) <= 1
        assert self.book.repeated(again) == (held[0] if held else None)
        if held:
            assert self.book.begin(again, self.now, NO_LIMITS) == []

    @rule(
        table=st.sampled_from([ROOM, SMALL]),
        start=st.integers(1, 30),
        length=st.integers(0, 8),
        party=st.integers(1, 4),
        status=st.sampled_from([Status.REQUESTED, Status.REQUESTED, Status.ACCEPTED]),
        account=st.sampled_from([None, "ada", "bo"]),
    )
    def begin(
        self,
        *,
        table: DiningTable,
        start: int,
        length: int,
        party: int,
        status: Status,
        account: str | None,
    ) -> None:
        self.number += 1
        starts_at = self.now + start
        one = booking(
            f"b{self.number}",
            starts_at,
            starts_at + length,
            table=table,
            status=status,
            party=party,
            account_id=account,
        )
        if held := self.held_by(one):
            assert self.book.repeated(one) == held[0]
            assert self.book.begin(one, self.now, NO_LIMITS) == []
            return
        assert self.book.repeated(one) is None
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
            return
        assert fine
        assert {change.booking.booking_id for change in changes[1:]} == {
            other.booking_id for other in declined
        }
        self.done(changes)

    @rule(
        place=st.integers(0, 11),
        action=st.sampled_from([Action.ACCEPT, Action.ACCEPT, Action.DECLINE, Action.CANCEL]),
        guest=st.booleans(),
    )
    def move(self, place: int, action: Action, *, guest: bool) -> None:
        if not self.naive:
            return
        subject = [*self.naive][-1 - place % len(self.naive)]
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
