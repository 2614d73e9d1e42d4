"""Couriers that are imported into a shop where deliveries wait get these at once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from cafe.delivery.delivery import Delivery, Status
from cafe.delivery.districts import Districts
from cafe.delivery.fleet import Fleet
from cafe.delivery.importing import Brought, DeliveryImport, WantedCourier
from cafe.delivery.queries import load_delivery
from cafe.delivery.tables import entry_of
from cafe.ledger.importing import Times, made, units_of
from cafe.ledger.store import Unit, open_store

NOON = 1_767_000_000.0
LEASE = 900.0


def test_an_imported_courier_gets_the_oldest_delivery_that_waits(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/cafe.db")) as store:
        north = Districts().add("north", "North", NOON, None)
        fleet = Fleet(LEASE)
        waiting = [
            change
            for order_id in ("first", "second")
            for change in fleet.request(
                Delivery(order_id, 0, "north", "North", None, "Cake", 0.0), NOON
            )
        ]
        entries = [entry_of(one) for one in (north, *waiting)]
        last = store.commit([Unit("delivery", tuple(entries))]).logged[-1]

        taking = store.read(
            lambda connection: DeliveryImport(
                connection,
                Times.after(last, NOON + 60),
                since=NOON - 500,
                lease_seconds=LEASE,
                day_of=str,
                courier_ids={"ada", "bo"},
            )
        )
        for courier_id in ("ada", "bo"):
            taking.add_courier(WantedCourier(courier_id, courier_id.title(), ["NORTH"]))
        district = taking.find_district("north")
        had = Brought("old", 7, "Tart", district, "bo", NOON - 500, None)
        brought = made("delivery", taking.bring(had), NOON + 60)
        couriers = made("delivery", taking.couriers(), NOON + 60)
        with store.together() as write:
            for units in units_of([*couriers, *brought]):
                write(units)

        found = store.read(load_delivery)
    stand = {one.order_id: (one.status, one.courier_id) for one in found.deliveries}
    assert stand == {
        "first": (Status.ASSIGNED, "ada"),
        "second": (Status.WAITING, None),
        "old": (Status.PICKED_UP, "bo"),
    }
    leases = {one.order_id: one.lease_expires_at for one in found.deliveries}
    assert leases["first"] == NOON + 60 + LEASE
    assert [one.is_on_duty for one in found.couriers] == [True, True]
