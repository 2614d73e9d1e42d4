"""A day of deliveries breaks no promise, and each damage breaks its own, of a subject."""

from __future__ import annotations

import pytest

from actors.testing import run_seeded
from cafe.delivery.checks import CHECKS
from tests.cafe.delivery.street import open_street, wrong_in
from tests.cafe.ledger.fakes import FaultyStore

DAMAGES = {
    "every event of delivery has its row": (
        "DELETE FROM deliveries WHERE order_id = '{failed}'",
        "failed",
    ),
    "every delivery stands where its last event left it": (
        "UPDATE deliveries SET status = 'cancelled' WHERE order_id = '{failed}'",
        "failed",
    ),
    "every courier stands where their last event left them": (
        "UPDATE couriers SET duty = 'off_duty' WHERE courier_id = '{bo}'",
        "bo",
    ),
    "every district stands where its last event left it": (
        "UPDATE districts SET retired = true WHERE district_id = '{south}'",
        "south",
    ),
    "no courier has two deliveries in hand": (
        "UPDATE deliveries SET courier_id = '{bo}' WHERE order_id = '{basket}'",
        "bo",
    ),
    "no delivery waits where a courier is free": (
        "UPDATE deliveries SET district_id = '{south}' WHERE order_id = '{waiting}'",
        "waiting",
    ),
    "no two couriers on duty have the same turn": ("UPDATE couriers SET free_since = 5", "ada"),
    "no free courier's turn begins before they came on duty, or brought an order": (
        "UPDATE couriers SET free_since = free_since - 1 WHERE courier_id = '{cy}'",
        "cy",
    ),
    "every courier's figures count the deliveries that they completed": (
        "UPDATE couriers SET completed = completed + 1 WHERE courier_id = '{ada}'",
        "ada",
    ),
    "what is settled of a delivery its order knows": (
        "DELETE FROM events WHERE department || after || subject = 'ordersdelivered{delivered}'",
        "delivered",
    ),
    "what its order knows of a delivery is settled": (
        "UPDATE deliveries SET settled = false WHERE order_id = '{delivered}'",
        "delivered",
    ),
    "deliveries follow the log as far as it goes": (
        "UPDATE deliveries_followed SET position = position + 100",
        "log",
    ),
    "no order ends but as its delivery does": (
        "UPDATE deliveries SET status = 'failed' WHERE order_id = '{delivered}'",
        "delivered",
    ),
    "every order that is ready for a courier has its delivery": (
        "DELETE FROM deliveries WHERE order_id = '{basket}'",
        "basket",
    ),
    "every delivery has what its status asks for, and nothing else": (
        "UPDATE deliveries SET lease_expires_at = NULL WHERE order_id = '{carried}'",
        "carried",
    ),
}


async def day() -> tuple[FaultyStore, dict[str, str]]:
    """Have deliveries of each kind; return the ids of them, of couriers and districts, by name."""
    store = FaultyStore()
    async with open_street(store) as street:
        await street.add_districts("north", "south")
        for name, district in (("ada", "north"), ("bo", "north"), ("cy", "south")):
            await street.add_courier(name, district)
        delivered = await street.publish()  # by ada, and bo is next
        await street.take(delivered, "finish")
        carried = await street.publish()
        basket = await street.basket_ready()
        await street.followed()
        await street.take(basket.order_id, "pick up")
        waiting = await street.publish(queue=True)
        failed = await street.publish("south")
        await street.take(failed, "fail", reason="no one is there")
        brought = await street.publish("south")
        await street.take(brought, "finish")
        await street.followed()
    ids = {name: f"id-{name}" for name in ("ada", "bo", "cy", "south")} | {
        "delivered": delivered.order_id,
        "carried": carried.order_id,
        "basket": basket.order_id,
        "waiting": waiting.order_id,
        "failed": failed.order_id,
        "log": "the log",
    }
    return store, ids


@pytest.fixture(scope="module")
def whole() -> tuple[FaultyStore, dict[str, str]]:
    return run_seeded(0, day)


def test_a_day_breaks_no_promise(whole: tuple[FaultyStore, dict[str, str]]) -> None:
    assert wrong_in(whole[0]) == []
    assert set(DAMAGES) == set(CHECKS)


@pytest.mark.parametrize("sentence", DAMAGES)
def test_each_damage_is_found(whole: tuple[FaultyStore, dict[str, str]], sentence: str) -> None:
    store, ids = whole[0].survivor(), whole[1]
    statement, subject = DAMAGES[sentence]
    with store.link.transaction(writing=True) as connection:
        connection.exec_driver_sql("DROP INDEX ix_deliveries_in_hand")
        connection.exec_driver_sql(statement.format(**ids))
    (found,) = (one for one in wrong_in(store) if one.startswith(sentence))
    assert ids[subject] in found
