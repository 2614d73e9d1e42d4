"""Two hundred customers and ten baristas in virtual time."""

from __future__ import annotations

from random import Random

import pytest
import trio

from cafe.orders.messages import Standing
from cafe.orders.order import Action
from tests.cafe.orders.counter import Counter, open_counter, settled

CUSTOMERS = 200
BARISTAS = 10


async def barista(counter: Counter, name: str, brewing: list[float]) -> None:
    """Brew the oldest order, again and again; `brewing` has the seconds of each ticket."""
    while (claim := await counter.start(name, hold=60)) is not None:
        await trio.sleep(brewing[claim.order.number - 1])
        await counter.finish(claim)


async def play(brewing: list[float]) -> tuple[Counter, list[Standing], float]:
    """Place all orders at once, and let all baristas work until none is left."""
    served: list[Standing] = []
    async with open_counter() as counter:

        async def customer() -> None:
            served.append(await counter.order())

        async with trio.open_nursery() as nursery:
            for _ in range(CUSTOMERS):
                nursery.start_soon(customer)
            await settled()
            for number in range(BARISTAS):
                nursery.start_soon(barista, counter, f"barista {number}", brewing)
        finished = max(counter.times(Action.FINISH))
        placed = min(counter.times(Action.PLACE))
        return counter, served, finished - placed


def makespan(brewing: list[float]) -> float:
    """Compute when the last is ready: each order goes to the barista that is free first."""
    free = [0.0] * BARISTAS
    for seconds in brewing:
        free.sort()
        free[0] += seconds
    return max(free)


@pytest.mark.slow
@pytest.mark.schedules(3)
async def test_two_hundred_customers_all_get_their_coffee_in_order_and_in_time() -> None:
    rng = Random(17)  # noqa: S311 - brewing times, not secrets
    brewing = [rng.uniform(30, 60) for _ in range(CUSTOMERS)]
    counter, served, seconds = await play(brewing)
    assert len({standing.order.order_id for standing in served}) == CUSTOMERS
    assert counter.numbers(Action.START) == list(range(1, CUSTOMERS + 1))
    assert seconds == pytest.approx(makespan(brewing), abs=0.001)


@pytest.mark.slow
@pytest.mark.schedules(3)
async def test_the_last_of_two_hundred_waits_fifteen_minutes_when_a_coffee_takes_45_seconds() -> (
    None
):
    _, served, seconds = await play([45.0] * CUSTOMERS)
    assert seconds == pytest.approx(15 * 60)
    assert max(standing.waited_seconds for standing in served) == pytest.approx(15 * 60)


@pytest.mark.schedules(10)
async def test_when_a_barista_crashes_with_an_order_every_customer_is_still_served() -> None:
    async with open_counter() as counter, trio.open_nursery() as nursery:
        served: list[Standing] = []

        async def customer() -> None:
            served.append(await counter.order())

        for _ in range(20):
            nursery.start_soon(customer)
        await settled()
        dead = await counter.claimed("dead")
        for number in range(2):
            nursery.start_soon(barista, counter, f"barista {number}", [30.0] * 20)
        await trio.sleep(3600)
        assert len(served) == 20
        assert counter.numbers(Action.EXPIRE) == [dead.order.number]
        assert counter.numbers(Action.START).count(dead.order.number) == 2
        assert sorted(counter.numbers(Action.FINISH)) == list(range(1, 21))
