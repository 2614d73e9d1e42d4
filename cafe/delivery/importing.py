"""The import of districts, couriers, and the deliveries that couriers made in another system.

Rule: the same models decide as in the shop. Deliveries make couriers' figures, so couriers are
added last; in the log they come first, since other rows refer to theirs. Imported couriers are on
duty, since the other system has no duty.

A delivery under way counts as picked up: its courier has it, and no lease may expire.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from cafe.delivery.courier import Courier, CourierWish
from cafe.delivery.coverage import District
from cafe.delivery.delivery import Action, Change, Delivery
from cafe.delivery.districts import Districts, NameTakenError, UnknownDistrictError
from cafe.delivery.fleet import Fleet
from cafe.delivery.messages import new_id
from cafe.delivery.queries import load_delivery
from cafe.delivery.tables import entry_of
from cafe.ledger.department import Entry
from cafe.ledger.importing import WHO, Times, WrongRecordError

LONGEST_ID: Final = 64
"""The most characters of an id, in all tables."""


class WantedDistrict(NamedTuple):
    """A district to import."""

    district_id: str | None
    name: str


class WantedCourier(NamedTuple):
    """A courier to import."""

    courier_id: str
    name: str
    districts: Sequence[str]
    """Names, or the ids that the districts had."""


class Brought(NamedTuple):
    """A delivery that a courier has made, or has in hand."""

    order_id: str
    number: int
    name: str
    district: District
    courier_id: str
    assigned_at: float
    ended_at: float | None
    """None if the courier has it in hand."""


class DeliveryImport:
    """Makes the entries of imported districts, couriers and deliveries, beside the stored ones."""

    def __init__(
        self,
        connection: Connection,
        times: Times,
        *,
        since: float,
        lease_seconds: float,
        day_of: Callable[[float], str],
        courier_ids: Collection[str],
    ) -> None:
        """Read the stored state.

        `since` is when districts and couriers begin: not after any delivery. `courier_ids` are
        those of the couriers that will be imported.
        """
        self._times, self._since, self._day_of = times, since, day_of
        self._stored = load_delivery(connection)
        self._lease_seconds = lease_seconds
        self._districts = Districts(self._stored.districts)
        self._known = {one.courier_id for one in self._stored.couriers}
        self._courier_ids = frozenset(courier_ids)
        self._district_ids: dict[str, str] = {}
        """By the id that an imported district had: its id here."""
        self._couriers: dict[str, Courier] = {}
        """Imported couriers, with their figures."""
        self._in_hand: dict[str, Delivery] = {}
        """By courier: the imported delivery in hand."""
        self._sequence = self._stored.last_sequence

    def add_district(self, wanted: WantedDistrict) -> list[Entry]:
        """Return the entries of a new district; raises WrongRecordError."""
        former, name = wanted
        district_id = former or new_id()
        if district_id in self._courier_ids:
            # Districts and couriers are subjects of one department: their ids must differ.
            district_id = f"district-{former}"
            if len(district_id) > LONGEST_ID:
                raise WrongRecordError(
                    "A courier has this id, and `district-` does not fit before it.", "sid"
                )
        if district_id in self._districts.by_id or district_id in self._known:
            raise WrongRecordError("Another district or courier has this id.", "sid")
        try:
            change = self._districts.add(district_id, name, self._since, WHO)
        except NameTakenError:
            raise WrongRecordError("Another district has this name.", "name") from None
        self._district_ids[former or district_id] = district_id
        return [entry_of(change)]

    def add_courier(self, wanted: WantedCourier) -> None:
        """Record a courier, whose entries `couriers` makes; raises WrongRecordError."""
        courier_id, name, districts = wanted
        if courier_id in self._known or courier_id in self._districts.by_id:
            raise WrongRecordError("Another courier or district has this id.", "sid")
        self._known.add(courier_id)
        try:
            served = self._districts.find_all(
                [self._district_ids.get(one, one) for one in districts]
            )
        except UnknownDistrictError as unknown:
            raise WrongRecordError(
                "There is no such district.", "districts", unknown.place or 0
            ) from None
        self._couriers[courier_id] = Courier(courier_id, 0, name, districts=served)

    def find_district(self, name_or_id: str) -> District:
        """Return a district by its name, or by the id that it had; raises WrongRecordError."""
        try:
            return self._districts.find(self._district_ids.get(name_or_id, name_or_id))
        except UnknownDistrictError:
            raise WrongRecordError("There is no such district.", "district") from None

    def bring(self, brought: Brought) -> list[Entry]:
        """Return the entries of a delivery; call it by ascending times. Raises WrongRecordError."""
        courier = self._couriers.get(brought.courier_id)
        if courier is None:
            raise WrongRecordError("There is no such courier in this file.", "courier_sid")
        changes = list(self._steps(brought))
        delivery = changes[-1].delivery
        if brought.ended_at is not None:
            seconds = brought.ended_at - brought.assigned_at
            self._couriers[courier.courier_id] = courier.having_completed(
                seconds, self._day_of(brought.ended_at)
            )
        elif courier.courier_id in self._in_hand:
            raise WrongRecordError("The courier has another order in work.", "courier_sid")
        else:
            self._in_hand[courier.courier_id] = delivery
        return [entry_of(one) for one in changes]

    def couriers(self) -> list[Entry]:
        """Return the entries of the couriers, after all their deliveries were recorded."""
        stored, now = self._stored, self._times.now
        fleet = Fleet(
            self._lease_seconds,
            stored.couriers,
            [*stored.deliveries, *self._in_hand.values()],
            self._sequence,
            now,
        )
        entries: list[Entry] = []
        for courier in self._couriers.values():
            added = fleet.add_courier(courier, self._since, WHO, on_duty=False)
            wish = CourierWish(on_duty=True)
            come = fleet.change_courier(courier.courier_id, wish, now, WHO)
            entries += [entry_of(one) for one in (*added, *come)]
        return entries

    def _steps(self, brought: Brought) -> Iterator[Change]:
        order_id, number, name, district, courier_id, at, ended_at = brought
        self._sequence += 1
        begun = Delivery(
            order_id,
            self._sequence,
            district.district_id,
            district.name,
            None,
            name,
            at,
            number=number,
        )
        yield Change(Action.REQUEST, None, begun, at, WHO)
        assigned = begun.after(Action.ASSIGN, courier_id=courier_id, assigned_at=at)
        yield Change(Action.ASSIGN, begun.status, assigned, at, WHO)
        taken = assigned.after(Action.PICK_UP, picked_up_at=at)
        yield Change(Action.PICK_UP, assigned.status, taken, at, WHO)
        if ended_at is not None:
            done = taken.after(Action.FINISH, ended_at=ended_at)
            yield Change(Action.FINISH, taken.status, done, ended_at, WHO)
