"""A day of payments breaks no promise, and each damage breaks its own."""

from __future__ import annotations

import pytest
import trio

from actors.testing import run_seeded
from cafe.orders.messages import CancelOrder
from cafe.payments.checks import CHECKS
from cafe.payments.refusals import ProviderUnavailable
from tests.cafe.ledger.fakes import FaultyStore
from tests.cafe.payments.rig import WATER, open_rig, wrong_in
from tests.cafe.payments.world import Mood, World

DAMAGES = {
    "every event of a payment has its payment": "DELETE FROM payments WHERE status = 'refused'",
    "every payment stands where its last event left it": (
        "UPDATE payments SET status = 'paid' WHERE status = 'placed'"
    ),
    "every payment that was placed has its order": (
        "UPDATE events SET data = NULL, action = 'x' WHERE action = 'place' AND "
        "department = 'orders' AND subject IN "
        "(SELECT order_id FROM payments WHERE status = 'placed')"
    ),
    "every order of a basket has its payment": (
        "DELETE FROM payments WHERE status = 'not_required'"
    ),
    "no order was placed before it was charged": (
        "UPDATE payments SET status = 'asked' WHERE status = 'placed'"
    ),
    "what was charged for a cancelled order is given back": (
        "UPDATE payments SET status = 'placed' WHERE status = 'refunded'"
    ),
    "what was given back has no order, or one that was cancelled": (
        "UPDATE payments SET status = 'refunded' WHERE status = 'placed'"
    ),
    "payments follow the log as far as it goes": (
        "UPDATE payments_followed SET position = position + 100"
    ),
    "every payment has what its status asks for, and nothing else": (
        "UPDATE payments SET charge_status = 500 WHERE status = 'placed'"
    ),
}


async def day() -> FaultyStore:
    """Order one basket of each kind."""
    store = FaultyStore()
    async with trio.open_nursery() as nursery:
        world = World(nursery)
        async with open_rig(world, store) as rig:
            await rig.order()
            order = (await rig.order()).standing.order
            await rig.till.desk.cancel(CancelOrder(order.order_id))
            await rig.order(WATER)
            await trio.sleep(1)
            world.mood = Mood(is_up=False)
            with pytest.raises(ProviderUnavailable):
                await rig.order()
            await rig.followed()
        nursery.cancel_scope.cancel()
    return store


@pytest.fixture(scope="module")
def whole() -> FaultyStore:
    return run_seeded(0, day)


def test_a_day_breaks_no_promise(whole: FaultyStore) -> None:
    assert wrong_in(whole) == []
    assert set(DAMAGES) == set(CHECKS)


@pytest.mark.parametrize("sentence", DAMAGES)
def test_each_damage_is_found(whole: FaultyStore, sentence: str) -> None:
    store = whole.survivor()
    with store.link.transaction(writing=True) as connection:
        connection.exec_driver_sql(DAMAGES[sentence])
    assert [one for one in wrong_in(store) if one.startswith(sentence)]
