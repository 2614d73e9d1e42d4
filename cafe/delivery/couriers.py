"""The Couriers actor: it owns couriers, districts, and which courier carries which order.

Rule: every change is one atomic turn here (plain `def`), on the pure fleet, written to the journal
in that turn and committed as one. Replies are sent through the journal, so no client, and no
department, sees what a crash could undo.

The Dispatcher owns orders and their statuses. The Couriers actor learns from the log that an order
is ready, or that it knows of the end of its delivery; the change and the position of its event are
one commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from actors import Actor, Reply, Timer
from cafe.delivery.courier import Courier
from cafe.delivery.coverage import Coverage, District
from cafe.delivery.delivery import CARRIED, Delivery, NoFreeCourierError, Status, order_event
from cafe.delivery.districts import DistrictChange, Districts
from cafe.delivery.fleet import AnyChange, Fleet, Who
from cafe.delivery.messages import (
    AddCourier,
    AddDistrict,
    ChangeCourier,
    ChangeDistrict,
    CountCouriers,
    CourierCount,
    Covered,
    Follow,
    Handed,
    ListUnsettled,
    LoadCouriers,
    OnDuty,
    Publish,
    ReadCoverage,
    Take,
)
from cafe.delivery.queries import Snapshot
from cafe.delivery.refusals import REFUSED, refusal_of, refusal_of_district
from cafe.delivery.tables import entry_of, entry_of_position, entry_of_row
from cafe.http.refusals import CafeRefusal, Closing
from cafe.ledger.department import Entry, Logged
from cafe.ledger.errors import LedgerUnavailable
from cafe.ledger.journal import Journal

R = TypeVar("R")
MOST_UNCOMMITTED = 50_000
"""The most turns that may wait for the ledger; beyond this, new deliveries are refused."""
MOST_BEHIND = 1_000
"""The position is stored with each change, and after this many events without one."""

Load = Callable[[], Awaitable[tuple[Journal, Snapshot]]]
"""Opens the next journal; returns it with a snapshot of the ledger's deliveries and couriers."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that concern delivery."""

    lease_seconds: float = 900.0
    day_of: Callable[[float], str] = str
    """Returns the local day of a time, as 2026-03-14."""


