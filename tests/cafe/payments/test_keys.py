"""One key of an account is one order, though one body is charged and another is free."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from cafe.http.refusals import CafeRefusal
from cafe.menu.messages import Board, Menu
from cafe.orders.messages import Order
from cafe.orders.refusals import KeyReused
from cafe.payments.payment import Status
from cafe.payments.pricing import Item
from cafe.payments.refusals import NotPlaced
from tests.cafe.payments.rig import LATTE, MENU, WATER, Rig, payments_in, rigged, the_only
from tests.cafe.payments.world import Mood

DAY = 86_400.0
FREE_MENU = Menu([one._replace(base_price_cents=0, variations=()) for one in MENU.products])
PLAIN_LATTE = (Item("latte", None, 1),)

pytestmark = pytest.mark.schedules(5)


async def outcome(rig: Rig, items: tuple[Item, ...]) -> str | type[CafeRefusal]:
    """Order with the one key; return the order's id, or the kind of the refusal."""
    try:
        return (await rig.order(items, key="k")).standing.order.order_id
    except CafeRefusal as no:
        return type(no)


def the_only_order(rig: Rig) -> Order:
    """Return the one order that there is."""
    (order,) = rig.store.orders.values()
    return order


async def settle(rig: Rig) -> None:
    """Let all be done that is left to do."""
    rig.world.mood = Mood()
    await trio.sleep(10)
    await rig.followed()


@pytest.mark.parametrize("seconds", [0.0, 2.0])
@pytest.mark.parametrize("bodies", [(LATTE, WATER), (WATER, LATTE)])
async def test_one_key_for_a_charged_and_a_free_body_at_once_is_one_order(
    bodies: tuple[tuple[Item, ...], ...], seconds: float
) -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(before=seconds)
        got: dict[tuple[Item, ...], str | type[CafeRefusal]] = {}

        async def order(items: tuple[Item, ...]) -> None:
            got[items] = await outcome(rig, items)

        async with trio.open_nursery() as nursery:
            for body in bodies:
                nursery.start_soon(order, body)
        await settle(rig)
        order_id, prepaid = the_only_order(rig).order_id, the_only_order(rig).prepaid
        taken, other = (LATTE, WATER) if prepaid else (WATER, LATTE)
        assert (got[taken], got[other]) == (order_id, KeyReused if prepaid else NotPlaced)
        assert len(rig.world.refunded) == (0 if prepaid else 1)
        again = await rig.order(taken, key="k")
        assert (again.standing.order.order_id, again.is_new) == (order_id, False)
        assert again.payment is (Status.PLACED if prepaid else Status.NOT_REQUIRED)
        assert await outcome(rig, other) is KeyReused


@pytest.mark.parametrize("seconds", [0.0, 2.0])
async def test_one_body_whose_price_falls_to_nothing_meanwhile_is_one_order(seconds: float) -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(before=seconds)
        later = replace(rig, till=replace(rig.till, board=Board(FREE_MENU)))
        got: list[str | type[CafeRefusal]] = []

        async def order(at: Rig) -> None:
            got.append(await outcome(at, PLAIN_LATTE))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(order, rig)
            nursery.start_soon(order, later)
        await settle(rig)
        only = the_only_order(rig)
        assert set(got) <= {only.order_id, NotPlaced}
        assert len(rig.world.refunded) == (not only.prepaid)
        again = await later.order(PLAIN_LATTE, key="k")
        assert (again.standing.order.order_id, again.is_new) == (only.order_id, False)
        assert again.payment is (Status.PLACED if only.prepaid else Status.NOT_REQUIRED)


async def test_a_free_body_is_refused_once_the_charged_one_is_placed() -> None:
    async with rigged() as rig:
        basket = (await rig.order(key="k")).standing.order.basket
        assert basket is not None
        free = basket._replace(fingerprint="another", prepaid=False)
        with pytest.raises(KeyReused):  # as if its key had been looked up before
            await rig.counter.order_basket(free, key="k")


async def test_a_charge_whose_key_is_taken_meanwhile_is_given_back_also_after_a_kill() -> None:
    async with rigged() as rig:
        rig.world.mood = Mood(fails_late=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outcome, rig, LATTE)
            nursery.start_soon(outcome, rig, WATER)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert not the_only_order(rig).prepaid
        survivor = rig.store.survivor()
        await settle(rig)
    async with rigged(survivor) as rig:
        await settle(rig)
        assert not the_only_order(rig).prepaid
        (charge,) = [one for one in payments_in(rig.store) if one.total_cents]
        assert (charge.status, charge.key) == (Status.REFUNDED, None)
        assert await outcome(rig, WATER) == the_only_order(rig).order_id


@pytest.mark.slow
async def test_a_key_leads_to_its_charged_order_as_long_as_that_waits() -> None:
    async with rigged() as rig:
        ordered = await rig.order(key="k")
        await rig.followed()
        await trio.sleep(DAY + 1)
        again = await rig.order(key="k")
        assert (again.standing.order, again.is_new) == (ordered.standing.order, False)
        assert (again.payment, again.charge_status) == (Status.PLACED, 200)
        assert await outcome(rig, WATER) is KeyReused
        assert the_only(rig).key == "k"
