"""The fleet by example: what the comparison with plain lists does not show."""

from __future__ import annotations

import pytest

from cafe.delivery.courier import (
    AccountTakenError,
    Courier,
    CourierWish,
    Duty,
)
from cafe.delivery.delivery import (
    Change,
    Delivery,
    NotInHandError,
    Status,
)
from cafe.delivery.fleet import Fleet, Who

LEASE = 100.0


def fleet_of(*couriers: Courier, lease: float = LEASE) -> Fleet:
    """Return a fleet whose couriers came on duty one after the other, all in the north."""
    fleet = Fleet(lease)
    for courier in couriers:
        fleet.add_courier(courier._replace(districts=("north",)), 0.0, None, on_duty=True)
    return fleet


def wanted(order_id: str, district: str = "north") -> Delivery:
    return Delivery(order_id, 0, district, district, "Main St 1", order_id, 0.0, settled=False)


ADA, BO = Courier("ada", 0, "Ada", "account-ada"), Courier("bo", 0, "Bo")


def test_turns_differ_by_a_clock_that_stands_still() -> None:
    fleet = fleet_of(ADA, BO)
    for number in range(6):
        fleet.request(wanted(f"o{number}"), 0.0)
        assert fleet.deliveries[f"o{number}"].courier_id == ("ada", "bo")[number % 2]
        fleet.finish(f"o{number}", 0.0, "2026-03-14", Who())
    assert len({one.free_since for one in fleet.couriers.values()}) == 2


def test_only_the_one_who_has_it_may_change_it() -> None:
    fleet = fleet_of(ADA, BO)
    fleet.request(wanted("o1"), 0.0)
    with pytest.raises(NotInHandError):
        fleet.finish("o1", 1.0, "2026-03-14", Who(courier_id="bo"))
    fleet.finish("o1", 1.0, "2026-03-14", Who(courier_id="ada"))


def test_a_day_that_was_counted_is_not_counted_again_when_the_zone_changes() -> None:
    courier = BO.having_completed(10, "2026-03-14").having_completed(20, "2026-03-13")
    assert (courier.completed, courier.days, courier.seconds) == (2, 1, 30)
    assert courier.having_completed(0, "2026-03-15").avg_day_orders == 1.5
    assert (BO.avg_day_orders, BO.avg_order_complete_time) == (None, None)


def test_an_account_is_one_couriers_as_long_as_they_are_not_retired() -> None:
    fleet = fleet_of(ADA)
    other = ADA._replace(courier_id="eve")
    with pytest.raises(AccountTakenError):
        fleet.add_courier(other, 0.0, None, on_duty=True)
    fleet.change_courier("ada", CourierWish(retired=True), 1.0, None)
    fleet.add_courier(other, 2.0, None, on_duty=True)
    with pytest.raises(AccountTakenError):
        fleet.change_courier("ada", CourierWish(retired=False), 3.0, None)


def test_what_its_order_knows_of_is_kept_no_longer() -> None:
    fleet = fleet_of(ADA)
    fleet.request(wanted("o1"), 5.0)
    assert fleet.unsettled(4.0) == ()
    assert [one.order_id for one in fleet.unsettled(5.0)] == ["o1"]
    fleet.finish("o1", 6.0, "2026-03-14", Who())
    early = fleet.settle("o1", "ready", 17)
    assert early is not None
    assert (early.settled, early.number) == (False, 17)
    late = fleet.settle("o1", "delivered", 17)
    assert late is not None
    assert late.settled
    assert fleet.deliveries == {}
    assert fleet.settle("o1", "delivered", 17) is None


def test_a_courier_who_was_silent_off_duty_stays_off_duty() -> None:
    fleet = fleet_of(ADA)
    fleet.request(wanted("o1"), 0.0)
    fleet.change_courier("ada", CourierWish(on_duty=False), 1.0, None)
    (changes,) = fleet.expire(LEASE)
    assert [type(one) for one in changes] == [Change]
    assert fleet.couriers["ada"].duty is Duty.OFF
    assert fleet.deliveries["o1"].status is Status.WAITING


def test_a_clock_that_was_set_back_neither_lengthens_a_lease_nor_hides_what_is_unsettled() -> None:
    fleet = fleet_of(ADA)
    fleet.request(wanted("o1"), 5000.0)
    again = Fleet(LEASE, fleet.couriers.values(), fleet.deliveries.values(), 1, now=10.0)
    assert again.next_expiry() == 10.0 + LEASE
    assert [one.order_id for one in again.unsettled(10.0)] == ["o1"]
    (changes,) = again.expire(10.0 + LEASE)
    assert changes[0].delivery.status is Status.WAITING  # type: ignore[union-attr] # the first is
    again.change_courier("ada", CourierWish(on_duty=True), 20.0, None)
    assert again.carried_by("ada") is not None


@pytest.mark.parametrize("leaving", [CourierWish(on_duty=False), CourierWish(retired=True)])
def test_who_leaves_with_new_districts_is_handed_nothing(leaving: CourierWish) -> None:
    fleet = fleet_of(ADA)
    fleet.request(wanted("o1", "south"), 0.0)
    fleet.change_courier("ada", leaving._replace(districts=("south",)), 1.0, None)
    assert fleet.couriers["ada"].districts == ("south",)
    assert fleet.carried_by("ada") is None
    assert fleet.deliveries["o1"].status is Status.WAITING
