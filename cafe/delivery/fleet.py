"""The fleet: which courier carries which delivery, whose turn is next, and which deliveries wait.

Rule: pure; each command is one call, which changes the fleet and returns the changes, or raises an
error and changes nothing. After each call no free courier on duty serves a district in which a
delivery waits, and a courier carries one delivery at most.

In each district the courier that is free longest gets the oldest delivery. A delivery that comes
back keeps its place.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from math import inf, nextafter
from typing import Any, Final, NamedTuple

from cafe.delivery.courier import (
    AccountTakenError,
    BusyError,
    Courier,
    CourierWish,
    DismissedError,
    Duty,
    DutyAction,
    DutyChange,
    UnknownCourierError,
    moved,
)
from cafe.delivery.delivery import (
    CARRIED,
    LIVE,
    TRANSITIONS,
    Action,
    Change,
    Delivery,
    NoFreeCourierError,
    NotAllowedError,
    NotInHandError,
    Status,
    UnknownDeliveryError,
)


class Turn(NamedTuple):
    """A courier whose figures or `free_since` have changed: stored without an event."""

    courier: Courier


AnyChange = Change | DutyChange | Turn
LAPSED: Final = "an order was not picked up in time"


class Who(NamedTuple):
    """The origin of a delivery's change: a person, a command, a courier."""

    by: str | None = None
    """The person's name, for events."""
    command: str | None = None
    """The command's id, so that it can be retried."""
    courier_id: str | None = None
    """The courier, who may change only deliveries that they have or had last; None for staff."""


