"""Districts, couriers and their accounts: what is added and changed, and what is refused."""

from __future__ import annotations

import pytest
import trio

from cafe.delivery.department import DELIVERY
from cafe.delivery.messages import ChangeDistrict
from cafe.delivery.refusals import (
    AccountTaken,
    CourierBusy,
    CourierRetired,
    DeliveryConflict,
    DistrictQueued,
    NameTaken,
    NotACouriersAccount,
    NotYours,
    UnknownCourier,
    UnknownDistrict,
    UnknownDistrictNamed,
)
from cafe.orders.department import ORDERS
from tests.cafe.delivery.street import completed_in, open_north
from tests.cafe.ledger.order_histories import NOON

pytestmark = pytest.mark.schedules(5)


async def test_an_account_is_one_couriers() -> None:
    async with open_north() as street:
        await street.add_courier("ada", account_id="account-ada")
        with pytest.raises(AccountTaken):
            await street.add_courier("bo", account_id="account-ada")
        for other in ("account-eve", "account-unknown"):
            with pytest.raises(NotACouriersAccount):
                await street.add_courier("bo", account_id=other)


async def test_a_district_is_retired_once_nothing_waits_in_it() -> None:
    async with open_north() as street:
        waiting = await street.publish("south", queue=True)
        closing = ChangeDistrict("id-south", retired=True)
        with pytest.raises(DistrictQueued) as no:
            await street.desk.change_district(closing)
        assert no.value.queued == 1
        await street.take(waiting, "cancel")
        assert (await street.desk.change_district(closing)).retired
        assert street.coverage.find("south") is None
        with pytest.raises(UnknownDistrictNamed):
            await street.publish("south", queue=True)
        with pytest.raises(UnknownDistrictNamed) as unknown:
            await street.add_courier("ada", "north", "south")
        assert unknown.value.errors[0]["loc"] == ["body", "districts", 1]
        with pytest.raises(NameTaken):
            await street.add_districts("SOUTH")
        with pytest.raises(UnknownDistrict):
            await street.desk.change_district(ChangeDistrict("x", retired=True))
        await street.desk.change_district(ChangeDistrict("id-south", "Süd", retired=False))
        assert [one.name for one in await street.desk.districts(0, 9)] == ["north", "Süd"]
        assert street.coverage.find("sÜd") is not None


async def test_the_board_shows_which_districts_a_courier_serves() -> None:
    async with open_north() as street:
        assert street.coverage.served() == []
        await street.add_courier("ada", on_duty=False)
        assert street.coverage.served() == ["north"]
        await street.change("ada", districts=("south",))
        assert street.coverage.served() == ["south"]
        assert street.coverage.is_served("id-south")
        await street.change("ada", retired=True)
        assert street.coverage.served() == []
        with pytest.raises(CourierRetired):
            await street.change("ada", on_duty=True)
        await street.change("ada", retired=False, on_duty=True)
        busy = await street.publish("south")
        with pytest.raises(CourierBusy) as no:
            await street.change("ada", retired=True)
        assert no.value.order_id == busy.order_id
        with pytest.raises(UnknownCourier):
            await street.change("nobody", on_duty=True)


async def test_days_are_the_shops_own() -> None:
    start = trio.current_time()
    evening = NOON - NOON % 86_400 + 86_400 - 2 * 3600  # 22 o'clock in UTC, 23 in Berlin

    def clock() -> float:
        return evening + trio.current_time() - start

    async with open_north(clock=clock, zone="Europe/Berlin") as street:
        await street.add_courier("ada")
        for seconds in (0, 1800, 3600):
            await trio.sleep(seconds)
            await street.take(await street.publish(), "finish")
        courier, _ = await street.courier("ada")
        assert (courier.completed, courier.days, courier.avg_day_orders) == (3, 2, 1.5)


async def test_a_couriers_own_routes_change_only_what_is_theirs() -> None:
    async with open_north() as street:
        await street.add_courier("ada", account_id="account-ada")
        await street.add_courier("bo", account_id="account-bo")
        delivery = await street.publish()
        for step in ("pick up", "finish", "fail"):
            with pytest.raises(NotYours):
                await street.take(delivery, step, only="bo", reason="x")
        await street.take(delivery, "pick up", only="ada")
        await street.take(delivery, "finish", only="ada")
        await street.followed()
        with pytest.raises(NotYours):
            await street.take(delivery, "finish", only="bo")
        with pytest.raises(DeliveryConflict):
            await street.take(delivery, "finish", only="ada")
        mine = await street.desk.courier_of("account-ada")
        assert (mine.courier.name, mine.carries) == ("ada", None)


@pytest.mark.schedules(2)
async def test_what_ended_long_ago_is_deleted_and_the_figures_stay() -> None:
    async with open_north() as street:
        await street.add_courier("ada")
        for _ in range(3):
            await street.take(await street.publish(), "finish")
        waiting = [await street.publish(queue=True) for _ in range(2)]
        await street.followed()
        await trio.sleep(1000)
        departments = (ORDERS, DELIVERY)
        before = street.ledger.now() - 500
        pruned = [await street.ledger.prune(one, before, departments) for one in departments]
        assert pruned[1] == 3
        assert [one.order_id for one in street.rows()] == [one.order_id for one in waiting]
        assert completed_in(street.store, "ada") == 3
