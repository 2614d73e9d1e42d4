"""The fleet against a plain model: turns, places in the queue, and what is in whose hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cafe.delivery.courier import (
    DUTY_TRANSITIONS,
    BusyError,
    Courier,
    CourierWish,
    DismissedError,
    DutyChange,
)
from cafe.delivery.delivery import (
    TRANSITIONS,
    Change,
    Delivery,
    NoFreeCourierError,
    NotAllowedError,
    Status,
)
from cafe.delivery.fleet import AnyChange, Fleet, Who

LEASE = 100.0
DISTRICTS = ("north", "south", "west")
districts = st.sets(st.sampled_from(DISTRICTS), min_size=1).map(lambda some: tuple(sorted(some)))
which = st.integers(0, 30)


@dataclass
class Person:
    """A courier of the model."""

    name: str
    districts: tuple[str, ...]
    works: bool = False
    retired: bool = False
    turn: int = 0
    done: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])


@dataclass
class Parcel:
    """A delivery of the model."""

    name: str
    district: str
    place: int
    is_published: bool
    status: str = "waiting"
    who: str | None = None
    since: float = 0.0
    attempts: int = 0


class FleetMachine(RuleBasedStateMachine):
    """Compares the fleet with lists that are searched from the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet(LEASE)
        self.people: list[Person] = []
        self.parcels: list[Parcel] = []
        self.now = 0.0
        self.turns = 0

    # The model

    def in_hand(self, person: Person) -> Parcel | None:
        held = [p for p in self.parcels if p.who == person.name and p.status in CARRIED]
        assert len(held) <= 1
        return held[0] if held else None

    def is_free(self, person: Person) -> bool:
        return person.works and self.in_hand(person) is None

    def match(self) -> None:
        """Give what waits, the oldest first, to those who are free, the longest first."""
        for parcel in sorted(self.parcels, key=lambda one: one.place):
            if parcel.status == "waiting":
                fit = [p for p in self.people if self.is_free(p) and parcel.district in p.districts]
                if fit:
                    self.give(parcel, min(fit, key=lambda one: one.turn))

    def give(self, parcel: Parcel, person: Person) -> None:
        parcel.status, parcel.who, parcel.since = "assigned", person.name, self.now

    def end_turn(self, name: str | None) -> None:
        """Put one who has nothing in hand at the end."""
        self.turns += 1
        self.person(name).turn = self.turns
        self.match()

    def person(self, name: str | None) -> Person:
        return next(p for p in self.people if p.name == name)

    def some(self, parcels: Sequence[Parcel], number: int) -> Parcel | None:
        return parcels[number % len(parcels)] if parcels else None

    def asked(
        self, ask: Callable[[], Sequence[AnyChange]], *, works: bool, errors: Any = NotAllowedError
    ) -> bool:
        """Ask the fleet, which refuses exactly what the model would."""
        if works:
            checked(ask())
            return True
        before = dict(self.fleet.deliveries), dict(self.fleet.couriers)
        with pytest.raises(errors):
            ask()
        assert before == (self.fleet.deliveries, self.fleet.couriers)
        return False

    # What happens

    @rule(served=districts, on_duty=st.booleans())
    def add_courier(self, served: tuple[str, ...], on_duty: bool) -> None:  # noqa: FBT001 - drawn
        person = Person(f"c{len(self.people)}", served)
        self.people.append(person)
        wanted = Courier(person.name, 0, person.name, districts=served)
        checked(self.fleet.add_courier(wanted, self.now, None, on_duty=on_duty))
        if on_duty:
            person.works = True
            self.end_turn(person.name)

    @rule(district=st.sampled_from(DISTRICTS), is_published=st.booleans())
    def publish(self, district: str, is_published: bool) -> None:  # noqa: FBT001 - drawn
        parcel = Parcel(f"o{len(self.parcels)}", district, len(self.parcels), is_published)
        self.parcels.append(parcel)
        fit = [p for p in self.people if self.is_free(p) and district in p.districts]
        assert self.fleet.has_free(district) == bool(fit)
        account = None if is_published else "ada"
        wanted = Delivery(parcel.name, 0, district, district, None, None, 0.0, account_id=account)
        checked(self.fleet.request(wanted, self.now))
        self.match()

    @rule(number=which, by_courier=st.booleans())
    def pick_up(self, number: int, by_courier: bool) -> None:  # noqa: FBT001 - drawn
        parcel = self.some(self.live(), number)
        if parcel is None:
            return
        who = Who(courier_id=parcel.who if by_courier else None)
        works = parcel.status == "assigned"
        if self.asked(lambda: self.fleet.pick_up(parcel.name, self.now, who), works=works):
            parcel.status = "picked_up"

    @rule(number=which)
    def finish(self, number: int) -> None:
        parcel = self.some(self.live(), number)
        if parcel is None:
            return
        works = parcel.status == "picked_up" or (
            parcel.is_published and parcel.status == "assigned"
        )
        day = f"day {self.now // 1000:06}"
        if self.asked(lambda: self.fleet.finish(parcel.name, self.now, day, Who()), works=works):
            parcel.status = "delivered"
            self.person(parcel.who).done.append((self.now - parcel.since, day))
            self.end_turn(parcel.who)

    @rule(number=which)
    def fail(self, number: int) -> None:
        parcel = self.some(self.live(), number)
        if parcel is None:
            return
        works = parcel.status in CARRIED
        if self.asked(lambda: self.fleet.fail(parcel.name, "closed", self.now, Who()), works=works):
            parcel.status = "failed"
            parcel.attempts += 1
            self.end_turn(parcel.who)

    @rule(number=which)
    def retry(self, number: int) -> None:
        parcel = self.some(self.live(), number)
        if parcel is None:
            return
        works = parcel.status == "failed"
        if self.asked(lambda: self.fleet.retry(parcel.name, self.now, Who()), works=works):
            parcel.status, parcel.who = "waiting", None
            self.match()

    @rule(number=which)
    def cancel(self, number: int) -> None:
        parcel = self.some(self.live(), number)
        if parcel is None:
            return
        was = parcel.status
        checked(self.fleet.cancel(parcel.name, None, self.now, Who()))
        parcel.status = "cancelled"
        if was in CARRIED:
            self.end_turn(parcel.who)

    @rule(number=which, to=st.none() | which)
    def reassign(self, number: int, to: int | None) -> None:
        parcel = self.some(self.live(), number)
        if parcel is None:
            return
        named = None if to is None else f"c{to}"
        fit = [
            p
            for p in self.people
            if self.is_free(p) and parcel.district in p.districts and named in {None, p.name}
        ]
        works = bool(fit) and parcel.status in CARRIED
        errors = NotAllowedError if parcel.status not in CARRIED else NoFreeCourierError
        if self.asked(
            lambda: self.fleet.reassign(parcel.name, named, self.now, Who()),
            works=works,
            errors=errors,
        ):
            before = parcel.who
            self.give(parcel, min(fit, key=lambda one: one.turn))
            self.end_turn(before)

    @rule(number=which, on_duty=st.booleans())
    def change_duty(self, number: int, on_duty: bool) -> None:  # noqa: FBT001 - drawn
        if not self.people:
            return
        person = self.people[number % len(self.people)]
        wish = CourierWish(on_duty=on_duty)
        works = not (on_duty and person.retired)
        if self.asked(
            lambda: self.fleet.change_courier(person.name, wish, self.now, None),
            works=works,
            errors=DismissedError,
        ):
            comes = on_duty and not person.works
            person.works = on_duty
            if comes:
                self.end_turn(person.name)

    @rule(number=which, retired=st.booleans())
    def dismiss(self, number: int, retired: bool) -> None:  # noqa: FBT001 - drawn
        if not self.people:
            return
        person = self.people[number % len(self.people)]
        works = not retired or self.in_hand(person) is None
        wish = CourierWish(retired=retired)
        if self.asked(
            lambda: self.fleet.change_courier(person.name, wish, self.now, None),
            works=works,
            errors=BusyError,
        ):
            person.works = person.works and not retired
            person.retired = retired

    @rule(number=which, served=districts)
    def change_districts(self, number: int, served: tuple[str, ...]) -> None:
        if not self.people:
            return
        person = self.people[number % len(self.people)]
        wish = CourierWish(districts=served)
        checked(self.fleet.change_courier(person.name, wish, self.now, None))
        person.districts = served
        self.match()

    @rule(seconds=st.sampled_from([0.0, 1.0, 60.0, 1000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for changes in self.fleet.expire(self.now):
            checked(changes)
        due = [p for p in self.parcels if p.status == "assigned" and p.since + LEASE <= self.now]
        for parcel in sorted(due, key=lambda one: (one.since, one.name)):
            self.person(parcel.who).works = False
            parcel.status, parcel.who = "waiting", None
            self.match()

    @rule()
    def restart(self) -> None:
        """Go on from the rows, in any order."""
        old = self.fleet
        last = len(self.parcels)
        self.fleet = Fleet(
            LEASE, [*old.couriers.values()][::-1], [*old.deliveries.values()][::-1], last
        )
        assert (self.fleet.next_expiry(), self.fleet.number_free()) == (
            old.next_expiry(),
            old.number_free(),
        )

    def live(self) -> list[Parcel]:
        return [one for one in self.parcels if one.status not in {"delivered", "cancelled"}]

    @invariant()
    def stands_as_the_model(self) -> None:
        for parcel in self.parcels:
            delivery = self.fleet.deliveries[parcel.name]  # nothing is settled here
            assert (delivery.status, delivery.attempts) == (parcel.status, parcel.attempts)
            assert delivery.sequence == parcel.place + 1
            if parcel.status in CARRIED:
                assert (delivery.courier_id, delivery.assigned_at) == (parcel.who, parcel.since)

    @invariant()
    def no_one_free_serves_where_something_waits(self) -> None:
        for courier in self.fleet.couriers.values():
            if courier.is_on_duty and self.fleet.carried_by(courier.courier_id) is None:
                assert not any(map(self.fleet.number_waiting, courier.districts))

    @invariant()
    def the_figures_are_right(self) -> None:
        for person in self.people:
            courier = self.fleet.couriers[person.name]
            days = {day for _, day in person.done}
            assert (courier.completed, courier.days) == (len(person.done), len(days))
            assert courier.seconds == pytest.approx(sum(seconds for seconds, _ in person.done))
            if person.done:
                assert courier.avg_day_orders == round(len(person.done) / len(days), 2)

    @invariant()
    def the_counts_are_right(self) -> None:
        assert self.fleet.number_free() == sum(map(self.is_free, self.people))
        assert self.fleet.number_on_duty() == sum(one.works for one in self.people)
        counted = self.fleet.by_status()
        assert counted == {
            status: number
            for status in map(Status, ("waiting", *CARRIED, "failed"))
            if (number := sum(one.status == status for one in self.parcels))
        }


CARRIED = ("assigned", "picked_up")
TestFleet = FleetMachine.TestCase


def checked(changes: Sequence[AnyChange]) -> None:
    """Check that each change is one that its table allows."""
    for change in changes:
        if isinstance(change, Change):
            assert TRANSITIONS[change.before, change.action] is change.delivery.status
        elif isinstance(change, DutyChange):
            assert DUTY_TRANSITIONS[change.before, change.action] is change.courier.duty