class Showing:
    """Updates the coverage at the commit: a reply that the journal sends then."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage

    def send(self, shown: tuple[list[District], frozenset[str]]) -> bool:
        """Show the districts, and which of them are served; return True."""
        self._coverage.show(*shown)
        return True

    def fail(self, _error: Exception) -> bool:
        """Leave the coverage as it is: the change was not committed, or the shop closes."""
        return False


class Couriers(Actor):
    """Owns couriers and their turns, from the request of a delivery until its order knows of it."""

    def __init__(  # noqa: PLR0917 - independent parts
        self,
        rules: Rules,
        coverage: Coverage,
        clock: Callable[[], float],
        load: Load,
        loaded: tuple[Journal, Snapshot],
        closing: Closing,
    ) -> None:
        """Start from the `loaded` journal and snapshot; show what is committed in `coverage`.

        `clock` returns seconds since the epoch, never less than the time of the last event.
        """
        self._rules = rules
        self._coverage = coverage
        self._clock = clock
        self._load = load
        self._closing = closing
        self._lease_timer: Timer | None = None
        self._lease_timer_at = inf
        self._begin(*loaded)

    def _begin(self, journal: Journal, snapshot: Snapshot) -> None:
        self._journal = journal
        self._position = self._stored = snapshot.position
        self._districts = Districts(snapshot.districts)
        self._fleet = Fleet(
            self._rules.lease_seconds,
            snapshot.couriers,
            snapshot.deliveries,
            snapshot.last_sequence,
            self._clock(),
        )
        if not journal.closed:
            self._show()

    def on_start(self) -> None:
        """Watch the leases of the deliveries that were loaded."""
        self._watch_leases()

    @LoadCouriers.handler
    async def load(self, _message: LoadCouriers) -> None:
        """Load the committed state again."""
        self._begin(*await self._load())
        self._watch_leases()

    # Districts

    @ReadCoverage.deferred
    def read_coverage(self, _message: ReadCoverage, reply: Reply[Covered]) -> None:
        """Answer with the districts, and which of them are served."""
        covered = Covered(tuple(self._districts.open()), tuple(self._fleet.served()))
        self._journal.reply(reply, covered, looks=True)

    @AddDistrict.deferred
    def add_district(self, message: AddDistrict, reply: Reply[District]) -> None:
        """Add a district, unless it is there under this id."""
        district_id = message.district_id

        def add() -> Sequence[DistrictChange]:
            if district_id in self._districts.by_id:
                return ()
            return [self._districts.add(district_id, message.name, self._clock(), message.by)]

        self._turn(reply, add, lambda: self._districts.by_id[district_id], shows=True)

    @ChangeDistrict.deferred
    def change_district(self, message: ChangeDistrict, reply: Reply[District]) -> None:
        """Rename a district, retire it, or reopen it."""
        district_id = message.district_id

        def change() -> Sequence[DistrictChange]:
            queued, now = self._fleet.number_waiting(district_id), self._clock()
            return self._districts.change(
                district_id, message.name, message.retired, queued, now, message.by
            )

        self._turn(
            reply,
            change,
            lambda: self._districts.by_id[district_id],
            shows=True,
            refusal=refusal_of_district,
        )

    # Couriers

    @AddCourier.deferred
    def add_courier(self, message: AddCourier, reply: Reply[OnDuty]) -> None:
        """Add a courier, unless they are there under this id."""
        courier_id = message.courier_id

        def add() -> Sequence[AnyChange]:
            if courier_id in self._fleet.couriers:
                return ()
            served = self._districts.find_all(message.districts)
            wanted = Courier(courier_id, 0, message.name, message.account_id, districts=served)
            return self._fleet.add_courier(
                wanted, self._clock(), message.by, on_duty=message.on_duty
            )

        self._turn(reply, add, lambda: self._on_duty(courier_id), shows=True)

    @ChangeCourier.deferred
    def change_courier(self, message: ChangeCourier, reply: Reply[OnDuty]) -> None:
        """Change a courier; one that comes on duty is assigned the oldest waiting delivery."""
        courier_id, wish = message.courier_id, message.wish

        def change() -> Sequence[AnyChange]:
            served = wish.districts and self._districts.find_all(wish.districts)
            return self._fleet.change_courier(
                courier_id, wish._replace(districts=served), self._clock(), message.by
            )

        shows = wish.districts is not None or wish.retired is not None
        self._turn(reply, change, lambda: self._on_duty(courier_id), shows=shows)

    # Deliveries

    @Publish.deferred
    def publish(self, message: Publish, reply: Reply[Delivery]) -> None:
        """Add a delivery that staff publish, and assign it if a courier is free."""

        def request() -> Sequence[AnyChange]:
            if message.order_id in self._fleet.deliveries:
                return ()
            self._refuse_new()
            district = self._districts.find(message.district)
            if not message.queue and not self._fleet.has_free(district.district_id):
                raise NoFreeCourierError
            wanted = Delivery(
                message.order_id,
                0,
                district.district_id,
                district.name,
                message.address,
                message.name,
                0.0,
                settled=False,
            )
            now = self._clock()
            changes = self._fleet.request(wanted, now, message.by)
            if message.picked_up and self._fleet.find(message.order_id).status is Status.ASSIGNED:
                changes += self._fleet.pick_up(message.order_id, now, Who(message.by))
            return changes

        self._turn(reply, request, lambda: self._fleet.find(message.order_id))

    @Take.deferred
    def take(self, message: Take, reply: Reply[Handed]) -> None:
        """Apply a step to a delivery, unless this command has done so before."""
        had: str | None = None

        def step() -> Sequence[AnyChange]:
            nonlocal had
            delivery = self._fleet.find(message.order_id)
            is_done = delivery.command == message.command
            if is_done or delivery.status in CARRIED:
                had = delivery.courier_id
            return () if is_done else self._step(message)

        def handed() -> Handed:
            delivery, carries = self._fleet.find(message.order_id), self._fleet.carried_by(had)
            is_same = carries is not None and carries.order_id == delivery.order_id
            return Handed(delivery, None if is_same else carries)

        self._turn(reply, step, handed)

    def _step(self, message: Take) -> list[AnyChange]:
        fleet, now, order_id = self._fleet, self._clock(), message.order_id
        who = Who(message.by, message.command, message.only)
        match message.step:
            case "pick up":
                return fleet.pick_up(order_id, now, who)
            case "finish":
                return fleet.finish(order_id, now, self._rules.day_of(now), who)
            case "fail":
                return fleet.fail(order_id, message.reason or "", now, who)
            case "retry":
                return fleet.retry(order_id, now, who)
            case "cancel":
                return fleet.cancel(order_id, message.reason, now, who)
            case "reassign":
                return fleet.reassign(order_id, message.to, now, who)

    # The log

    @Follow.deferred
    def follow(self, message: Follow, reply: Reply[None]) -> None:
        """Apply events, unless they were applied before."""
        entries: list[Entry] = []
        for one in message.events:
            if one.position > self._position:
                entries += self._apply(one)
        self._position = max(self._position, message.position)
        if entries or self._position - self._stored >= MOST_BEHIND:
            self._stored = self._position
            self._journal.write(*entries, entry_of_position(self._position))
            self._watch_leases()
        self._journal.reply(reply, None)

    def _apply(self, logged: Logged) -> Iterable[Entry]:
        """Apply an order's event to its delivery; return the changes as entries."""
        event = logged.event
        found = order_event(event.subject, event.after, event.data or "")
        if found.wanted is None or found.order_id in self._fleet.deliveries:
            settled = self._fleet.settle(found.order_id, found.status, found.number)
            return () if settled is None else (entry_of_row(settled),)
        return map(entry_of, self._fleet.request(found.wanted, self._clock()))

    @ListUnsettled.deferred
    def list_unsettled(self, message: ListUnsettled, reply: Reply[tuple[Delivery, ...]]) -> None:
        """List the deliveries whose orders may not know of a change."""
        found = self._fleet.unsettled(self._clock() - message.seconds)
        self._journal.reply(reply, found, looks=True)

    @CountCouriers.handler
    def count(self, _message: CountCouriers) -> CourierCount:
        """Count couriers and deliveries, also those that are not committed yet."""
        fleet = self._fleet
        return CourierCount(fleet.number_on_duty(), fleet.number_free(), dict(fleet.by_status()))

    # Changes

    def _turn(
        self,
        reply: Reply[R],
        decide: Callable[[], Sequence[AnyChange | DistrictChange]],
        answer: Callable[[], R],
        *,
        shows: bool = False,
        refusal: Callable[[Exception], CafeRefusal] = refusal_of,
    ) -> None:
        """Write the changes that the models decide and answer, or refuse with their error."""
        try:
            changes = decide()
        except REFUSED as no:
            self._journal.refuse(reply, refusal(no))
            return
        if changes:
            self._journal.write(*map(entry_of, changes))
            if shows:
                self._show()
            self._watch_leases()
        self._journal.reply(reply, answer(), looks=not changes)

    def _on_duty(self, courier_id: str) -> OnDuty:
        return OnDuty(self._fleet.couriers[courier_id], self._fleet.carried_by(courier_id))

    def _show(self) -> None:
        """Show the coverage as written so far, once it is committed."""
        shown = self._districts.open(), self._fleet.served()
        self._journal.reply(Showing(self._coverage), shown)

    def _refuse_new(self) -> None:
        if self._closing.refusal is not None:
            raise self._closing.refusal
        if self._journal.uncommitted > MOST_UNCOMMITTED:
            raise LedgerUnavailable

    # Leases

    def _watch_leases(self) -> None:
        """Set the timer to the earliest expiry."""
        expiry = self._fleet.next_expiry()
        if expiry is None or self._lease_timer_at <= expiry:
            return
        if self._lease_timer is not None:
            self._lease_timer.cancel()
        self._lease_timer_at = expiry
        self._lease_timer = self.after(max(0.0, expiry - self._clock()), self._expire)

    def _expire(self) -> None:
        self._lease_timer, self._lease_timer_at = None, inf
        for changes in self._fleet.expire(self._clock()):
            self._journal.write(*map(entry_of, changes))
        self._watch_leases()
