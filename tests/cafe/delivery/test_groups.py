"""Turns that are committed in groups, on both databases: no hand has two orders in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cafe.delivery.courier import CourierWish, Duty
from cafe.delivery.delivery import NoFreeCourierError, NotAllowedError
from cafe.delivery.fleet import AnyChange, Who
from cafe.ledger.store import open_store
from tests.cafe.delivery.test_tables import Town
from tests.chance import examples

NAMES = ("ada", "bo", "cleo")
STEPS = ("request", "pick up", "finish", "fail", "retry", "cancel", "reassign", "on", "off", "wait")
GROUPS = st.lists(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), min_size=1, max_size=8),
    min_size=1,
    max_size=6,
)


def changes_of(town: Town, step: str, number: int) -> Sequence[AnyChange]:
    """Take a step with one of the deliveries or couriers; return what has happened."""
    fleet, now = town.fleet, town.now
    if step == "request":
        return town.request(f"o{len(fleet.deliveries)}", ("north", "south")[number % 2])
    if step in {"on", "off"}:
        wish = CourierWish(on_duty=step == "on")
        return fleet.change_courier(NAMES[number % len(NAMES)], wish, now, None)
    if step == "wait":
        town.now += 100.0
        return [change for lapsed in fleet.expire(town.now) for change in lapsed]
    order_id = f"o{number % len(fleet.deliveries)}"
    asks: dict[str, Callable[[], Sequence[AnyChange]]] = {
        "pick up": partial(fleet.pick_up, order_id, now, Who()),
        "finish": partial(fleet.finish, order_id, now, "2026-03-14", Who()),
        "fail": partial(fleet.fail, order_id, "closed", now, Who()),
        "retry": partial(fleet.retry, order_id, now, Who()),
        "cancel": partial(fleet.cancel, order_id, None, now, Who()),
        "reassign": partial(fleet.reassign, order_id, None, now, Who()),
    }
    return asks[step]()


def turn(town: Town, step: str, number: int) -> Sequence[AnyChange]:
    """Take a step, or none where the fleet refuses it."""
    town.now += 1.0
    try:
        return changes_of(town, step, number)
    except (NotAllowedError, NoFreeCourierError):
        return ()


@pytest.mark.parametrize("kind", ["file", "postgresql"])
@given(groups=GROUPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
def test_no_group_of_turns_is_refused_or_leaves_two_orders_in_a_hand(
    kind: str, new_url: Callable[[str], str], groups: list[list[tuple[str, int]]]
) -> None:
    with closing(open_store(new_url(kind))) as store:
        store.begin()
        town = Town(store)
        town.turns(*(town.add(name, "north", "south") for name in NAMES), town.request("o0"))
        for steps in groups:
            turns = [turn(town, *step) for step in steps]
            town.turns(*filter(None, turns))
            loaded = town.loaded()
            assert {one.order_id: one for one in loaded.deliveries} == town.fleet.deliveries
            assert [one.duty is Duty.ON for one in loaded.couriers] == [
                one.is_on_duty for one in town.fleet.couriers.values()
            ]
            broken = " ".join(town.broken())
            assert "two deliveries" not in broken
            assert "a courier is free" not in broken