class Line:
    """Ids ordered by a number: a sorted list, in which one is found in a microsecond."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, place: float, name: str) -> None:
        """Insert an id at its place."""
        insort(self._places, (place, name))

    def remove(self, place: float, name: str) -> None:
        """Remove an id from its place; do nothing if it is not there."""
        index = bisect_left(self._places, (place, name))
        if self._places[index : index + 1] == [(place, name)]:
            del self._places[index]

    def first(self) -> tuple[float, str] | None:
        """Return the lowest number and its id; None if there is none."""
        return self._places[0] if self._places else None


class Fleet:
    """Couriers, and the deliveries with something left to do."""

    def __init__(
        self,
        lease_seconds: float,
        couriers: Iterable[Courier] = (),
        deliveries: Iterable[Delivery] = (),
        last_sequence: int = 0,
        now: float = inf,
    ) -> None:
        """Start from the committed state; shorten leases to `lease_seconds` from `now`."""
        self._lease_seconds = lease_seconds
        self.couriers = {one.courier_id: one for one in couriers}
        """All couriers by id; only the fleet changes them."""
        self.deliveries: dict[str, Delivery] = {}
        """Deliveries with something left to do, by order; only the fleet changes them."""
        self._in_hand: dict[str, str] = {}
        """By courier: the order that they carry."""
        self._sequence = last_sequence
        self._last_turn = max((one.free_since for one in self.couriers.values()), default=0.0)
        self._free: dict[str, Line] = defaultdict(Line)
        """By district: the free couriers on duty, by `free_since`."""
        self._waiting: dict[str, Line] = defaultdict(Line)
        """By district: the waiting deliveries, by their place in the queue."""
        self._leases = Line()
        self._unsettled: dict[str, float] = {}
        """By order: since when it may not know of a change."""
        for delivery in deliveries:
            expires_at = delivery.lease_expires_at
            if expires_at is not None and expires_at > now + lease_seconds:
                self._keep(delivery._replace(lease_expires_at=now + lease_seconds))
            else:
                self._keep(delivery)
        self._unsettled = dict.fromkeys(self._unsettled, -inf)
        for courier in self.couriers.values():
            self._line_up(courier)

    # Queries

    def find(self, order_id: str, who: Who = Who()) -> Delivery:  # noqa: B008 - it is frozen
        """Return a delivery with something left to do; raises UnknownDeliveryError.

        Raises NotInHandError if it is another courier's.
        """
        delivery = self.deliveries.get(order_id)
        if delivery is None:
            raise UnknownDeliveryError
        if who.courier_id not in {None, delivery.courier_id}:
            raise NotInHandError
        return delivery

    def carried_by(self, courier_id: str | None) -> Delivery | None:
        """Return the delivery that a courier carries; None if they carry none."""
        order_id = self._in_hand.get(courier_id or "")
        return None if order_id is None else self.deliveries[order_id]

    def has_free(self, district_id: str) -> bool:
        """Return whether a courier of a district is free."""
        return len(self._free[district_id]) > 0

    def number_waiting(self, district_id: str) -> int:
        """Return how many deliveries wait in a district."""
        return len(self._waiting[district_id])

    def number_on_duty(self) -> int:
        """Return how many couriers are on duty."""
        return sum(one.is_on_duty for one in self.couriers.values())

    def number_free(self) -> int:
        """Return how many couriers are on duty with nothing in hand."""
        return self.number_on_duty() - sum(self.couriers[one].is_on_duty for one in self._in_hand)

    def by_status(self) -> Counter[Status]:
        """Count the deliveries that have not ended."""
        return Counter(one.status for one in self.deliveries.values() if one.status in LIVE)

    def unsettled(self, until: float) -> tuple[Delivery, ...]:
        """Return the deliveries whose orders may not know of a change at that time or before."""
        return tuple(self.deliveries[one] for one, at in self._unsettled.items() if at <= until)

    def next_expiry(self) -> float | None:
        """Return when the next lease expires."""
        first = self._leases.first()
        return None if first is None else first[0]

    def served(self) -> frozenset[str]:
        """Return the ids of the districts that some courier serves, on duty or not."""
        serving = (one for one in self.couriers.values() if one.duty is not Duty.RETIRED)
        return frozenset(district for one in serving for district in one.districts)

    # Deliveries

    def request(self, wanted: Delivery, now: float, by: str | None = None) -> list[AnyChange]:
        """Add a delivery at the end of the queue; assign it if a courier is free."""
        self._sequence += 1
        delivery = wanted._replace(sequence=self._sequence, requested_at=now)
        self._keep(delivery)
        change = Change(Action.REQUEST, None, delivery, now, by)
        return [change, *self._offer(delivery, now)]

    def pick_up(self, order_id: str, now: float, who: Who) -> list[AnyChange]:
        """Record that the courier has the delivery; its lease ends."""
        return [self._change(order_id, Action.PICK_UP, now, who, picked_up_at=now)]

    def finish(self, order_id: str, now: float, day: str, who: Who) -> list[AnyChange]:
        """Record that it is delivered; the courier's next turn begins."""
        done = self._change(order_id, Action.FINISH, now, who, ended_at=now, settled=False)
        delivery = done.delivery
        courier = self.couriers[delivery.courier_id or ""]
        seconds = 0.0 if delivery.assigned_at is None else now - delivery.assigned_at
        self.couriers[courier.courier_id] = courier.having_completed(seconds, day)
        return [done, *self._next_turn(courier.courier_id, now, has_figures=True)]

    def fail(self, order_id: str, reason: str, now: float, who: Who) -> list[AnyChange]:
        """Record that it could not be delivered; the courier's next turn begins."""
        attempts = self.find(order_id, who).attempts + 1
        failed = self._change(order_id, Action.FAIL, now, who, reason=reason, attempts=attempts)
        return [failed, *self._next_turn(failed.delivery.courier_id, now)]

    def retry(self, order_id: str, now: float, who: Who) -> list[AnyChange]:
        """Return a failed delivery to its place in the queue."""
        again = self._change(order_id, Action.RETRY, now, who, **IN_NO_HAND)
        return [again, *self._offer(again.delivery, now)]

    def cancel(self, order_id: str, reason: str | None, now: float, who: Who) -> list[AnyChange]:
        """Cancel a delivery; the next turn of the courier that carried it begins at once."""
        was_carried = self.find(order_id).status in CARRIED
        ended = self._change(
            order_id, Action.CANCEL, now, who, reason=reason, ended_at=now, settled=False
        )
        handed = self._next_turn(ended.delivery.courier_id, now) if was_carried else ()
        return [ended, *handed]

    def reassign(
        self, order_id: str, courier_id: str | None, now: float, who: Who
    ) -> list[AnyChange]:
        """Assign it to another courier: the named one, or the next of its district.

        Raises NoFreeCourierError if that courier is not free, or serves other districts.
        """
        delivery = self.find(order_id)
        if (delivery.status, Action.REASSIGN) not in TRANSITIONS:
            raise NotAllowedError(delivery.status, Action.REASSIGN)
        next_one = self._free[delivery.district_id].first()
        to = courier_id or (next_one[1] if next_one else "")
        if not self._is_free(to) or delivery.district_id not in self.couriers[to].districts:
            raise NoFreeCourierError
        given = self._assign(order_id, to, now, Action.REASSIGN, who)
        return [given, *self._next_turn(delivery.courier_id, now)]

    def expire(self, now: float) -> Iterator[list[AnyChange]]:
        """Return each delivery whose lease has expired to the queue; its courier goes off duty."""
        while (first := self._leases.first()) is not None and first[0] <= now:
            courier = self.couriers[self.deliveries[first[1]].courier_id or ""]
            back = self._change(first[1], Action.EXPIRE, now, Who(), **IN_NO_HAND)
            lapsed: list[AnyChange] = []
            if courier.is_on_duty:
                lapsed = [self._move(courier, DutyAction.LAPSE, now, None, LAPSED)]
            yield [back, *lapsed, *self._offer(back.delivery, now)]

    def settle(self, order_id: str, order_status: str, number: int) -> Delivery | None:
        """Record the status and number of its order; return the delivery if that changes it."""
        before = self.deliveries.get(order_id)
        if before is None:
            return None
        settled = before.settled or before.settled_by(order_status)
        after = before._replace(number=number, settled=settled)
        self._keep(after)
        return None if after == before else after

    # Couriers

    def add_courier(
        self, wanted: Courier, now: float, by: str | None, *, on_duty: bool
    ) -> list[AnyChange]:
        """Add a new courier; raises AccountTakenError."""
        self._check_account(wanted)
        number = max((one.number for one in self.couriers.values()), default=0) + 1
        courier = wanted._replace(number=number, duty=Duty.OFF)
        self.couriers[courier.courier_id] = courier
        added: list[AnyChange] = [DutyChange(DutyAction.ADD, None, courier, now, by)]
        if on_duty:
            added += self._come_on_duty(courier.courier_id, now, by)
        return added

    def change_courier(
        self, courier_id: str, wish: CourierWish, now: float, by: str | None
    ) -> list[AnyChange]:
        """Change a courier; one that comes on duty gets the oldest waiting delivery.

        Raises UnknownCourierError, BusyError, DismissedError or AccountTakenError.
        """
        courier = self.couriers.get(courier_id)
        if courier is None:
            raise UnknownCourierError
        is_retired = courier.duty is Duty.RETIRED if wish.retired is None else wish.retired
        if is_retired and wish.on_duty:
            raise DismissedError
        if is_retired and (carried := self.carried_by(courier_id)) is not None:
            raise BusyError(carried.order_id)
        if courier.duty is Duty.RETIRED and not is_retired:
            self._check_account(courier)
        changes: list[AnyChange] = []
        # Going off duty comes first: then a change of districts assigns nothing.
        if is_retired and courier.duty is not Duty.RETIRED:
            changes.append(self._move(courier, DutyAction.DISMISS, now, by))
        elif wish.on_duty is False and courier.is_on_duty:
            changes.append(self._move(courier, DutyAction.GO, now, by))
        changes += self._edit(self.couriers[courier_id], wish, now, by)
        courier = self.couriers[courier_id]
        if courier.duty is Duty.RETIRED and not is_retired:
            changes.append(self._move(courier, DutyAction.BRING_BACK, now, by))
        if wish.on_duty and not courier.is_on_duty:
            changes += self._come_on_duty(courier_id, now, by)
        return changes

    def _edit(
        self, courier: Courier, wish: CourierWish, now: float, by: str | None
    ) -> list[AnyChange]:
        name = courier.name if wish.name is None else wish.name
        districts = courier.districts if wish.districts is None else wish.districts
        after = courier._replace(name=name, districts=districts)
        if after == courier:
            return []
        self._leave_line(courier)
        self.couriers[courier.courier_id] = after
        gone = tuple(one for one in courier.districts if one not in districts)
        edited = DutyChange(DutyAction.EDIT, courier.duty, after, now, by, gone=gone)
        if self._is_free(courier.courier_id):
            oldest = self._oldest_for(after)
            if oldest is not None:
                return [edited, self._assign(oldest, after.courier_id, now)]
            self._line_up(after)  # in the old place
        return [edited]

    def _come_on_duty(self, courier_id: str, now: float, by: str | None) -> list[AnyChange]:
        come = moved(self.couriers[courier_id], DutyAction.COME, now, by)
        self.couriers[courier_id] = come.courier
        return [come, *self._next_turn(courier_id, now)]

    def _move(
        self,
        courier: Courier,
        action: DutyAction,
        now: float,
        by: str | None,
        reason: str | None = None,
    ) -> DutyChange:
        """Change the duty of a courier by an action that leaves them off duty."""
        self._leave_line(courier)
        change = moved(courier, action, now, by, reason)
        self.couriers[courier.courier_id] = change.courier
        return change

    def _check_account(self, courier: Courier) -> None:
        for one in self.couriers.values():
            is_same = one.account_id == courier.account_id is not None
            if is_same and one.duty is not Duty.RETIRED and one.courier_id != courier.courier_id:
                raise AccountTakenError

    # Turns

    def _next_turn(
        self, courier_id: str | None, now: float, *, has_figures: bool = False
    ) -> list[AnyChange]:
        """Assign a courier the oldest delivery of their districts; if none waits, they are free.

        A courier that is off duty, or carries a delivery, gets nothing.
        """
        courier = self.couriers[courier_id or ""]
        figures: list[AnyChange] = [Turn(courier)] if has_figures else []
        if not self._is_free(courier.courier_id):
            return figures
        oldest = self._oldest_for(courier)
        if oldest is not None:
            return [*figures, self._assign(oldest, courier.courier_id, now)]
        self._last_turn = max(now, nextafter(self._last_turn, inf))
        free = courier._replace(free_since=self._last_turn)
        self.couriers[courier.courier_id] = free
        self._line_up(free)
        return [Turn(free)]

    def _offer(self, delivery: Delivery, now: float) -> list[AnyChange]:
        """Assign a waiting delivery to the courier of its district that is free longest, if any."""
        first = self._free[delivery.district_id].first()
        return [] if first is None else [self._assign(delivery.order_id, first[1], now)]

    def _oldest_for(self, courier: Courier) -> str | None:
        lines = (self._waiting[one].first() for one in courier.districts)
        oldest = min((one for one in lines if one is not None), default=None)
        return None if oldest is None else oldest[1]

    def _is_free(self, courier_id: str) -> bool:
        courier = self.couriers.get(courier_id)
        return courier is not None and courier.is_on_duty and courier_id not in self._in_hand

    def _line_up(self, courier: Courier) -> None:
        if self._is_free(courier.courier_id):
            for district_id in courier.districts:
                self._free[district_id].add(courier.free_since, courier.courier_id)

    def _leave_line(self, courier: Courier) -> None:
        for district_id in courier.districts:
            self._free[district_id].remove(courier.free_since, courier.courier_id)

    # How deliveries change

    def _assign(
        self,
        order_id: str,
        courier_id: str,
        now: float,
        action: Action = Action.ASSIGN,
        who: Who = Who(),  # noqa: B008 - it is frozen
    ) -> Change:
        self._leave_line(self.couriers[courier_id])
        return self._change(
            order_id,
            action,
            now,
            who,
            courier_id=courier_id,
            assigned_at=now,
            picked_up_at=None,
            lease_expires_at=now + self._lease_seconds,
        )

    def _change(
        self, order_id: str, action: Action, now: float, who: Who, **changes: Any
    ) -> Change:
        before = self.find(order_id, who)
        fields = {"lease_expires_at": None, "command": who.command, **changes}
        after = before.after(action, **fields)
        self._keep(after)
        return Change(action, before.status, after, now, who.by, changes.get("reason"))

    def _keep(self, delivery: Delivery) -> None:
        """Store a delivery in place of its earlier state; drop it if nothing is left to do."""
        before = self.deliveries.pop(delivery.order_id, None)
        if before is not None:
            self._waiting[before.district_id].remove(before.sequence, before.order_id)
            if before.lease_expires_at is not None:
                self._leases.remove(before.lease_expires_at, before.order_id)
            if before.status in CARRIED:
                del self._in_hand[before.courier_id or ""]
            self._unsettled.pop(before.order_id, None)
        if not delivery.is_kept:
            return
        self.deliveries[delivery.order_id] = delivery
        if delivery.status is Status.WAITING:
            self._waiting[delivery.district_id].add(delivery.sequence, delivery.order_id)
        if delivery.status in CARRIED:
            self._in_hand[delivery.courier_id or ""] = delivery.order_id
        if delivery.lease_expires_at is not None:
            self._leases.add(delivery.lease_expires_at, delivery.order_id)
        if not delivery.settled:
            self._unsettled[delivery.order_id] = delivery.unsettled_since


IN_NO_HAND: Final = {"courier_id": None, "assigned_at": None, "picked_up_at": None}
"""The fields of a delivery that waits again."""
