"""The sweep sees what a single run may miss."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import trio

from actors.testing import schedules
from actors.testing.schedules import run_seeded


async def race(order: list[int]) -> None:
    async def arrive(number: int) -> None:
        await trio.lowlevel.checkpoint()
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(arrive, number)


def orders_of(count: int) -> list[list[int]]:
    orders: list[list[int]] = []

    @schedules(count)
    async def sweep() -> None:
        orders.append([])
        await race(orders[-1])

    sweep()
    return orders


def test_a_sweep_tries_many_orders() -> None:
    orders = orders_of(50)
    assert len(orders) == 50
    assert len({tuple(order) for order in orders}) > 10


def test_the_same_seed_gives_the_same_order() -> None:
    assert orders_of(10) == orders_of(10)


def test_a_defect_that_shows_in_one_order_is_found_and_its_schedule_noted() -> None:
    @schedules()
    async def falls_over_the_last() -> None:
        order: list[int] = []
        await race(order)
        assert order[-1] != 0

    with pytest.raises(AssertionError) as failure:
        falls_over_the_last()
    assert failure.value.__notes__[0].startswith("under schedule ")


def test_time_is_virtual() -> None:
    @schedules(2)
    async def long() -> None:
        await trio.sleep(10_000)

    long()


@schedules(2)
async def test_plain_fixtures_are_passed_on(request: pytest.FixtureRequest) -> None:
    await trio.lowlevel.checkpoint()
    assert request.node.name == "test_plain_fixtures_are_passed_on"


def test_the_scheduler_is_left_as_it_was() -> None:
    scheduler: Any = import_module("trio._core._run")
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
    run_seeded(1, trio.lowlevel.checkpoint)
    assert before == (scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate())
